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


def _offset_by_one(pattern, period):
    previous = pattern.diagonal(-1, dim1=-2, dim2=-1).mean(dim=-1)
    return torch.stack([previous, pattern.diagonal(-period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)])


def _with_induction(induction):
    """The reference with the second score by ``induction(pattern, period)``."""
    return lambda pattern, period: torch.stack(
        [detector_scores(pattern, period)[0], induction(pattern, period)]
    )


def _equals_loops(trial: Trial) -> None:
    """Oracle: sums over queries, one by one, on patterns with a stripe that is not constant."""
    for period in (4, 3):
        n = 2 * period + 1
        pattern = torch.rand(3, n, n, generator=generator(period)).tril()
        pattern = pattern / pattern.sum(dim=-1, keepdim=True)
        expected = torch.zeros(2, 3)
        for i in range(1, n):
            expected[0] += pattern[:, i, i - 1] / (n - 1)
        for i in range(period + 1, n):  # the second copy
            expected[1] += pattern[:, i, i - period + 1] / period
        trial.matches((pattern, period), expected, "score head")


EXERCISE = Exercise(
    id="4.3",
    title="previous-token and induction scores",
    minutes=7,
    difficulty=2,
    hints=(
        "pattern.diagonal(-k, dim1=-2, dim2=-1) holds the attention from each query to the position k before it.",
        "The query's own token stands `period` back; the token after that one stands period - 1 back.",
        "Only queries of the second copy count: i ≥ period + 1. Which entries of that diagonal belong to earlier queries?",
    ),
    reference=detector_scores,
    solution_parts=(previous_token_score, induction_score),
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "off by one: the duplicate token",
            "this is the diagonal of the earlier copy itself; an induction head looks at the token after it, period - 1 back.",
            _offset_by_one,
        ),
        Mistake(
            "off by one: before the copy",
            "this looks period + 1 back, at the token before the copy; the token after it stands period - 1 back.",
            _with_induction(lambda p, n: p.diagonal(-n - 1, dim1=-2, dim2=-1).mean(-1)),
        ),
        Mistake(
            "off by one: two after the copy",
            "this looks period - 2 back; the token after the copy stands period - 1 back.",
            _with_induction(lambda p, n: p.diagonal(2 - n, dim1=-2, dim2=-1)[..., 3:].mean(-1)),
        ),
        Mistake(
            "first copy counted",
            "the diagonal also holds queries of the first copy, which have no earlier copy: leave out its first two entries.",
            _with_induction(lambda p, n: p.diagonal(1 - n, dim1=-2, dim2=-1).mean(-1)),
        ),
        Mistake(
            "last query of the first copy counted",
            "query `period` still belongs to the first copy; the second one begins at period + 1.",
            _with_induction(lambda p, n: p.diagonal(1 - n, dim1=-2, dim2=-1)[..., 1:].mean(-1)),
        ),
        Mistake(
            "index of the diagonal taken for the query",
            "entry j of the diagonal belongs to query j + period - 1: the second copy begins at entry 2.",
            _with_induction(lambda p, n: p.diagonal(1 - n, dim1=-2, dim2=-1)[..., n:].mean(-1)),
        ),
        Mistake(
            "diagonal indexed by query",
            "entry 0 of this diagonal belongs to query period - 1: the second copy starts at entry 2.",
            _with_induction(lambda p, n: p.diagonal(1 - n, dim1=-2, dim2=-1)[..., n + 1 :].mean(-1)),
        ),
        Mistake(
            "divided by all queries",
            "the mean is over the queries of the second copy only.",
            _with_induction(lambda p, n: p.diagonal(1 - n, dim1=-2, dim2=-1)[..., 2:].sum(-1) / p.shape[-1]),
        ),
        Mistake(
            "above the diagonal",
            "your induction scores are all zero: not written yet, or read above the diagonal, where keys are masked; offsets below it are negative.",
            _with_induction(lambda p, n: p.diagonal(n - 1, dim1=-2, dim2=-1).mean(-1)),
        ),
        Mistake(
            "scores swapped",
            "the first row is the previous-token score, the second the induction score.",
            lambda p, n: detector_scores(p, n).flip(0),
        ),
        Mistake(
            "heads first",
            "expected [score, head]; the two are swapped.",
            lambda p, n: detector_scores(p, n).T,
        ),
        Mistake(
            "one mean over all heads",
            "every head has scores of its own: mean over the last axis only.",
            lambda p, n: detector_scores(p, n).mean(-1),
        ),
    ),
)
