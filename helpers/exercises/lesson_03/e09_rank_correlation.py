"""Exercise 3.9: rank correlation."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.statistics import rank_correlation


def _equals_the_formula(trial: Trial) -> None:
    """Oracle: 1 - 6 Σ d² / (n (n² - 1)) with ranks from Python's sorted lists."""
    for seed, (n, slope) in enumerate([(7, 0.8), (12, -0.8), (20, 0.1), (9, -0.5), (5, -0.3)]):
        x = torch.randn(n, generator=generator(seed))
        y = (slope * x + 0.5 * torch.randn(n, generator=generator(seed + 9))).exp() ** 3
        ranks = [[sorted(values).index(value) for value in values] for values in (x.tolist(), y.tolist())]
        squares = sum((a - b) ** 2 for a, b in zip(*ranks))
        trial.matches((x, y), torch.tensor(1 - 6 * squares / (n * (n**2 - 1))).float(), "")


def _two_divisors(x, y):
    x, y = _ranks(x, y)
    return ((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std())


def _ranks(x, y):
    return torch.stack([x.argsort().argsort().float(), y.argsort().argsort().float()])


def _correlation(x, y):
    """Correlation of the values themselves."""
    return torch.corrcoef(torch.stack([x, y]))[0, 1]


EXERCISE = Exercise(
    id="3.9",
    title="rank correlation",
    minutes=4,
    difficulty=1,
    hints=(
        "The rank of a value is its place in the sorted list, or the number of smaller values.",
        "`x.argsort()` lists positions: which value stands first in sorted order, which second. "
        "What is the `argsort` of that list?",
        "The ordinary correlation is the covariance divided by both standard deviations; `torch.corrcoef` has it.",
    ),
    reference=rank_correlation,
    tests=(_equals_the_formula,),
    mistakes=(
        Mistake(
            "correlation of the values",
            "correlate the ranks. One extreme value could decide the correlation of the values.",
            _correlation,
        ),
        Mistake(
            "argsort once",
            "`argsort` says which value stands at a rank. Apply it twice for the rank of each value.",
            lambda x, y: _correlation(x.argsort().float(), y.argsort().float()),
        ),
        *(
            Mistake("one side ranked", "rank both: here the values of one side are correlated.", answer)
            for answer in (
                lambda x, y: torch.corrcoef(torch.stack([_ranks(x, y)[0], y]))[0, 1],
                lambda x, y: torch.corrcoef(torch.stack([x, _ranks(x, y)[1]]))[0, 1],
            )
        ),
        Mistake(
            "sorted values",
            "keep the order of the items. Both were sorted separately, so the pairs are lost.",
            lambda x, y: _correlation(x.sort().values, y.sort().values),
        ),
        Mistake(
            "a matrix",
            "`torch.corrcoef` returns a matrix. Its entry [0, 1] is the correlation.",
            lambda x, y: torch.corrcoef(_ranks(x, y)),
        ),
        Mistake(
            "a row of the matrix",
            "this is a row of the matrix of `torch.corrcoef`. Its entry [0, 1] is the correlation.",
            lambda x, y: torch.corrcoef(_ranks(x, y))[0],
        ),
        Mistake(
            "two divisors",
            "the covariance is divided by n, the variances by n - 1 (torch's default). Use one divisor.",
            _two_divisors,
        ),
        Mistake(
            "covariance",
            "this is the covariance of the ranks. Divide by both standard deviations.",
            lambda x, y: torch.cov(_ranks(x, y))[0, 1],
        ),
    ),
)
