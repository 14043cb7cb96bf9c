"""Exercise 3.9: rank correlation."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.statistics import rank_correlation


def _plain_correlation(x, y):
    return torch.corrcoef(torch.stack([x, y]))[0, 1]


def _equals_the_formula(trial: Trial) -> None:
    """Oracle: 1 - 6 Σ d² / (n (n² - 1)) with places in Python's sorted lists; and monotone maps change nothing."""
    for seed, n in enumerate([7, 12, 20]):
        x = torch.randn(n, generator=generator(seed))
        y = (0.8 * x + 0.5 * torch.randn(n, generator=generator(seed + 9))).exp() ** 3
        places = [[sorted(values).index(value) for value in values] for values in (x.tolist(), y.tolist())]
        squares = sum((a - b) ** 2 for a, b in zip(*places))
        trial.matches((x, y), torch.tensor(1 - 6 * squares / (n * (n**2 - 1))).float(), "")


EXERCISE = Exercise(
    id="3.9",
    title="rank correlation",
    minutes=4,
    difficulty=1,
    hints=(
        "values.argsort().argsort() gives each value's place.",
        "The ordinary correlation of the places: torch.corrcoef(torch.stack([…]))[0, 1].",
    ),
    reference=rank_correlation,
    tests=(_equals_the_formula,),
    mistakes=(
        Mistake(
            "correlation of the values",
            "one extreme value would decide it: correlate the ranks.",
            _plain_correlation,
        ),
        Mistake(
            "argsort once",
            "argsort gives which value stands at a place; sort again for the place of a value.",
            lambda x, y: _plain_correlation(x.argsort().float(), y.argsort().float()),
        ),
        Mistake(
            "sign turned",
            "one of the two is ranked from the other end.",
            lambda x, y: -rank_correlation(x, y),
        ),
        Mistake(
            "sorted values",
            "both are sorted on their own, so the pairs are lost.",
            lambda x, y: _plain_correlation(x.sort().values, y.sort().values),
        ),
        Mistake(
            "a matrix",
            "torch.corrcoef returns a matrix; its entry [0, 1] is the correlation.",
            lambda x, y: torch.corrcoef(
                torch.stack([x.argsort().argsort().float(), y.argsort().argsort().float()])
            ),
        ),
        Mistake(
            "covariance",
            "this is the covariance of the ranks; divide by both standard deviations.",
            lambda x, y: torch.cov(
                torch.stack([x.argsort().argsort().float(), y.argsort().argsort().float()])
            )[0, 1],
        ),
    ),
)
