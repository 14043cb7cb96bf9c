"""Exercise 3.10: to deny access to a subspace."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import project_out


def _not_orthonormal(x, subspace):
    return x - x @ subspace @ subspace.T


def _equals_least_squares(trial: Trial) -> None:
    """Oracle: what least squares can not explain by the subspace; and a second time changes nothing."""
    for seed, (pos, d_model, k) in enumerate([(4, 9, 3), (6, 8, 2)]):
        x = torch.randn(pos, d_model, generator=generator(seed))
        subspace = torch.randn(d_model, k, generator=generator(seed + 9)) + 0.4
        explained = subspace.double() @ torch.linalg.lstsq(subspace.double(), x.double().T).solution
        trial.matches((x, subspace), (x.double() - explained.T).float(), "pos d_model", tolerance=1e-4)
        once = trial.call(x, subspace)
        if not torch.allclose(trial.call(once, subspace), once, atol=1e-4):
            raise Wrong("not a projection", "doing it twice changed the result.")


EXERCISE = Exercise(
    id="3.10",
    title="deny access to a subspace",
    minutes=5,
    difficulty=1,
    hints=(
        "An orthonormal basis first: Q = torch.linalg.qr(subspace).Q.",
        "x Q are the coordinates in the subspace, x Q Qᵀ the part that lies there. Subtract it.",
    ),
    reference=project_out,
    tests=(_equals_least_squares,),
    mistakes=(
        Mistake(
            "basis not orthonormal",
            "x S Sᵀ is a projection only for orthonormal columns: use qr first.",
            _not_orthonormal,
        ),
        Mistake(
            "kept instead of taken away",
            "this is the part in the subspace; the rest is asked for.",
            lambda x, S: x - project_out(x, S),
        ),
        Mistake(
            "columns normalised only",
            "unit columns are not yet orthogonal to each other: use qr.",
            lambda x, S: x - x @ (S / S.norm(dim=0)) @ (S / S.norm(dim=0)).T,
        ),
        Mistake(
            "first direction only",
            "only the first direction is taken away.",
            lambda x, S: project_out(x, S[:, :1]),
        ),
        Mistake(
            "subtracted twice",
            "this reflects x at the subspace: subtract the part once.",
            lambda x, S: 2 * project_out(x, S) - x,
        ),
        Mistake(
            "coordinates",
            "these are coordinates in the subspace; x itself, without its part, is asked for.",
            lambda x, S: x @ torch.linalg.qr(S).Q,
        ),
    ),
)
