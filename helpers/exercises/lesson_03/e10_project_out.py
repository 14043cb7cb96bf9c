"""Exercise 3.10: deny access to a subspace."""

import torch
from torch.nn.functional import normalize

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import project_out


def _equals_least_squares(trial: Trial) -> None:
    """Oracle: the residual of least squares, also for one vector and for batches."""
    cases = [((4, 9), 3), ((8, 7), 2), ((6,), 4), ((2, 3, 8), 5), ((5, 6), 1)]
    for seed, (shape, k) in enumerate(cases):
        x = torch.randn(shape, generator=generator(seed))
        subspace = torch.randn(shape[-1], k, generator=generator(seed + 9)) + 0.4
        rows, S = x.double().reshape(-1, shape[-1]), subspace.double()
        expected = rows - (S @ torch.linalg.lstsq(S, rows.T).solution).T
        axes = " ".join(["batch", "pos", "d_model"][-len(shape) :])
        trial.matches((x, subspace), expected.float().reshape(shape), axes, tolerance=1e-4)


def _without_columns(x, columns):
    return x - x @ columns @ columns.T


def _one_after_another(x, S):
    for column in normalize(S, dim=0).T:
        x = x - (x @ column)[..., None] * column
    return x


EXERCISE = Exercise(
    id="3.10",
    title="deny access to a subspace",
    minutes=5,
    difficulty=2,
    hints=(
        "The projection on orthonormal columns is easy: coordinates are products with the columns, and the "
        "part in the subspace is the sum of the columns, weighted by the coordinates.",
        "Which factor of a QR decomposition (`torch.linalg.qr`) is an orthonormal basis of the column space?",
    ),
    reference=project_out,
    tests=(_equals_least_squares,),
    mistakes=(
        Mistake(
            "basis not orthonormal",
            "x S Sᵀ is a projection only for orthonormal columns. Use qr first.",
            _without_columns,
        ),
        Mistake(
            "kept instead of taken away",
            "this is the part in the subspace. Return x minus this part.",
            lambda x, S: x - project_out(x, S),
        ),
        Mistake(
            "columns normalised only",
            "unit columns need not be orthogonal to each other. Use qr.",
            lambda x, S: _without_columns(x, normalize(S, dim=0)),
        ),
        Mistake(
            "one after another",
            "the columns are projected out one after another. A later step brings back a part of an earlier "
            "column, because the columns are not orthogonal. Use qr first.",
            _one_after_another,
        ),
        Mistake(
            "first direction only",
            "only the first direction is removed. Remove all of them.",
            lambda x, S: project_out(x, S[:, :1]),
        ),
        Mistake(
            "subtracted twice",
            "the part in the subspace is subtracted twice, which reflects x. Subtract it once.",
            lambda x, S: 2 * project_out(x, S) - x,
        ),
        Mistake(
            "coordinates",
            "these are coordinates in the subspace. Return x, without its part there.",
            lambda x, S: x @ torch.linalg.qr(S).Q,
        ),
    ),
)
