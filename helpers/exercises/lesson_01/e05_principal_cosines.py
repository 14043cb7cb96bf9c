"""Exercise 1.5: the overlap of two subspaces."""

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import principal_cosines


def _basis(A):
    return torch.linalg.qr(A).Q


def _equals_projectors(trial: Trial) -> None:
    """Oracle: the squared cosines are the eigenvalues of the product of the two projectors."""
    for seed, (d_model, a, b) in enumerate([(9, 3, 2), (12, 2, 4)]):
        A = torch.randn(d_model, a, generator=generator(seed)) * torch.linspace(0.5, 4, a)
        B = torch.randn(d_model, b, generator=generator(seed + 20)) + 0.5
        P, Q = (X.double().numpy() @ np.linalg.pinv(X.double().numpy()) for X in (A, B))
        squares = np.sort(np.linalg.eigvalsh((P @ Q @ P + (P @ Q @ P).T) / 2))[::-1][: min(a, b)]
        trial.matches((A, B), torch.tensor(np.sqrt(squares.clip(0))).float(), "angle", tolerance=1e-4)


def _depends_on_the_subspaces_only(trial: Trial) -> None:
    """Other bases of the same subspaces give the same; a shared direction gives 1."""
    A = torch.randn(8, 3, generator=generator(3))
    B = torch.cat([A[:, :1] * 5, torch.randn(8, 1, generator=generator(4))], dim=1)
    mix = torch.randn(3, 3, generator=generator(5))
    original, remixed = trial.call(A, B), trial.call(A @ mix, B)
    if not torch.allclose(original, remixed, atol=1e-3):
        raise Wrong("depends on the basis", "another basis of the same subspace changed the result.")
    if not torch.isclose(original[0], torch.tensor(1.0), atol=1e-3):
        raise Wrong(
            "shared direction missed", "the two subspaces share a direction: the first cosine should be 1."
        )


EXERCISE = Exercise(
    id="1.5",
    title="the angles between two subspaces",
    minutes=8,
    difficulty=2,
    hints=(
        "First an orthonormal basis of each column space: `torch.linalg.qr(A).Q`.",
        "The cosines are the singular values of the product Q_Aᵀ Q_B of the two bases.",
    ),
    reference=principal_cosines,
    tests=(_equals_projectors, _depends_on_the_subspaces_only),
    mistakes=(
        Mistake(
            "bases not orthonormal",
            "the lengths and angles of the columns change the result: take torch.linalg.qr(A).Q first.",
            lambda A, B: torch.linalg.svdvals(A.T @ B),
        ),
        Mistake(
            "only A orthonormal",
            "B needs an orthonormal basis, too: torch.linalg.qr(B).Q.",
            lambda A, B: torch.linalg.svdvals(_basis(A).T @ B),
        ),
        Mistake(
            "columns normalised only",
            "unit columns are not yet orthogonal to each other: use qr.",
            lambda A, B: torch.linalg.svdvals((A / A.norm(dim=0)).T @ (B / B.norm(dim=0))),
        ),
        Mistake(
            "angles, not cosines",
            "these are the angles; their cosines are asked for.",
            lambda A, B: principal_cosines(A, B).clamp(max=1).arccos(),
        ),
        Mistake(
            "squared",
            "these are squared cosines; the cosines are asked for.",
            lambda A, B: principal_cosines(A, B) ** 2,
        ),
        Mistake(
            "columns compared in pairs",
            "the largest entries of Q_Aᵀ Q_B depend on the basis; its singular values do not.",
            lambda A, B: (_basis(A).T @ _basis(B)).abs().amax(0 if A.shape[1] > B.shape[1] else 1),
        ),
        Mistake(
            "ascending",
            "the largest cosine comes first.",
            lambda A, B: principal_cosines(A, B).flip(0),
        ),
    ),
)
