"""Detectors on patterns whose scores are known."""

import pytest
import torch

from helpers.heads import (
    current_token_score,
    duplicate_token_score,
    first_token_score,
    induction_score,
    previous_token_score,
)

LENGTH, PERIOD = 21, 10


def attending(back: int):
    """Pattern of a head that attends ``back`` positions back, to the first position where there is none."""
    pattern = torch.zeros(LENGTH, LENGTH)
    for query in range(LENGTH):
        pattern[query, max(query - back, 0)] = 1
    return pattern


PATTERNS = torch.stack([attending(back) for back in (0, 1, PERIOD - 1, PERIOD, LENGTH)])


@pytest.mark.parametrize(
    ("score", "head"),
    [
        (current_token_score, 0),
        (previous_token_score, 1),
        (lambda pattern: induction_score(pattern, PERIOD), 2),
        (lambda pattern: duplicate_token_score(pattern, PERIOD), 3),
        (first_token_score, 4),
    ],
)
def test_a_perfect_head_scores_1_in_its_detector_and_less_in_others(score, head):
    scores = score(PATTERNS)
    assert scores[head] == 1 and scores.argmax() == head and (scores < 1).sum() == 4


def test_axes_before_query_and_key_are_kept():
    patterns = torch.stack([PATTERNS] * 2)  # [layer head query key]
    assert induction_score(patterns, PERIOD).shape == previous_token_score(patterns).shape == (2, 5)
    torch.testing.assert_close(previous_token_score(patterns)[1], previous_token_score(PATTERNS))
