"""Exercise 1.3: how many directions a spectrum takes."""

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.residual import dimensions


def _one_too_many(spectrum, share=0.8):
    held = spectrum.cumsum(dim=0) / spectrum.sum()
    ratio = spectrum.sum() ** 2 / (spectrum**2).sum()
    return int((held <= share).sum()) + 1, ratio.item()


def _one_too_few(spectrum, share=0.8):
    held = spectrum.cumsum(dim=0) / spectrum.sum()
    ratio = spectrum.sum() ** 2 / (spectrum**2).sum()
    return int((held < share).sum()), ratio.item()


def _other_dimensions(spectrum, share=0.8):
    """The same with λ² in place of λ."""
    return dimensions(spectrum**2, share)


def _as_tensor(output) -> Tensor:
    """The two numbers as a tensor, whatever kind of number they are."""
    if not (isinstance(output, tuple | list) and len(output) == 2):
        raise Wrong("wrong type", f"expected two numbers, (directions, ratio), got {type(output).__name__}.")
    return torch.tensor([float(output[0]), float(output[1])])


def _known_spectra(trial: Trial) -> None:
    """Spectra whose two numbers are plain: equal ones, a single one, and a loop over a geometric series."""
    geometric = 0.5 ** torch.arange(12.0)
    count, held = 0, 0.0
    while held < 0.8 * geometric.sum():
        held += geometric[count]
        count += 1
    ratio = 3 * (1 - 0.5**12) / (1 + 0.5**12)
    cases = [
        ((geometric, 0.8), [count, ratio]),
        ((torch.ones(10) / 3, 0.75), [8, 10]),
        ((torch.tensor([5.0, 0, 0]), 0.8), [1, 1]),
        ((geometric, 0.99), [7, ratio]),
        ((torch.tensor([4.0, 4.0, 1.0, 1.0]), 0.8), [2, 50 / 17]),
    ]
    for arguments, expected in cases:
        trial.matches(arguments, torch.tensor(expected).float(), "number", tolerance=1e-3, pick=_as_tensor)


EXERCISE = Exercise(
    id="1.3",
    title="how many directions it takes",
    minutes=6,
    difficulty=1,
    hints=(
        "spectrum.cumsum(0) / spectrum.sum() is the share that the first 1, 2, 3, … directions hold.",
        "Count the directions whose cumulative share is still below the goal; the answer is one more.",
        "The participation ratio is (Σ λ)² / Σ λ².",
    ),
    reference=dimensions,
    tests=(_known_spectra,),
    mistakes=(
        Mistake(
            "one too many",
            "where the first directions hold the share exactly, they are enough: count with <, not <=.",
            _one_too_many,
        ),
        Mistake(
            "one too few", "these directions hold less than the share; one more is needed.", _one_too_few
        ),
        Mistake(
            "squared twice",
            "the spectrum holds variances already; do not square it again.",
            _other_dimensions,
        ),
        Mistake(
            "ratio upside down",
            "the participation ratio is (Σ λ)² / Σ λ², not its inverse.",
            lambda spectrum, share=0.8: (
                dimensions(spectrum, share)[0],
                1 / dimensions(spectrum, share)[1],
            ),
        ),
        Mistake(
            "smallest directions first",
            "the directions with the most variance come first.",
            lambda spectrum, share=0.8: dimensions(spectrum.flip(0), share),
        ),
        Mistake(
            "share of the directions",
            "this is a share of the number of directions; a share of the variance is asked for.",
            lambda spectrum, share=0.8: (round(share * len(spectrum)), dimensions(spectrum, share)[1]),
        ),
        Mistake(
            "ratio without the square",
            "the sum in the numerator is squared: (Σ λ)².",
            lambda spectrum, share=0.8: (
                dimensions(spectrum, share)[0],
                (spectrum.sum() / (spectrum**2).sum()).item(),
            ),
        ),
    ),
)
