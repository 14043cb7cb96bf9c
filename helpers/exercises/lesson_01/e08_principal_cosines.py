"""Exercise 1.8: the overlap of two subspaces."""

import numpy as np
import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import principal_cosines


def _basis(A):
    return torch.linalg.qr(A).Q


def _equals_projectors(trial: Trial) -> None:
    """Oracle: the squared cosines are the eigenvalues of the product of the two projectors."""
    for seed, (d_model, a, b) in enumerate([(10, 3, 2), (13, 2, 5), (8, 3, 3), (7, 1, 4)]):
        A = torch.randn(d_model, a, generator=generator(seed)) * torch.linspace(0.5, 4, a)
        B = torch.randn(d_model, b, generator=generator(seed + 20)) + 0.5
        trial.matches((A, B), _expected(A, B), "angle", tolerance=1e-4)
    shared = torch.cat([5 * A, torch.randn(7, 2, generator=generator(9))], dim=1)
    trial.matches((shared, B), _expected(shared, B), "angle", tolerance=1e-4)
    trial.matches((A, shared), _expected(A, shared), "angle", tolerance=1e-4)


def _expected(A, B):
    P, Q = (X.double().numpy() @ np.linalg.pinv(X.double().numpy()) for X in (A, B))
    squares = np.sort(np.linalg.eigvalsh(P @ Q @ P))[::-1][: min(A.shape[1], B.shape[1])]
    return torch.tensor(np.sqrt(squares.clip(0))).float()


EXERCISE = Exercise(
    id="1.8",
    title="the angles between two subspaces",
    minutes=8,
    difficulty=2,
    hints=(
        "First an orthonormal basis of each column space: `torch.linalg.qr(A).Q`.",
        "The cosines are the singular values of the product Q_Aᵀ Q_B of the two bases.",
    ),
    reference=principal_cosines,
    tests=(_equals_projectors,),
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
            "only B orthonormal",
            "A needs an orthonormal basis, too: torch.linalg.qr(A).Q.",
            lambda A, B: torch.linalg.svdvals(A.T @ _basis(B)),
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
        *(
            Mistake(
                "columns compared in pairs",
                "these numbers compare one column with another, so they depend on the basis; "
                "take the singular values of Q_Aᵀ Q_B.",
                answer,
            )
            for answer in (
                lambda A, B: (_basis(A).T @ _basis(B)).abs().amax(0 if A.shape[1] > B.shape[1] else 1),
                lambda A, B: (_basis(A).T @ _basis(B)).diagonal(),
                lambda A, B: torch.stack([torch.cosine_similarity(a, b, dim=0) for a, b in zip(A.T, B.T)]),
            )
        ),
        *(
            Mistake(
                "centred",
                "a mean is subtracted, which changes the column spaces: leave A and B as they are.",
                lambda A, B, dim=dim: principal_cosines(*(X - X.mean(dim, keepdim=True) for X in (A, B))),
            )
            for dim in (0, 1)
        ),
        Mistake(
            "ascending",
            "the largest cosine comes first.",
            lambda A, B: principal_cosines(A, B).flip(0),
        ),
    ),
)
