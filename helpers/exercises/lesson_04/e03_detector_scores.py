"""Exercise 4.3: previous-token and induction scores."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import induction_score, previous_token_score


def detector_scores(pattern: Float[Tensor, "head query key"], period: int) -> Float[Tensor, "score head"]:
    """Previous-token and induction score of every head."""
    return torch.stack([previous_token_score(pattern), induction_score(pattern, period)])


def _equals_loops(trial: Trial) -> None:
    """Oracle: sums over single queries, on patterns whose stripe is not constant."""
    for period, heads in [(6, 4), (3, 5), (4, 1)]:
        n = 2 * period + 1
        pattern = torch.rand(heads, n, n, generator=generator(period)).tril()
        pattern = pattern / pattern.sum(dim=-1, keepdim=True)
        expected = torch.zeros(2, heads)
        for i in range(1, n):
            expected[0] += pattern[:, i, i - 1] / (n - 1)
        for i in range(period + 1, n):  # the second copy
            expected[1] += pattern[:, i, i - period + 1] / period
        trial.matches((pattern, period), expected, "score head")


def _with_previous(score):
    """The reference with another previous-token score: ``score(pattern)``."""
    return lambda pattern, period: torch.stack([score(pattern), induction_score(pattern, period)])


def _with_induction(score):
    """The reference with another induction score: ``score(pattern, period)``."""
    return lambda pattern, period: torch.stack([previous_token_score(pattern), score(pattern, period)])


def _back(pattern, distance):
    """Attention of each query to the position ``distance`` before it."""
    return pattern.diagonal(-distance, dim1=-2, dim2=-1)


EXERCISE = Exercise(
    id="4.3",
    title="previous-token and induction scores",
    minutes=7,
    difficulty=2,
    hints=(
        "`pattern.diagonal(-k, dim1=-2, dim2=-1)` holds the attention of each query to the position k before it.",
        "The earlier copy of the query's token stands `period` back. "
        "The token after that copy stands `period - 1` back.",
        "Position 0 is beginning-of-text, so the second copy begins at query `period + 1`. "
        "How many entries of that diagonal belong to earlier queries? Leave them out of the mean.",
    ),
    reference=detector_scores,
    solution_parts=(previous_token_score, induction_score),
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "squeeze removes a single head",
            "for a pattern of one head, squeeze() also removes the axis of heads. Leave it out.",
            lambda p, period: detector_scores(p, period).squeeze(),
        ),
        Mistake(
            "first query counted",
            "position 0 has no previous position (an index of -1 is the last). "
            "Take the mean over the other n - 1 queries.",
            _with_previous(lambda p: _back(p, 1).sum(-1) / p.shape[-1]),
        ),
        Mistake(
            "second query left out",
            "entry 0 of the diagonal belongs to query 1, which attends to position 0. Keep it in the mean.",
            _with_previous(lambda p: _back(p, 1)[..., 1:].mean(-1)),
        ),
        Mistake(
            "current token",
            "the first row is attention to the query's own position. The previous token stands 1 back.",
            _with_previous(lambda p: _back(p, 0).mean(-1)),
        ),
        Mistake(
            "off by one: the duplicate token",
            "this is attention to the earlier copy itself, period back. "
            "An induction head attends to the token after it, period - 1 back.",
            _with_induction(lambda p, period: _back(p, period)[..., 1:].mean(-1)),
        ),
        Mistake(
            "off by one: before the copy",
            "this is attention to the token before the earlier copy, period + 1 back. "
            "The token after the copy stands period - 1 back.",
            _with_induction(lambda p, period: _back(p, period + 1).mean(-1)),
        ),
        Mistake(
            "off by one: two after the copy",
            "this is attention to the position period - 2 back. "
            "The token after the copy stands period - 1 back.",
            _with_induction(lambda p, period: _back(p, period - 2)[..., 3:].mean(-1)),
        ),
        Mistake(
            "first copy counted",
            "leave out the first two entries of the diagonal. "
            "They belong to queries of the first copy, which have no earlier copy.",
            _with_induction(lambda p, period: _back(p, period - 1).mean(-1)),
        ),
        Mistake(
            "last query of the first copy counted",
            "query `period` still belongs to the first copy. The second copy begins at query period + 1.",
            _with_induction(lambda p, period: _back(p, period - 1)[..., 1:].mean(-1)),
        ),
        *(
            Mistake(
                "index of the diagonal taken for the query",
                "entry j of the diagonal belongs to query j + period - 1. The second copy begins at entry 2.",
                _with_induction(
                    lambda p, period, more=more: _back(p, period - 1)[..., period + more :].mean(-1)
                ),
            )
            for more in (0, 1)
        ),
        Mistake(
            "divided by all queries",
            "divide by the number of queries of the second copy, not of all queries.",
            _with_induction(lambda p, period: _back(p, period - 1)[..., 2:].sum(-1) / p.shape[-1]),
        ),
        Mistake(
            "summed",
            "the induction scores are sums over the queries. Return means.",
            _with_induction(lambda p, period: _back(p, period - 1)[..., 2:].sum(-1)),
        ),
        Mistake(
            "above the diagonal",
            "all your induction scores are zero. They may be not written yet, or read above the diagonal, "
            "where keys are masked: offsets below it are negative.",
            _with_induction(lambda p, period: _back(p, 1 - period).mean(-1)),
        ),
        Mistake(
            "scores swapped",
            "the first row is the previous-token score, the second row the induction score.",
            lambda p, period: detector_scores(p, period).flip(0),
        ),
        Mistake(
            "heads first",
            "expected [score, head], got [head, score]. Swap the two axes.",
            lambda p, period: detector_scores(p, period).T,
        ),
        Mistake(
            "one mean over all heads",
            "every head has scores of its own. Take the mean over the last axis only.",
            lambda p, period: detector_scores(p, period).mean(-1),
        ),
    ),
)
