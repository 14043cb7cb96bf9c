"""Exercise 3.10: deny access to a subspace."""

import torch
from torch.nn.functional import normalize

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import project_out


def _equals_least_squares(trial: Trial) -> None:
    """Oracle: the residual of least squares, for vectors and batches; one column short or long."""
    cases = [((4, 9), 3, 1), ((8, 7), 2, 0.01), ((6,), 4, 1), ((2, 3, 8), 5, 100), ((5, 6), 1, 1)]
    for seed, (shape, k, length) in enumerate(cases):
        x = torch.randn(shape, generator=generator(seed))
        subspace = torch.randn(shape[-1], k, generator=generator(seed + 9)) + 0.4
        subspace[:, 0] *= length
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


def _gram_schmidt_with_the_column_before(x, S):
    basis = [normalize(S[:, 0], dim=0)]
    for column in S.T[1:]:
        basis.append(normalize(column - (column @ basis[-1]) * basis[-1], dim=0))
    return _without_columns(x, torch.stack(basis, dim=1))


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
            "last direction kept",
            "the last column is not removed. Remove all of them.",
            lambda x, S: project_out(x, S[:, :-1]),
        ),
        Mistake(
            "weak direction kept",
            "a short column is removed like a long one. Drop no direction with a small singular value.",
            lambda x, S: x - x @ (S @ torch.linalg.pinv(S, rtol=0.05)),
        ),
        Mistake(
            "everything taken away",
            "nothing of x is left. A complete QR decomposition has columns that lie outside the subspace. "
            "Use the reduced one, which is the default.",
            lambda x, S: torch.zeros_like(x),
        ),
        Mistake(
            "Gram-Schmidt in part",
            "a column is made orthogonal to one earlier column only. Subtract its parts along all of them.",
            _gram_schmidt_with_the_column_before,
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
