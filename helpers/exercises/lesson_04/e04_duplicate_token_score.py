"""Exercise 4.4: the duplicate-token score."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import duplicate_token_score, induction_score


def _equals_loops(trial: Trial) -> None:
    """Oracle: query by query."""
    for period, heads in [(6, 4), (3, 5), (4, 1)]:
        n = 2 * period + 1
        pattern = torch.rand(heads, n, n, generator=generator(period)).tril()
        pattern = pattern / pattern.sum(dim=-1, keepdim=True)
        expected = sum(pattern[:, i, i - period] for i in range(period + 1, n)) / period
        trial.matches((pattern, period), expected, "head")


def _with_diagonal(mean):
    """The score as ``mean(diagonal, period)`` of the diagonal ``period`` back."""
    return lambda pattern, period: mean(pattern.diagonal(-period, dim1=-2, dim2=-1), period)


EXERCISE = Exercise(
    id="4.4",
    title="the duplicate-token score",
    minutes=3,
    difficulty=1,
    hints=(
        "As for the induction score, on the diagonal next to it: "
        "the earlier copy of the query's own token stands exactly `period` back.",
        "The second copy has `period` queries. The first entry of the diagonal belongs to an earlier one: "
        "query `period` attends to beginning-of-text there. Leave it out.",
    ),
    reference=duplicate_token_score,
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "squeeze removes a single head",
            "for a pattern of one head, squeeze() also removes the axis of heads. Leave it out.",
            lambda p, period: duplicate_token_score(p, period).squeeze(),
        ),
        Mistake(
            "this is the induction score",
            "this is attention to the token after the copy, period - 1 back. The copy itself is period back.",
            induction_score,
        ),
        Mistake(
            "beginning-of-text counted",
            "leave out the first entry of the diagonal: it is attention to beginning-of-text.",
            _with_diagonal(lambda diagonal, period: diagonal.mean(-1)),
        ),
        Mistake(
            "off by one: before the copy",
            "this is attention to the token before the copy, period + 1 back. The copy itself is period back.",
            lambda p, period: p.diagonal(-period - 1, dim1=-2, dim2=-1).mean(-1),
        ),
        Mistake(
            "one entry too few",
            "query period + 1, the first of the second copy, has an earlier copy, too.",
            _with_diagonal(lambda diagonal, period: diagonal[..., 2:].mean(-1)),
        ),
        Mistake(
            "index of the diagonal taken for the query",
            "entry j of the diagonal belongs to query j + period. The second copy begins at entry 1.",
            _with_diagonal(lambda diagonal, period: diagonal[..., period:].mean(-1)),
        ),
        Mistake(
            "the token itself",
            "the main diagonal is attention to the query's own position.",
            lambda p, period: p.diagonal(dim1=-2, dim2=-1).mean(-1),
        ),
        Mistake(
            "attention to a later position",
            "all scores are 0, as attention to later positions is. The earlier copy lies below the main "
            "diagonal, with the query on axis -2: diagonal(-period, dim1=-2, dim2=-1).",
            lambda p, period: torch.zeros(len(p)),
        ),
        Mistake(
            "last query left out",
            "these are queries period to 2·period - 1. Position 0 is beginning-of-text, so leave out query "
            "`period`, the first entry of the diagonal, and keep the last.",
            _with_diagonal(lambda diagonal, period: diagonal[..., :-1].mean(-1)),
        ),
        Mistake(
            "divided by period + 1",
            "the second copy has `period` queries, so divide by `period`.",
            _with_diagonal(lambda diagonal, period: diagonal[..., 1:].sum(-1) / (period + 1)),
        ),
        Mistake(
            "divided by all queries",
            "divide by the number of queries of the second copy, not of all queries.",
            lambda p, period: p.diagonal(-period, dim1=-2, dim2=-1)[..., 1:].sum(-1) / p.shape[-1],
        ),
        Mistake(
            "summed",
            "this is the sum over the queries. Return the mean.",
            _with_diagonal(lambda diagonal, period: diagonal[..., 1:].sum(-1)),
        ),
        Mistake(
            "one mean over all heads",
            "every head has a score of its own. Take the mean over the last axis only.",
            lambda p, period: duplicate_token_score(p, period).mean(),
        ),
    ),
)
