"""Detectors on patterns whose answer is known."""

import torch

from helpers.exercises.inputs import small_model
from helpers.heads import induction_score, previous_token_score
from helpers.sequences import repeated_tokens


def test_a_perfect_head_scores_1_and_others_0_and_axes_are_kept():
    n, period = 21, 10
    previous, induction, current = torch.zeros(3, n, n).unbind()
    for query in range(n):
        previous[query, max(query - 1, 0)] = 1
        induction[query, query - period + 1 if query > period else query] = 1
        current[query, query] = 1
    patterns = torch.stack([torch.stack([previous, induction, current])] * 2)  # [layer head query key]
    assert previous_token_score(patterns).tolist() == [[1, 0, 0]] * 2
    assert induction_score(patterns, period).tolist() == [[0, 1, 0]] * 2


def test_repeated_tokens_repeat_after_bos_and_hold_no_other_bos():
    model = small_model()
    model.tokenizer = type("Tokenizer", (), {"bos_token_id": 4})()
    try:
        tokens = repeated_tokens(model, length=6, batch=50, seed=1)
    finally:
        model.tokenizer = None
    assert tokens.shape == (50, 13) and (tokens[:, 0] == 4).all()
    assert torch.equal(tokens[:, 1:7], tokens[:, 7:])
    assert set(tokens[:, 1:].unique().tolist()) == set(range(11)) - {4}
