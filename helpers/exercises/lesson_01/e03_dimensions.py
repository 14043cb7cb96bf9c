"""Exercise 1.3: the number of directions that a spectrum takes."""

import math

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.residual import dimensions


def _variant(count=None, ratio=None):
    """The reference with another number of directions or another participation ratio."""

    def answer(spectrum, fraction=0.8):
        right_count, right_ratio = dimensions(spectrum, fraction)
        return (
            count(spectrum, fraction) if count else right_count,
            ratio(spectrum) if ratio else right_ratio,
        )

    return answer


def _held(spectrum):
    return spectrum.cumsum(dim=0) / spectrum.sum()


def _known_spectra(trial: Trial) -> None:
    """Spectra of known dimension: a geometric and an arithmetic series, equal values, a single one.

    Their sums and fractions differ, so that every mistake gives a count of its own.
    """
    geometric, ratio = 0.6 * 0.5 ** torch.arange(12.0), 3 * (1 - 0.5**12) / (1 + 0.5**12)
    falling = torch.arange(9.0, 0, -1) / 20  # sums of it: 9, 17, 24, 30, 35, 39, 42, 44, 45 twentieths
    cases = [
        ((geometric, 0.8), [3, ratio]),
        ((geometric, 0.99), [7, ratio]),
        ((geometric,), [3, ratio]),
        ((torch.ones(10) / 3, 0.75), [8, 10]),
        ((falling, 0.55), [4, 45**2 / 285]),
        ((falling, 0.3), [2, 45**2 / 285]),
        ((3 * falling, 0.91), [7, 45**2 / 285]),
        ((torch.tensor([5.0, 4, 3, 2, 1]) / 9, 0.7), [3, 45 / 11]),
        ((torch.tensor([0.3, 0, 0]), 0.8), [1, 1]),
        ((torch.tensor([3.0]), 0.4), [1, 1]),
        ((torch.tensor([1, 0.5, 0.25, 0.25]), 0.75), [2, 32 / 11]),  # held exactly, without rounding
        ((torch.ones(400), 0.9012), [361, 400]),
    ]
    for arguments, expected in cases:
        trial.matches(arguments, torch.tensor(expected).float(), "number", tolerance=1e-3, pick=_as_tensor)


def _as_tensor(output) -> Tensor:
    """Return the two numbers as a tensor."""
    if not (isinstance(output, tuple) and len(output) == 2):
        raise Wrong("wrong type", f"expected two numbers, (directions, ratio), got {type(output).__name__}.")
    kinds = [type(number).__name__ for number in output]
    if not all(isinstance(number, int | float) for number in output):
        raise Wrong("wrong type", f"expected two numbers, (directions, ratio), got ({', '.join(kinds)}).")
    return torch.tensor([float(number) for number in output])


EXERCISE = Exercise(
    id="1.3",
    title="how many directions it takes",
    minutes=6,
    difficulty=1,
    hints=(
        "`spectrum.cumsum(0) / spectrum.sum()` is the fraction that the first 1, 2, 3, … directions hold.",
        "Count the directions whose cumulative fraction is still below `fraction`; the answer is one more.",
        "The participation ratio is (Σ λ)² / Σ λ².",
    ),
    reference=dimensions,
    tests=(_known_spectra,),
    mistakes=(
        Mistake(
            "one too many",
            "if the first directions hold the fraction exactly, they are enough: count with <, not <=.",
            _variant(count=lambda spectrum, fraction: int((_held(spectrum) <= fraction).sum()) + 1),
        ),
        Mistake(
            "one too many",
            "one direction less holds the fraction already.",
            _variant(count=lambda spectrum, fraction: int((_held(spectrum) < fraction).sum()) + 2),
        ),
        Mistake(
            "one too few",
            "these directions hold less than the fraction; one more is needed.",
            _variant(count=lambda spectrum, fraction: int((_held(spectrum) < fraction).sum())),
        ),
        Mistake(
            "cumulative sum not divided",
            "the cumulative sum is compared with the fraction; divide it by the total variance first.",
            _variant(count=lambda spectrum, fraction: int((spectrum.cumsum(0) < fraction).sum()) + 1),
        ),
        *(
            Mistake(
                "squared twice",
                "the spectrum holds variances already; do not square it again.",
                answer,
            )
            for answer in (
                lambda spectrum, fraction=0.8: dimensions(spectrum**2, fraction),
                _variant(count=lambda spectrum, fraction: dimensions(spectrum**2, fraction)[0]),
                _variant(ratio=lambda spectrum: dimensions(spectrum**2)[1]),
            )
        ),
        Mistake(
            "ratio upside down",
            "the participation ratio is (Σ λ)² / Σ λ², not its inverse.",
            _variant(ratio=lambda spectrum: 1 / dimensions(spectrum)[1]),
        ),
        Mistake(
            "ratio divided by the number",
            "the participation ratio is divided by the number of directions; (Σ λ)² / Σ λ² holds sums, not means.",
            _variant(ratio=lambda spectrum: dimensions(spectrum)[1] / len(spectrum)),
        ),
        Mistake(
            "fraction ignored",
            "your function takes 0.8 in every call; use the argument.",
            lambda spectrum, fraction=0.8: dimensions(spectrum, 0.8),
        ),
        Mistake(
            "another default",
            "the answer is right where fraction is passed; its default is 0.8.",
            lambda spectrum, fraction=0.9: dimensions(spectrum, fraction),
        ),
        Mistake(
            "smallest directions first",
            "the directions with the most variance come first.",
            lambda spectrum, fraction=0.8: dimensions(spectrum.flip(0), fraction),
        ),
        *(
            Mistake(
                "fraction of the directions",
                "this is a fraction of the number of directions; a fraction of the variance is asked for.",
                _variant(count=lambda spectrum, fraction, whole=whole: whole(fraction * len(spectrum))),
            )
            for whole in (round, math.ceil, int)
        ),
        Mistake(
            "ratio without the square",
            "the sum in the numerator is squared: (Σ λ)².",
            _variant(ratio=lambda spectrum: (spectrum.sum() / (spectrum**2).sum()).item()),
        ),
    ),
)
