"""Exercise 3.2: the score from thin factors."""

import torch

from helpers.composition import factored_score
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_the_full_score(trial: Trial) -> None:
    """Oracle: the score of the matrices multiplied out."""
    for seed, (d_model, a, b) in enumerate([(10, 3, 3), (7, 2, 5), (12, 5, 3)]):
        sizes = [(d_model, a), (a, d_model), (d_model, b), (b, d_model)]
        factors = [
            torch.randn(*size, generator=generator(seed + 10 * i)) + 0.3 * i for i, size in enumerate(sizes)
        ]
        A, B = factors[0] @ factors[1], factors[2] @ factors[3]
        expected = (A.double() @ B.double()).norm() / (A.double().norm() * B.double().norm())
        trial.matches(tuple(factors), expected.float(), "", tolerance=1e-3)


def _stays_thin(trial: Trial) -> None:
    """A d_model × d_model matrix would take 275 GB here, so forming one fails. Equal columns: 1."""
    ones = torch.ones(2**18, 1) / 2**9  # powers of two: every sum is exact, on any number of threads
    trial.matches((ones, ones.T, ones, ones.T), torch.tensor(1.0), "", tolerance=1e-3)


EXERCISE = Exercise(
    id="3.2",
    title="the score from thin factors",
    minutes=8,
    difficulty=3,
    hints=(
        "‖X‖² is the trace of X Xᵀ. A trace is cyclic: tr(P Q) = tr(Q P). "
        "Move factors from one end to the other until every product is small.",
        "With the small matrix M = A_out B_in: ‖A B‖² = tr(A_inᵀ A_in · M · B_out B_outᵀ · Mᵀ).",
        "‖A‖² and ‖B‖² go the same way, with A_out A_outᵀ and B_inᵀ B_in. Take the root at the end.",
    ),
    reference=factored_score,
    tests=(_equals_the_full_score, _stays_thin),
    mistakes=(
        Mistake(
            "outer factors left out",
            "A_in and B_out are not orthonormal, so the norms depend on them, too.",
            lambda A, a, b, B: (a @ b).norm() / (a.norm() * b.norm()),
        ),
        Mistake(
            "norm of a product of norms",
            "the norm of A is not the product of the norms of its factors.",
            lambda A, a, b, B: (
                ((A.T @ A) @ (a @ b) @ (B @ B.T) @ (a @ b).T).trace().sqrt()
                / (A.norm() * a.norm() * b.norm() * B.norm())
            ),
        ),
        Mistake(
            "not normalised",
            "this is the norm of A B. Divide by the norms of A and B.",
            lambda A, a, b, B: ((A.T @ A) @ (a @ b) @ (B @ B.T) @ (a @ b).T).trace().sqrt(),
        ),
        Mistake("squared", "this is the score squared. Take the root.", lambda *f: factored_score(*f) ** 2),
        Mistake(
            "inner and outer factors swapped",
            "the two factors that meet are A_out and B_in: A_out B_in.",
            lambda A, a, b, B: factored_score(b, B, A, a),
        ),
        Mistake(
            "reader transposed",
            "B is B_in B_out. Its transpose reads from the other side.",
            lambda A, a, b, B: factored_score(A, a, B.T, b.T),
        ),
        Mistake(
            "writer transposed",
            "A is A_in A_out. Its transpose writes to the other side.",
            lambda A, a, b, B: factored_score(a.T, A.T, b, B),
        ),
    ),
)
