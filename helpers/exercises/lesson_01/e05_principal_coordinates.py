"""Exercise 1.5: rows as points, their coordinates on principal components."""

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.principal import principal_coordinates


def _signed(coordinates):
    """The coordinates with the signs that the exercise asks for."""
    return coordinates * coordinates.gather(0, coordinates.abs().argmax(0, keepdim=True)).sign()


def _variant(fit=lambda x: x - x.mean(0), project=lambda x: x - x.mean(0), pick=lambda Vh, k: Vh[:k]):
    """The measure with other rows for the fit, other rows to project, or other directions."""

    def answer(vectors, k):
        directions = pick(torch.linalg.svd(fit(vectors), full_matrices=False).Vh, k)
        return _signed(project(vectors) @ directions.T)

    return answer


def _equals_eigenvectors(trial: Trial) -> None:
    """Oracle: eigenvectors of the covariance in double precision; sizes first, then signs."""
    for seed, (rows, d_model, k) in enumerate([(30, 7, 3), (50, 9, 2), (6, 11, 4), (25, 5, 1)]):
        noise = torch.randn(rows, d_model, generator=generator(seed))
        vectors = noise * torch.linspace(4, 0.3, d_model) + torch.linspace(-3, 5, d_model)
        for sign in (1, -1):
            expected = _expected(sign * vectors, k)
            arguments = (sign * vectors, k)
            trial.matches(arguments, expected.abs(), "row component", 1e-3, pick=torch.abs)
            _has_the_right_signs(trial.call(*arguments))
            trial.matches(arguments, expected, "row component", tolerance=1e-3)


def _has_the_right_signs(coordinates) -> None:
    extreme = coordinates.gather(0, coordinates.abs().argmax(0, keepdim=True))[0]
    if (extreme < 0).any():
        raise Wrong(
            "signs",
            "expected a positive number where a column's absolute value is largest, got "
            f"{extreme[extreme < 0][0]:.3f}. Multiply that column by -1.",
        )


def _expected(vectors, k):
    centred = vectors.double().numpy() - vectors.double().numpy().mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return _signed(torch.tensor(centred @ directions[:, ::-1][:, :k])).float()


EXERCISE = Exercise(
    id="1.5",
    title="rows as points",
    minutes=7,
    difficulty=2,
    hints=(
        "Centre the rows first. A coordinate is the dot product of a centred row with a principal direction.",
        "`torch.linalg.svd(X, full_matrices=False).Vh[:k]` holds the first k principal directions as rows, if X is centred.",
        "`coordinates.abs().argmax(dim=0)` finds the row that decides about the sign of each column.",
    ),
    reference=principal_coordinates,
    tests=(_equals_eigenvectors,),
    mistakes=(
        Mistake(
            "not centred",
            "subtract the mean of the rows: without that the first component is the mean itself.",
            _variant(fit=lambda x: x, project=lambda x: x),
        ),
        Mistake(
            "directions not centred",
            "subtract the mean before the SVD, too.",
            _variant(fit=lambda x: x),
        ),
        Mistake(
            "projected without centring",
            "the directions are right; project the centred rows on them.",
            _variant(project=lambda x: x),
        ),
        Mistake(
            "centred over the wrong axis",
            "this subtracts one number per row; subtract the mean row: dim=0.",
            _variant(*[lambda x: x - x.mean(1, keepdim=True)] * 2),
        ),
        Mistake(
            "standardised",
            "the columns were divided by their standard deviations; only centre them.",
            _variant(*[lambda x: (x - x.mean(0)) / x.std(0)] * 2),
        ),
        Mistake(
            "columns of unit length",
            "this is U, whose columns all have length 1. Multiply by the singular values, or project on Vh.",
            lambda vectors, k: torch.nn.functional.normalize(principal_coordinates(vectors, k), dim=0),
        ),
        Mistake(
            "unit variance",
            "these columns all have variance 1; do not divide by the standard deviation.",
            lambda vectors, k: (coordinates := principal_coordinates(vectors, k)) / coordinates.std(0),
        ),
        Mistake(
            "last components",
            "these are the components of least variance: Vh[:k] are the first.",
            _variant(pick=lambda Vh, k: Vh[-k:]),
        ),
        Mistake(
            "columns of Vh",
            "the directions are the rows of Vh: Vh[:k], not Vh[:, :k].",
            _variant(pick=lambda Vh, k: Vh[:, :k].T),
        ),
        Mistake(
            "ascending",
            "the component of most variance comes first.",
            lambda vectors, k: principal_coordinates(vectors, k).flip(1),
        ),
        Mistake(
            "absolute values",
            "a row has a negative coordinate where it lies on the other side of the mean.",
            lambda vectors, k: principal_coordinates(vectors, k).abs(),
        ),
    ),
)
