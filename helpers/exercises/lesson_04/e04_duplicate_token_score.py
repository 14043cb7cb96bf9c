"""Exercise 4.4: the duplicate-token score."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import duplicate_token_score, induction_score


def _after_the_copy(pattern, period):
    return induction_score(pattern, period)


def _equals_loops(trial: Trial) -> None:
    """Oracle: query by query."""
    for period in (5, 3):
        n = 2 * period + 1
        pattern = torch.rand(2, n, n, generator=generator(period)).tril()
        pattern = pattern / pattern.sum(dim=-1, keepdim=True)
        expected = sum(pattern[:, i, i - period] for i in range(period + 1, n)) / period
        trial.matches((pattern, period), expected, "head")


EXERCISE = Exercise(
    id="4.4",
    title="the duplicate-token score",
    minutes=3,
    difficulty=1,
    hints=(
        "The earlier copy of the query's own token stands exactly `period` back.",
        "The first entry of that diagonal is the query at position `period`, which looks at beginning-of-text: leave it out.",
    ),
    reference=duplicate_token_score,
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "this is the induction score",
            "period - 1 back stands the token after the copy; the copy itself is `period` back.",
            _after_the_copy,
        ),
        Mistake(
            "beginning-of-text counted",
            "the first entry of the diagonal is attention to beginning-of-text: leave it out.",
            lambda p, n: p.diagonal(-n, dim1=-2, dim2=-1).mean(-1),
        ),
        Mistake(
            "off by one: before the copy",
            "this looks period + 1 back, at the token before the copy.",
            lambda p, n: p.diagonal(-n - 1, dim1=-2, dim2=-1).mean(-1),
        ),
        Mistake(
            "one entry too few",
            "query period + 1, the first of the second copy, has an earlier copy too.",
            lambda p, n: p.diagonal(-n, dim1=-2, dim2=-1)[..., 2:].mean(-1),
        ),
        Mistake(
            "index of the diagonal taken for the query",
            "entry j of the diagonal belongs to query j + period: the second copy begins at entry 1.",
            lambda p, n: p.diagonal(-n, dim1=-2, dim2=-1)[..., n:].mean(-1),
        ),
        Mistake(
            "the token itself",
            "the main diagonal is attention to the query's own position.",
            lambda p, n: p.diagonal(dim1=-2, dim2=-1).mean(-1),
        ),
        Mistake(
            "summed",
            "the mean over the queries is asked for, not the sum.",
            lambda p, n: p.diagonal(-n, dim1=-2, dim2=-1)[..., 1:].sum(-1),
        ),
        Mistake(
            "one mean over all heads",
            "every head has a score of its own: mean over the last axis only.",
            lambda p, n: duplicate_token_score(p, n).mean(),
        ),
    ),
)
