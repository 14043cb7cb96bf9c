"""Exercise 2.3: the rank of a circuit."""

import torch
from transformer_lens import FactoredMatrix

from helpers.circuits import singular_values
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_factored_matrix(trial: Trial) -> None:
    """Oracles: TransformerLens's FactoredMatrix; the singular values of the product in full."""
    for seed, (rows, inner, columns) in enumerate([(10, 3, 7), (6, 5, 8), (7, 2, 7)]):
        A = torch.randn(rows, inner, generator=generator(seed)) * torch.linspace(0.3, 2, inner)
        B = torch.randn(inner, columns, generator=generator(seed + 5))
        trial.matches((A, B), FactoredMatrix(A, B).S, "d_head", tolerance=1e-3)
        in_full = torch.linalg.svdvals((A @ B).double())[:inner].float()
        trial.matches((A, B), in_full, "d_head", tolerance=1e-3)


def _large_matrices(trial: Trial) -> None:
    """Thin factors of a matrix too large for memory: an answer must not multiply them out."""
    A = torch.randn(400_000, 2, generator=generator(3))
    expected = torch.linalg.eigvalsh(A.T.double() @ A.double()).flip(0).float()
    trial.matches((A, A.T), expected, "d_head", tolerance=1e-2)


EXERCISE = Exercise(
    id="2.3",
    title="the rank of a circuit",
    minutes=7,
    difficulty=2,
    hints=(
        "An orthonormal factor does not change singular values. With A = Q R the singular values of A B are those of R B.",
        "Do the same on the other side: with Bᵀ = P S they are those of the small matrix R Sᵀ.",
        "`torch.linalg.qr(A).R` is R; `torch.linalg.svdvals` returns singular values.",
    ),
    reference=singular_values,
    tests=(_equals_factored_matrix, _large_matrices),
    mistakes=(
        Mistake(
            "product of the spectra",
            "singular values of a product are not the products of singular values: directions matter.",
            lambda A, B: torch.linalg.svdvals(A) * torch.linalg.svdvals(B),
        ),
        Mistake(
            "spectrum of one factor",
            "these are the singular values of A alone.",
            lambda A, B: torch.linalg.svdvals(A),
        ),
        Mistake(
            "spectrum of the other factor",
            "these are the singular values of B alone.",
            lambda A, B: torch.linalg.svdvals(B),
        ),
        Mistake(
            "squared",
            "these are eigenvalues of (A B)ᵀ A B: take the root.",
            lambda A, B: singular_values(A, B) ** 2,
        ),
        Mistake(
            "second R not transposed",
            "with Bᵀ = P S the product is Q R Sᵀ Pᵀ: transpose the second R.",
            lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A).R @ torch.linalg.qr(B.T).R),
        ),
        Mistake(
            "QR of B, not of Bᵀ",
            "QR puts the orthonormal factor on the left; B needs it on the right: take the QR of Bᵀ.",
            lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A).R @ torch.linalg.qr(B).R),
        ),
        Mistake("ascending", "the largest comes first.", lambda A, B: singular_values(A, B).flip(0)),
    ),
)
