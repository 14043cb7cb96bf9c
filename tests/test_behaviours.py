"""Behaviours: prompts in pairs whose answers are exchanged, with named positions."""

import pytest
import torch

from helpers.behaviours import BEHAVIOURS, available, behaviour_prompts
from tests.words import WordTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer()


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_pairs_have_one_template_one_last_token_and_answers_exchanged(name, hidden, tokenizer):
    prompts = behaviour_prompts(tokenizer, name, hidden)
    first, second = slice(0, None, 2), slice(1, None, 2)
    assert len(prompts) % 2 == 0 and prompts.tokens.shape == prompts.corrupted.shape
    assert torch.equal(prompts.right[first], prompts.wrong[second])
    assert torch.equal(prompts.wrong[first], prompts.right[second])
    assert torch.equal(prompts.template[first], prompts.template[second])
    assert torch.equal(prompts.tokens[first, -1], prompts.tokens[second, -1])
    assert prompts.variants[first] == prompts.variants[second]
    assert (prompts.right != prompts.wrong).all()


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_positions_depend_on_the_template_alone(name, tokenizer):
    prompts = behaviour_prompts(tokenizer, name, rounds=3)
    for places in prompts.positions.values():
        for template in prompts.template.unique():
            assert len(places[prompts.template == template].unique()) == 1
    assert (prompts.positions["END"] == prompts.tokens.shape[1] - 1).all()
    at_one_place = torch.stack(list(prompts.positions.values())).sort(dim=0).values.diff(dim=0)
    assert (at_one_place > 0).all()  # no position has two labels


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_corrupted_prompts_differ_at_named_positions_only(name, tokenizer):
    prompts = behaviour_prompts(tokenizer, name)
    labelled = torch.nn.functional.one_hot(
        torch.stack(list(prompts.positions.values())), prompts.tokens.shape[1]
    ).sum(dim=0)
    differ = prompts.tokens != prompts.corrupted
    assert differ.any(dim=1).all() and (labelled[differ] == 1).all()


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_hidden_prompts_have_other_templates_and_other_words(name, tokenizer):
    shown, hidden = (behaviour_prompts(tokenizer, name, hidden, rounds=8) for hidden in (False, True))
    rows = [set(map(tuple, prompts.tokens.tolist())) for prompts in (shown, hidden)]
    assert not rows[0] & rows[1]
    if name not in ("successor", "agreement"):  # the days of the week and the verbs are few
        assert not set(shown.right.tolist()) & set(hidden.right.tolist())


def test_ioi_names_io_once_and_s_twice_and_the_corrupted_prompt_three_others(tokenizer):
    prompts = behaviour_prompts(tokenizer, "ioi", rounds=2)
    assert ((prompts.tokens == prompts.right[:, None]).sum(dim=1) == 1).all()
    assert ((prompts.tokens == prompts.wrong[:, None]).sum(dim=1) == 2).all()
    for answer in (prompts.right, prompts.wrong):
        assert not (prompts.corrupted == answer[:, None]).any()
    io_first = prompts.tokens.gather(1, prompts.positions["name 1"][:, None])[:, 0] == prompts.right
    assert [variant == "ABBA" for variant in prompts.variants] == io_first.tolist()


def test_induction_asks_for_what_followed(tokenizer):
    prompts = behaviour_prompts(tokenizer, "induction")
    for row, right, wrong in zip(prompts.tokens.tolist(), prompts.right.tolist(), prompts.wrong.tolist()):
        assert row[row.index(row[-1]) + 1] == right and wrong in row
    assert not (prompts.corrupted[:, :-1] == prompts.corrupted[:, -1:]).any()


def test_successors_follow_and_the_rival_does_not_occur(tokenizer):
    prompts = behaviour_prompts(tokenizer, "successor", rounds=5)
    assert not (prompts.tokens == prompts.wrong[:, None]).any()
    assert not (prompts.tokens == prompts.right[:, None]).any()


def test_cells_are_the_variants_of_each_template(tokenizer):
    prompts = behaviour_prompts(tokenizer, "ioi", rounds=2)
    pairs = set(zip(prompts.template.tolist(), prompts.variants))
    assert len(prompts.cell.unique()) == len(pairs)
    for number in prompts.cell.unique():
        rows = (prompts.cell == number).nonzero()[:, 0].tolist()
        assert len({(prompts.template[row].item(), prompts.variants[row]) for row in rows}) == 1


def test_a_seed_gives_the_same_prompts_and_another_seed_gives_others(tokenizer):
    tokens = [behaviour_prompts(tokenizer, "capitals", seed=seed).tokens for seed in (0, 0, 1)]
    assert torch.equal(tokens[0], tokens[1]) and not torch.equal(tokens[0], tokens[2])


def test_a_behaviour_whose_words_are_split_is_not_available():
    tokenizer = WordTokenizer(split=("Monday", "one"))
    assert available(tokenizer) == [name for name in BEHAVIOURS if name != "successor"]
    with pytest.raises(ValueError, match="expected a word that is one token, got"):
        behaviour_prompts(tokenizer, "successor", rounds=9)


def test_an_unknown_behaviour_is_named(tokenizer):
    with pytest.raises(ValueError, match="expected a behaviour among ioi, .*, got 'chess'"):
        behaviour_prompts(tokenizer, "chess")
