"""Exercise 1.2: the eigenspectrum of a matrix of vectors."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import spectrum


def _singular_values(vectors, centre_axis=0):
    return torch.linalg.svdvals(vectors - vectors.mean(dim=centre_axis, keepdim=True))


def _equals_numpy(trial: Trial) -> None:
    """Oracle: numpy's covariance and its eigenvalues; more, as many and fewer rows than columns."""
    for seed, (rows, d_model) in enumerate([(30, 6), (7, 7), (5, 8)]):
        scales = torch.arange(1, d_model + 1) + 3.0
        vectors = torch.randn(rows, d_model, generator=generator(seed)) * scales + 2 * scales
        expected = np.linalg.eigvalsh(np.cov(vectors.double().numpy(), rowvar=False))[::-1].copy()
        padded = partial(_with_zeros, shape=vectors.shape)
        trial.matches(
            (vectors,), torch.tensor(expected.clip(0)).float(), "direction", tolerance=1e-3, pick=padded
        )


def _with_zeros(output, shape: tuple[int, int]):
    """Return a spectrum with the zeros that it may leave out: one entry for every column."""
    least = min(shape[0] - 1, shape[1])
    if isinstance(output, Tensor) and output.ndim == 1 and least <= len(output) < shape[1]:
        return torch.cat([output, output.new_zeros(shape[1] - len(output))])
    return output


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
    tests=(_equals_numpy,),
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
            "the largest comes first. (torch.linalg.eigvalsh sorts the other way.)",
            lambda vectors: spectrum(vectors).flip(0),
        ),
        Mistake(
            "centred over the wrong axis",
            "the mean is over the rows, dim=0; each column of the result then has mean 0.",
            lambda vectors: _singular_values(vectors, centre_axis=1) ** 2 / (len(vectors) - 1),
        ),
        Mistake(
            "standardised",
            "the columns are divided by their standard deviations; only subtract the mean of the rows.",
            lambda vectors: spectrum(vectors / vectors.std(dim=0)),
        ),
        Mistake(
            "centred by one number",
            "the mean of all entries is subtracted; subtract the mean of the rows, one number per column.",
            lambda vectors: torch.linalg.svdvals(vectors - vectors.mean()) ** 2 / (len(vectors) - 1),
        ),
        *(
            Mistake(
                "variances of the columns",
                "these are the variances along the axes; those along the principal directions are asked for.",
                answer,
            )
            for answer in (
                lambda vectors: vectors.var(dim=0),
                lambda vectors: vectors.var(dim=0).sort(descending=True).values,
            )
        ),
        Mistake(
            "fractions, not variances",
            "these are fractions that sum to 1; the variances themselves are asked for.",
            lambda vectors: spectrum(vectors) / spectrum(vectors).sum(),
        ),
    ),
)
