"""Exercise 1.4: the fit of some vectors' principal directions to other vectors."""

from functools import partial

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import held_out_fraction


def _variant(
    fitted,
    held_out,
    k,
    fit_is_centred=True,
    centre="fitted",
    pick=lambda Vh, k: Vh[:k],
    ratio=lambda along, total: along.sum() / total.sum(),
):
    """The measure with another centring, other directions or another ratio of the rows' squares."""
    mean = fitted.mean(dim=0)
    directions = pick(torch.linalg.svd(fitted - mean * fit_is_centred, full_matrices=False).Vh, k)
    centred = held_out - {"fitted": mean, "own": held_out.mean(dim=0), "none": 0 * mean}[centre]
    return ratio((centred @ directions.T).square().sum(-1), centred.square().sum(-1))


def _equals_numpy(trial: Trial) -> None:
    """Oracle: the residual of a projection on eigenvectors of the covariance, in numpy."""
    for seed, (rows, held_out_rows, d_model, k) in enumerate(
        [(40, 25, 7, 2), (60, 30, 9, 4), (6, 5, 11, 3), (30, 1, 5, 1)]
    ):
        scales = torch.linspace(3, 0.3, d_model)
        fitted = torch.randn(rows, d_model, generator=generator(seed)) * scales + 2
        noise = torch.randn(held_out_rows, d_model, generator=generator(seed + 50))
        held_out = noise * scales.flip(0).sqrt() + 3
        _, vectors = np.linalg.eigh(np.cov(fitted.double().numpy(), rowvar=False))
        top = vectors[:, ::-1][:, :k]
        centred = held_out.double().numpy() - fitted.double().numpy().mean(0)
        remainder = centred - centred @ top @ top.T
        expected = torch.tensor(1 - (remainder**2).sum() / (centred**2).sum()).float()
        trial.matches((fitted, held_out, k), expected, "", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.4",
    title="a held-out fit",
    minutes=8,
    difficulty=2,
    hints=(
        "Mean and directions come from `fitted` alone; nothing of `held_out` may decide about them.",
        "`torch.linalg.svd(X, full_matrices=False)` returns U, S and Vh. If the rows of X are centred, the rows of "
        "Vh are their principal directions, the one with the most variance first.",
        "The directions are orthonormal. So the squared length of a vector's projection is the sum of its squared "
        "dot products with them.",
    ),
    reference=held_out_fraction,
    tests=(_equals_numpy,),
    mistakes=(
        Mistake(
            "fitted on the held-out vectors",
            "mean and directions come from `held_out` itself, so nothing is held out.",
            lambda fitted, held_out, k: held_out_fraction(held_out, held_out, k),
        ),
        Mistake(
            "fraction of the fitted vectors",
            "this is the fraction of `fitted`; measure that of `held_out`.",
            lambda fitted, held_out, k: held_out_fraction(fitted, fitted, k),
        ),
        Mistake(
            "fitted and held_out swapped",
            "mean and directions come from `held_out`, the fraction is that of `fitted`: swap the two.",
            lambda fitted, held_out, k: held_out_fraction(held_out, fitted, k),
        ),
        Mistake(
            "directions not centred",
            "subtract the mean before the SVD: without that the first direction is the mean itself.",
            partial(_variant, fit_is_centred=False),
        ),
        Mistake(
            "held-out vectors centred by their own mean",
            "centre `held_out` by the mean of `fitted`, and sum squares: "
            "`.var` centres once more by the mean of `held_out`.",
            partial(_variant, centre="own"),
        ),
        Mistake(
            "held-out vectors not centred",
            "centre `held_out` by the mean of `fitted`.",
            partial(_variant, centre="none"),
        ),
        Mistake(
            "nothing centred",
            "subtract the mean of `fitted` from both, before the SVD and before the projection.",
            partial(_variant, fit_is_centred=False, centre="none"),
        ),
        Mistake(
            "sum, not fraction",
            "these are the summed squares; divide by those of the centred `held_out`.",
            partial(_variant, ratio=lambda along, total: along.sum()),
        ),
        Mistake(
            "means, not sums",
            "these are means of squares over k and over d_model columns; take the sums.",
            lambda fitted, held_out, k: held_out_fraction(fitted, held_out, k) * fitted.shape[1] / k,
        ),
        Mistake(
            "what is left over",
            "this is the fraction that the directions do not hold.",
            lambda fitted, held_out, k: 1 - held_out_fraction(fitted, held_out, k),
        ),
        Mistake(
            "last directions",
            "these are the directions of least variance: Vh[:k] are the first.",
            partial(_variant, pick=lambda Vh, k: Vh[-k:]),
        ),
        Mistake(
            "columns of Vh",
            "torch.linalg.svd returns Vh, whose rows are the directions: Vh[:k]. (torch.svd returns V, whose columns are: V[:, :k].)",
            partial(_variant, pick=lambda Vh, k: Vh[:, :k].T),
        ),
        Mistake(
            "mean of the rows' fractions",
            "this is the mean of one fraction per row; sum the squares over all rows, then divide once.",
            partial(_variant, ratio=lambda along, total: (along / total).mean()),
        ),
        Mistake(
            "root of the fraction",
            "this is a ratio of lengths; sum squared lengths.",
            lambda fitted, held_out, k: held_out_fraction(fitted, held_out, k).sqrt(),
        ),
    ),
)
