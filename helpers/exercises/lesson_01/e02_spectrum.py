"""Exercise 1.2: the eigenspectrum of a matrix of vectors."""

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import spectrum


def _singular_values(vectors, centre_axis=0):
    return torch.linalg.svdvals(vectors - vectors.mean(dim=centre_axis, keepdim=True))


def _equals_numpy(trial: Trial) -> None:
    """Oracle: numpy's covariance and its eigenvalues."""
    for seed, (rows, d_model) in enumerate([(30, 6), (50, 9)]):
        scales = torch.arange(1, d_model + 1) + 3.0
        vectors = torch.randn(rows, d_model, generator=generator(seed)) * scales + 2 * scales
        expected = np.linalg.eigvalsh(np.cov(vectors.double().numpy(), rowvar=False))[::-1].copy()
        trial.matches((vectors,), torch.tensor(expected).float(), "direction", tolerance=1e-3)


def _total_and_rotation(trial: Trial) -> None:
    """The sum is the total variance, and a rotation changes nothing."""
    vectors = torch.randn(40, 5, generator=generator(7)) + 1
    R = torch.linalg.qr(torch.randn(5, 5, generator=generator(8))).Q
    original, rotated = trial.call(vectors), trial.call(vectors @ R)
    if not torch.allclose(original.sum(), vectors.var(dim=0).sum(), atol=1e-3):
        raise Wrong("wrong total", "the spectrum does not sum to the total variance.")
    if not torch.allclose(original, rotated, atol=1e-3):
        raise Wrong("depends on the basis", "a rotation of the vectors changed the spectrum.")


EXERCISE = Exercise(
    id="1.2",
    title="the eigenspectrum of a matrix",
    minutes=8,
    difficulty=2,
    hints=(
        "Variance is about the mean: subtract the mean of the rows first.",
        "The eigenvalues of the covariance are the squared singular values of the centred matrix, divided by rows - 1.",
        "`torch.linalg.svdvals` returns the singular values in descending order.",
    ),
    reference=spectrum,
    tests=(_equals_numpy, _total_and_rotation),
    mistakes=(
        Mistake(
            "not centred",
            "subtract the mean of the rows first.",
            lambda vectors: torch.linalg.svdvals(vectors) ** 2 / (len(vectors) - 1),
        ),
        Mistake(
            "singular values, not variances",
            "square the singular values and divide by rows - 1.",
            _singular_values,
        ),
        Mistake(
            "sums, not variances",
            "the squares are not divided by rows - 1.",
            lambda vectors: _singular_values(vectors) ** 2,
        ),
        Mistake(
            "divisor is rows",
            "the divisor is rows - 1 here, as in torch.var and torch.cov.",
            lambda vectors: _singular_values(vectors) ** 2 / len(vectors),
        ),
        Mistake(
            "ascending",
            "the largest comes first: torch.linalg.eigvalsh sorts the other way, so flip its result.",
            lambda vectors: spectrum(vectors).flip(0),
        ),
        Mistake(
            "centred over the wrong axis",
            "the mean is over the rows, dim=0; each column of the result then has mean 0.",
            lambda vectors: _singular_values(vectors, centre_axis=1) ** 2 / (len(vectors) - 1),
        ),
        Mistake(
            "shares, not variances",
            "these are fractions that sum to 1; the variances themselves are asked for.",
            lambda vectors: spectrum(vectors) / spectrum(vectors).sum(),
        ),
    ),
)
