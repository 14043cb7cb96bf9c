"""Exercise 1.4: whether principal directions of some activations describe others."""

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import held_out_fraction


def _fitted_on_itself(fitted, other, k):
    mean = other.mean(dim=0)
    directions = torch.linalg.svd(other - mean, full_matrices=False).Vh[:k]
    centred = other - mean
    return (centred @ directions.T).square().sum() / centred.square().sum()


def _with_directions(fitted, other, k, centre_fit=True, centre_other="fitted", rows=slice(None)):
    """The measure with another centring or other directions."""
    mean = fitted.mean(dim=0)
    directions = torch.linalg.svd(fitted - mean * centre_fit, full_matrices=False).Vh[rows][:k]
    centred = other - {"fitted": mean, "own": other.mean(dim=0), "no": 0 * mean}[centre_other]
    return (centred @ directions.T).square().sum() / centred.square().sum()


def _columns_of_Vh(fitted, other, k):
    mean = fitted.mean(dim=0)
    directions = torch.linalg.svd(fitted - mean, full_matrices=False).Vh[:, :k]
    return ((other - mean) @ directions).square().sum() / (other - mean).square().sum()


def _share_of_each_row(fitted, other, k):
    mean = fitted.mean(dim=0)
    directions = torch.linalg.svd(fitted - mean, full_matrices=False).Vh[:k]
    return (((other - mean) @ directions.T).square().sum(-1) / (other - mean).square().sum(-1)).mean()


def _equals_numpy(trial: Trial) -> None:
    """Oracle: the residual of a projection, in numpy, by eigenvectors of the covariance."""
    for seed, (rows, others, d_model, k) in enumerate([(40, 25, 7, 2), (60, 30, 9, 4)]):
        scales = torch.linspace(3, 0.3, d_model)
        fitted = torch.randn(rows, d_model, generator=generator(seed)) * scales + 2
        other = torch.randn(others, d_model, generator=generator(seed + 50)) * scales.flip(0).sqrt() + 3
        _, vectors = np.linalg.eigh(np.cov(fitted.double().numpy(), rowvar=False))
        top = vectors[:, ::-1][:, :k]
        centred = other.double().numpy() - fitted.double().numpy().mean(0)
        left_over = centred - centred @ top @ top.T
        expected = torch.tensor(1 - (left_over**2).sum() / (centred**2).sum()).float()
        trial.matches((fitted, other, k), expected, "", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.4",
    title="a held-out fit",
    minutes=8,
    difficulty=2,
    hints=(
        "Find mean and directions on `fitted` only: torch.linalg.svd(fitted - mean).Vh[:k].",
        "Centre `other` by the mean of `fitted`, then project it on those directions.",
        "The share is the squared length of the projections over the squared length of what was projected.",
    ),
    reference=held_out_fraction,
    tests=(_equals_numpy,),
    mistakes=(
        Mistake(
            "fitted on the held-out vectors",
            "mean and directions come from `other` itself, so nothing is held out.",
            _fitted_on_itself,
        ),
        Mistake(
            "share of the fitted vectors",
            "this is the share of `fitted`; measure that of `other`.",
            lambda fitted, other, k: _fitted_on_itself(other, fitted, k),
        ),
        Mistake(
            "directions not centred",
            "subtract the mean before the SVD: without it the first direction is the mean itself.",
            lambda fitted, other, k: _with_directions(fitted, other, k, centre_fit=False),
        ),
        Mistake(
            "held-out vectors centred by their own mean",
            "centre `other` by the mean of `fitted`, and sum squares: `.var` centres once more by the mean of `other`.",
            lambda fitted, other, k: _with_directions(fitted, other, k, centre_other="own"),
        ),
        Mistake(
            "held-out vectors not centred",
            "centre `other` by the mean of `fitted`.",
            lambda fitted, other, k: _with_directions(fitted, other, k, centre_other="no"),
        ),
        Mistake(
            "what is left over",
            "this is the share that the directions do not hold.",
            lambda fitted, other, k: 1 - held_out_fraction(fitted, other, k),
        ),
        Mistake(
            "last directions",
            "these are the directions of least variance: Vh[:k] are the first.",
            lambda fitted, other, k: _with_directions(fitted, other, k, rows=slice(-k, None)),
        ),
        Mistake(
            "columns of Vh",
            "the directions are the rows of Vh: Vh[:k], not Vh[:, :k].",
            _columns_of_Vh,
        ),
        Mistake(
            "mean of the rows' shares",
            "this is one share a row, then the mean; sum the squares over all rows, then divide once.",
            _share_of_each_row,
        ),
        Mistake(
            "root of the share",
            "this is a ratio of lengths; sum squared lengths.",
            lambda fitted, other, k: held_out_fraction(fitted, other, k).sqrt(),
        ),
    ),
)
