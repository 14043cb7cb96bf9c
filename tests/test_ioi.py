"""Prompts of indirect object identification: positions of the names, corruptions, and measures."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from helpers.ioi import (
    HELD_OUT_MODULUS,
    NAMES,
    TEMPLATE_EVENTS,
    TEMPLATES,
    UNSEEN_TEMPLATES,
    corrupted,
    end_attention,
    equal_length_templates,
    logit_diff,
    make_prompts,
    name_copy_scores,
    position_and_token,
    single_token,
    single_token_words,
)
from helpers.models import DATA
from helpers.stories import ACTIONS, EVENTS
from tests.hub import word_tokenizer

TOKENIZER = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
PROMPTS = make_prompts(TOKENIZER, 64, seed=1)
ROWS = torch.arange(64)
KINDS = ("abc", "names", "order", "s2", "third")


def token_at(prompts, role):
    """Token of each prompt at the position of "io", "s1" or "s2"."""
    return prompts.tokens[ROWS, getattr(prompts, f"{role}_pos")]


@pytest.mark.parametrize("templates", [TEMPLATES, UNSEEN_TEMPLATES, TEMPLATES + UNSEEN_TEMPLATES])
def test_names_stand_at_their_positions(templates):
    prompts = make_prompts(TOKENIZER, 64, templates=templates)
    assert prompts.tokens.shape == (64, 18) and len(prompts) == 64 and (prompts.end_pos == 17).all()
    assert torch.equal(token_at(prompts, "io"), prompts.io_token)
    assert torch.equal(token_at(prompts, "s1"), prompts.s_token)
    assert torch.equal(token_at(prompts, "s2"), prompts.s_token)
    assert (prompts.s1_pos < prompts.s2_pos).all() and (prompts.io_pos < prompts.s2_pos).all()
    assert ((prompts.tokens == prompts.io_token[:, None]).sum(1) == 1).all()
    assert ((prompts.tokens == prompts.s_token[:, None]).sum(1) == 2).all()
    assert prompts.abba.sum() == 32 and prompts.template.unique().tolist() == list(range(len(templates)))


@pytest.mark.parametrize("rows", [slice(3, 9), torch.tensor([5, 2]), PROMPTS.abba])
def test_prompts_are_selected_with_all_their_fields(rows):
    chosen = PROMPTS[rows]
    assert torch.equal(chosen.tokens, PROMPTS.tokens[rows])
    assert torch.equal(chosen.s2_pos, PROMPTS.s2_pos[rows]) and torch.equal(chosen.abba, PROMPTS.abba[rows])


def test_prompts_are_seeded():
    assert torch.equal(make_prompts(TOKENIZER, 64, seed=1).tokens, PROMPTS.tokens)
    assert not torch.equal(make_prompts(TOKENIZER, 64, seed=2).tokens, PROMPTS.tokens)


def test_names_do_not_occur_with_the_event_in_the_training_stories():
    for template, s in zip(PROMPTS.template.tolist(), PROMPTS.s_token.tolist()):
        index = NAMES.index(TOKENIZER.decode(s).strip())
        assert (index + TEMPLATE_EVENTS[template]) % HELD_OUT_MODULUS == 0
    for template, event in zip(TEMPLATES, TEMPLATE_EVENTS):
        assert EVENTS[event].split("{place}")[0].replace("{object}", "{other}") in template
    of_all = make_prompts(TOKENIZER, 64, templates=TEMPLATES[:1], held_out=False).s_token
    assert (
        len({NAMES.index(TOKENIZER.decode(s).strip()) % HELD_OUT_MODULUS for s in of_all}) == HELD_OUT_MODULUS
    )


def test_unseen_templates_share_no_event_and_no_action_with_the_stories():
    for template in UNSEEN_TEMPLATES:
        assert not any(event.split("{place}")[0] in template for event in EVENTS)
        assert not any(template.endswith(action.replace("{B}", "").rstrip()) for action in ACTIONS)


def test_prompts_are_of_one_length_in_any_tokenizer():
    tokenizer = word_tokenizer()
    assert equal_length_templates(TOKENIZER) == list(TEMPLATES)
    assert 2 <= len(equal_length_templates(tokenizer)) < len(TEMPLATES)
    assert len(make_prompts(tokenizer, 32)) == 32
    with pytest.raises(
        ValueError, match="expected prompts of one length, got .* use templates of equal length"
    ):
        make_prompts(tokenizer, 32, templates=TEMPLATES)


def test_abc_replaces_three_names_by_three_others():
    abc = corrupted(PROMPTS, "abc", TOKENIZER)
    names = (*(token_at(abc, role) for role in ("io", "s1", "s2")), PROMPTS.io_token, PROMPTS.s_token)
    assert all(len(set(row)) == 5 for row in torch.stack(names, dim=1).tolist())


def test_the_other_corruptions_keep_what_they_say():
    s2 = corrupted(PROMPTS, "s2", TOKENIZER)
    assert torch.equal(token_at(s2, "s2"), PROMPTS.io_token)
    assert torch.equal(token_at(s2, "s1"), PROMPTS.s_token)
    order = corrupted(PROMPTS, "order", TOKENIZER)
    assert torch.equal(token_at(order, "io"), PROMPTS.io_token)
    assert torch.equal(order.io_pos, PROMPTS.s1_pos) and torch.equal(order.abba, ~PROMPTS.abba)
    names = corrupted(PROMPTS, "names", TOKENIZER)
    assert torch.equal(token_at(names, "s1"), token_at(names, "s2"))
    assert not (token_at(names, "s1") == PROMPTS.s_token).any()
    third = corrupted(PROMPTS, "third", TOKENIZER)
    assert torch.equal(token_at(third, "s1"), PROMPTS.s_token)
    assert not (token_at(third, "s2") == PROMPTS.s_token).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_changes_at_most_the_names_and_never_the_answers(kind):
    changed = corrupted(PROMPTS, kind, TOKENIZER)
    differing = (changed.tokens != PROMPTS.tokens).sum(1)
    assert differing.min() >= 1 and differing.max() <= 3
    assert torch.equal(changed.io_token, PROMPTS.io_token) and torch.equal(changed.s_token, PROMPTS.s_token)
    assert torch.equal(corrupted(PROMPTS, kind, TOKENIZER).tokens, changed.tokens)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="expected a kind \"abc\", .* got 'abd'"):
        corrupted(PROMPTS, "abd", TOKENIZER)


def test_corruptions_can_follow_each_other():
    names = corrupted(PROMPTS, "names", TOKENIZER)
    both = corrupted(names, "order", TOKENIZER)
    for role in ("io", "s1", "s2"):
        assert torch.equal(token_at(both, role), token_at(names, role))
    assert torch.equal(both.io_pos, PROMPTS.s1_pos)
    twice = corrupted(corrupted(PROMPTS, "order", TOKENIZER), "s2", TOKENIZER)
    assert torch.equal(token_at(twice, "s2"), token_at(twice, "io"))
    assert torch.equal(twice.io_pos, PROMPTS.s1_pos)


def test_a_word_of_several_tokens_is_refused():
    assert single_token_words(TOKENIZER, ["Mary", "Bartholomew", "John"]) == ["Mary", "John"]
    with pytest.raises(ValueError, match="a word that is one token, got 'Bartholomew'"):
        single_token(TOKENIZER, "Bartholomew")


def test_the_logit_difference_is_io_minus_s():
    logits = torch.zeros(64, 3072)
    logits[ROWS, PROMPTS.io_token], logits[ROWS, PROMPTS.s_token] = 2.0, -1.0
    assert torch.equal(logit_diff(logits, PROMPTS.io_token, PROMPTS.s_token), torch.full((64,), 3.0))


def test_attention_from_the_end(gpt2):
    """Oracle: one head, one prompt and one name at a time."""
    prompts = make_prompts(TOKENIZER, 6, seed=2)
    _, cache = gpt2.run_with_cache(prompts.tokens)
    expected = torch.zeros(2, 3, 3)
    for layer in range(2):
        pattern = cache[f"blocks.{layer}.attn.hook_pattern"]
        for head in range(3):
            for column, positions in enumerate((prompts.io_pos, prompts.s1_pos, prompts.s2_pos)):
                attention = [pattern[row, head, 17, positions[row]].item() for row in range(6)]
                expected[layer, head, column] = sum(attention) / 6
    torch.testing.assert_close(end_attention(gpt2, prompts), expected)


def test_copy_scores(gpt2):
    """Oracle: one name and one head at a time, by ranks, with the final LayerNorm."""
    prompts = make_prompts(TOKENIZER, 20, seed=2)
    _, cache = gpt2.run_with_cache(prompts.tokens)
    stream = cache["blocks.0.hook_resid_post"]
    for layer, head in [(0, 1), (1, 2)]:
        hits = 0
        for positions, names in ((prompts.io_pos, prompts.io_token), (prompts.s1_pos, prompts.s_token)):
            for row in range(20):
                x = stream[row, positions[row]] @ gpt2.W_V[layer, head] @ gpt2.W_O[layer, head]
                logits = gpt2.ln_final(x[None, None])[0, 0] @ gpt2.W_U
                hits += (logits > logits[names[row]]).sum().item() < 1500
        score = name_copy_scores(gpt2, prompts, k=1500)[layer, head].item()
        assert score == pytest.approx(hits / 40) and 0 < score < 1


def test_the_fit_of_both_signals_recovers_their_weights():
    position, token = torch.tensor([1.0, 1, -1, -1, 0]), torch.tensor([1.0, -1, 1, -1, 0])
    fit = position_and_token(3 * position - 0.5 * token, position, token)
    torch.testing.assert_close(fit, torch.tensor([3.0, -0.5]))
