"""Exercise 3.1: the composition score."""

import torch
from transformer_lens import FactoredMatrix

from helpers.composition import composition_score
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_traces(trial: Trial) -> None:
    """Oracles: norms as traces in double precision; factored matrices of TransformerLens."""
    for seed, (d_in, d_model, d_out) in enumerate([(7, 7, 7), (6, 9, 4), (30, 7, 5)]):
        A = torch.randn(d_in, d_model, generator=generator(seed)) * 2
        B = torch.randn(d_model, d_out, generator=generator(seed + 9)) + 0.5
        a, b = A.double(), B.double()
        product = (a @ b @ b.T @ a.T).trace()
        expected = (product / ((a @ a.T).trace() * (b @ b.T).trace())).sqrt().float()
        trial.matches((A, B), expected, "", tolerance=1e-4)
    left = FactoredMatrix(
        torch.randn(8, 2, generator=generator(3)), torch.randn(2, 8, generator=generator(4))
    )
    right = FactoredMatrix(
        torch.randn(8, 3, generator=generator(5)), torch.randn(3, 8, generator=generator(6))
    )
    expected = (left @ right).norm() / (left.norm() * right.norm())
    trial.matches((left.AB, right.AB), expected, "", tolerance=1e-4)


EXERCISE = Exercise(
    id="3.1",
    title="the composition score",
    minutes=3,
    difficulty=1,
    hints=(
        "`matrix.norm()` is the Frobenius norm: the root of the sum of all squared entries.",
        "Multiply the two matrices in the order of the formula. Divide the norm of the product by both norms.",
    ),
    reference=composition_score,
    tests=(_equals_traces,),
    mistakes=(
        Mistake(
            "not normalised",
            "divide by both norms. Without them large matrices score high with any matrix.",
            lambda A, B: (A @ B).norm(),
        ),
        Mistake("one norm only", "divide by the norm of W_B, too.", lambda A, B: (A @ B).norm() / A.norm()),
        Mistake(
            "the other norm only", "divide by the norm of W_A, too.", lambda A, B: (A @ B).norm() / B.norm()
        ),
        Mistake(
            "spectral norm",
            "these are largest singular values. The Frobenius norm sums the squares of all entries.",
            lambda A, B: (
                torch.linalg.matrix_norm(A @ B, 2)
                / (torch.linalg.matrix_norm(A, 2) * torch.linalg.matrix_norm(B, 2))
            ),
        ),
        Mistake(
            "multiplied by a norm",
            "`a / b * c` means (a / b) · c. Put both norms in parentheses.",
            lambda A, B: (A @ B).norm() / A.norm() * B.norm(),
        ),
        Mistake(
            "squared", "this is the score squared. Take the root.", lambda A, B: composition_score(A, B) ** 2
        ),
        Mistake(
            "product in the wrong order",
            "the matrix that writes comes first: W_A W_B.",
            lambda A, B: (B @ A).norm() / (A.norm() * B.norm()),
        ),
    ),
)
