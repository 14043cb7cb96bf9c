"""Exercise 3.10: deny access to a subspace."""

import torch
from torch.nn.functional import normalize

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import project_out


def _equals_least_squares(trial: Trial) -> None:
    """Oracle: the residual of least squares. A second projection changes nothing."""
    for seed, (pos, d_model, k) in enumerate([(4, 9, 3), (6, 8, 2)]):
        x = torch.randn(pos, d_model, generator=generator(seed))
        subspace = torch.randn(d_model, k, generator=generator(seed + 9)) + 0.4
        explained = subspace.double() @ torch.linalg.lstsq(subspace.double(), x.double().T).solution
        trial.matches((x, subspace), (x.double() - explained.T).float(), "pos d_model", tolerance=1e-4)
        projected = trial.call(x, subspace)
        if not torch.allclose(trial.call(projected, subspace), projected, atol=1e-4):
            raise Wrong("not a projection", "expected the same result from a second projection, got another.")


def _without_columns(x, columns):
    return x - x @ columns @ columns.T


EXERCISE = Exercise(
    id="3.10",
    title="deny access to a subspace",
    minutes=5,
    difficulty=1,
    hints=(
        "Start from an orthonormal basis of the column space: `Q = torch.linalg.qr(subspace).Q`.",
        "`x @ Q` are coordinates in the subspace. Multiplied by Qᵀ, they are the part of x that lies there: "
        "subtract it.",
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
