"""Exercise 3.9: rank correlation."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.statistics import rank_correlation


def _equals_the_formula(trial: Trial) -> None:
    """Oracle: 1 - 6 Σ d² / (n (n² - 1)) with ranks from Python's sorted lists."""
    for seed, n in enumerate([7, 12, 20]):
        x = torch.randn(n, generator=generator(seed))
        y = (0.8 * x + 0.5 * torch.randn(n, generator=generator(seed + 9))).exp() ** 3
        ranks = [[sorted(values).index(value) for value in values] for values in (x.tolist(), y.tolist())]
        squares = sum((a - b) ** 2 for a, b in zip(*ranks))
        trial.matches((x, y), torch.tensor(1 - 6 * squares / (n * (n**2 - 1))).float(), "")


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
        "The rank of a value is its place in the sorted list: `x.argsort().argsort()` for x, the same for y.",
        "Turn the ranks into floats and `torch.stack` them. "
        "`torch.corrcoef` of that is a matrix: which entry is the correlation of the two?",
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
        Mistake(
            "sign turned",
            "rank both in the same direction. One of them is ranked from the other end.",
            lambda x, y: -rank_correlation(x, y),
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
            "covariance",
            "this is the covariance of the ranks. Divide by both standard deviations.",
            lambda x, y: torch.cov(_ranks(x, y))[0, 1],
        ),
    ),
)
