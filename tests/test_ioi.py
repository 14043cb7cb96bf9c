"""Prompts of indirect object identification: what stands where, and what each corruption changes."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from helpers.ioi import (
    HELD_OUT,
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
    single_token,
)
from helpers.models import DATA
from helpers.stories import ACTIONS, EVENTS
from tests.hub import word_tokenizer
from tests.test_patching import SIZES, random_gpt2

TOKENIZER = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
GIVEN = make_prompts(TOKENIZER, 64, seed=1)
ROWS = torch.arange(64)


def at(prompts, name):
    return prompts.tokens[ROWS, getattr(prompts, name)]


@pytest.mark.parametrize("templates", [TEMPLATES, UNSEEN_TEMPLATES, TEMPLATES + UNSEEN_TEMPLATES])
def test_names_stand_where_they_are_said_to(templates):
    given = make_prompts(TOKENIZER, 64, templates=templates)
    assert given.tokens.shape == (64, 18) and len(given) == 64
    assert torch.equal(at(given, "IO"), given.io_token)
    assert torch.equal(at(given, "S1"), given.s_token) and torch.equal(at(given, "S2"), given.s_token)
    assert (given.s1_pos < given.s2_pos).all() and (given.io_pos < given.s2_pos).all()
    assert ((given.tokens == given.io_token[:, None]).sum(1) == 1).all()
    assert ((given.tokens == given.s_token[:, None]).sum(1) == 2).all()
    assert given.abba.sum() == 32 and given.template.unique().tolist() == list(range(len(templates)))


def test_held_out_names_were_never_told_with_the_event():
    for template, s in zip(GIVEN.template.tolist(), GIVEN.s_token.tolist()):
        index = NAMES.index(TOKENIZER.decode(s).strip())
        assert (index + TEMPLATE_EVENTS[template]) % HELD_OUT == 0
    for template, event in zip(TEMPLATES, TEMPLATE_EVENTS):
        assert EVENTS[event].split("{place}")[0].replace("{object}", "{other}") in template


def test_unseen_templates_share_no_event_and_no_action_with_the_stories():
    for template in UNSEEN_TEMPLATES:
        assert not any(event.split("{place}")[0] in template for event in EVENTS)
        assert not any(template.endswith(action.replace("{B}", "").rstrip()) for action in ACTIONS)


def test_prompts_are_of_one_length_in_any_tokenizer():
    tokenizer = word_tokenizer()
    assert (
        2 <= len(equal_length_templates(tokenizer)) < len(TEMPLATES) == len(equal_length_templates(TOKENIZER))
    )
    assert len(make_prompts(tokenizer, 32)) == 32
    with pytest.raises(ValueError, match="expected prompts of one length"):
        make_prompts(tokenizer, 32, templates=TEMPLATES)


def test_corruptions():
    abc = corrupted(GIVEN, "abc", TOKENIZER)
    three = torch.stack([at(abc, name) for name in ("IO", "S1", "S2")])
    assert all(
        len({*column, *pair}) == 5
        for column, pair in zip(three.T.tolist(), zip(GIVEN.io_token.tolist(), GIVEN.s_token.tolist()))
    )
    s2 = corrupted(GIVEN, "s2", TOKENIZER)
    assert torch.equal(at(s2, "S2"), GIVEN.io_token) and torch.equal(at(s2, "S1"), GIVEN.s_token)
    order = corrupted(GIVEN, "order", TOKENIZER)
    assert torch.equal(at(order, "IO"), GIVEN.io_token) and torch.equal(order.io_pos, GIVEN.s1_pos)
    assert torch.equal(order.abba, ~GIVEN.abba)
    names = corrupted(GIVEN, "names", TOKENIZER)
    assert torch.equal(at(names, "S1"), at(names, "S2")) and not (at(names, "S1") == GIVEN.s_token).any()
    third = corrupted(GIVEN, "third", TOKENIZER)
    assert torch.equal(at(third, "S1"), GIVEN.s_token) and not (at(third, "S2") == GIVEN.s_token).any()
    for changed in (abc, s2, order, names, third):
        moved = (changed.tokens != GIVEN.tokens).sum(1)
        assert moved.min() >= 1 and moved.max() <= 3
        assert torch.equal(changed.io_token, GIVEN.io_token) and torch.equal(changed.s_token, GIVEN.s_token)
    with pytest.raises(ValueError, match='expected a kind "abc"'):
        corrupted(GIVEN, "abd", TOKENIZER)


def test_corruptions_can_follow_each_other():
    names = corrupted(GIVEN, "names", TOKENIZER)
    both = corrupted(names, "order", TOKENIZER)
    assert torch.equal(at(both, "IO"), at(names, "IO")) and torch.equal(at(both, "S1"), at(names, "S1"))
    assert torch.equal(at(both, "S2"), at(both, "S1")) and torch.equal(both.io_pos, GIVEN.s1_pos)
    turned = corrupted(corrupted(GIVEN, "order", TOKENIZER), "s2", TOKENIZER)
    assert torch.equal(at(turned, "S2"), at(turned, "IO")) and torch.equal(turned.io_pos, GIVEN.s1_pos)


def test_logit_diff_and_seeds():
    logits = torch.zeros(64, 3072)
    logits[ROWS, GIVEN.io_token], logits[ROWS, GIVEN.s_token] = 2.0, -1.0
    assert torch.equal(logit_diff(logits, GIVEN.io_token, GIVEN.s_token), torch.full((64,), 3.0))
    assert torch.equal(make_prompts(TOKENIZER, 64, seed=1).tokens, GIVEN.tokens)
    assert not torch.equal(make_prompts(TOKENIZER, 64, seed=2).tokens, GIVEN.tokens)


def test_what_can_not_be_measured_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="a word that is one token, got 'Bartholomew'"):
        single_token(TOKENIZER, "Bartholomew")
    with pytest.raises(ValueError, match="templates of equal length"):
        make_prompts(TOKENIZER, 8, templates=("{A} and {B}: {S} to", "{A} and {B} met. {S} said to"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    bridge = random_gpt2(tmp_path_factory.mktemp("gpt2"), **SIZES)
    bridge.enable_compatibility_mode()
    return bridge


def test_attention_from_the_end(gpt2):
    given = make_prompts(TOKENIZER, 6, seed=2)
    _, cache = gpt2.run_with_cache(given.tokens)
    expected = torch.zeros(3, 4, 3)
    for layer in range(3):
        for head in range(4):
            for column, where in enumerate((given.io_pos, given.s1_pos, given.s2_pos)):
                pattern = cache[f"blocks.{layer}.attn.hook_pattern"]
                expected[layer, head, column] = (
                    sum(pattern[row, head, 17, where[row]] for row in range(6)) / 6
                )
    torch.testing.assert_close(end_attention(gpt2, given), expected)


def test_copy_scores(gpt2):
    """Oracle: one name and one head at a time, by ranks."""
    given = make_prompts(TOKENIZER, 20, seed=2)
    _, cache = gpt2.run_with_cache(given.tokens)
    stream = cache["blocks.0.hook_resid_post"]
    for layer, head in [(0, 1), (2, 3)]:
        hits = 0
        for where, names in ((given.io_pos, given.io_token), (given.s1_pos, given.s_token)):
            for row in range(20):
                x = stream[row, where[row]] @ gpt2.W_V[layer, head] @ gpt2.W_O[layer, head]
                logits = gpt2.ln_final(x[None, None])[0, 0] @ gpt2.W_U
                hits += (logits > logits[names[row]]).sum() < 500
        found = name_copy_scores(gpt2, given, k=500)[layer, head].item()
        assert found == pytest.approx(hits.item() / 40) and 0 < found < 1
