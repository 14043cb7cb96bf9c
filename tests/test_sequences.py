"""Sequences that repeat, losses by position, and the check of a single text."""

import math

import pytest
import torch

from helpers.exercises.inputs import generator, small_model
from helpers.sequences import (
    check_one_text,
    in_context_score,
    loss_by_position,
    phase_change,
    repeated_tokens,
    second_copy_gain,
)


def test_repeated_tokens_repeat_after_bos_and_hold_no_other_bos(monkeypatch):
    model = small_model()
    monkeypatch.setattr(
        model, "tokenizer", type("Tokenizer", (), {"bos_token_id": 4, "__len__": lambda self: 8})()
    )
    tokens = repeated_tokens(model, length=6, batch=50, seed=1)
    assert tokens.shape == (50, 13) and (tokens[:, 0] == 4).all()
    assert torch.equal(tokens[:, 1:7], tokens[:, 7:])
    assert set(tokens[:, 1:].unique().tolist()) == set(range(8)) - {4}  # of 11 rows, 3 of which no token has


def test_repeated_tokens_are_seeded(shipped_model):
    model = shipped_model("attn-only-2l")
    assert torch.equal(repeated_tokens(model, seed=1), repeated_tokens(model, seed=1))
    assert not torch.equal(repeated_tokens(model, seed=1), repeated_tokens(model, seed=2))


def test_the_loss_is_that_of_the_model_position_by_position():
    model, tokens = small_model(), torch.randint(11, (3, 9), generator=generator(0))
    logits = model(tokens)
    loss = loss_by_position(logits, tokens)
    assert loss.shape == (8,)
    torch.testing.assert_close(loss.mean(), model(tokens, return_type="loss"))
    probability = logits[:, 4].softmax(dim=-1)[torch.arange(3), tokens[:, 5]]
    torch.testing.assert_close(loss[4], -probability.log().mean())
    assert loss_by_position(torch.zeros(3, 9, 11), tokens)[0].item() == pytest.approx(math.log(11))


def test_the_second_copy_is_easier_in_a_model_with_induction_heads_only(shipped_model):
    gains = {}
    for name in ("attn-only-1l", "attn-only-2l"):
        model = shipped_model(name)
        gains[name] = second_copy_gain(model, repeated_tokens(model)).item()
    assert abs(gains["attn-only-1l"]) < 0.1 and gains["attn-only-2l"] > 2


def test_a_phase_change_is_the_first_step_past_half_the_way_up_or_down():
    steps, values = torch.arange(0.0, 50, 10), torch.tensor([4.0, 3.5, 1.0, 3.0, 0.0])
    assert phase_change(steps, values) == phase_change(steps, -values) == 20
    assert in_context_score(values, early=(0, 2), late=(3, 5)) == 1.5 - 3.75


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 0), (1, 1, 3)])
def test_tokens_that_are_not_one_text_are_refused(shape):
    check_one_text(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"expected one text, tokens \[1, pos\], got"):
        check_one_text(torch.zeros(shape))
