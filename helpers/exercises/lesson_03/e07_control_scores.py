"""Exercise 3.7: controls."""

import torch

from helpers.composition import composition_score, control_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: the five matrices by index arithmetic, in double precision; wide, tall and square."""
    for rows, d_model, columns in [(6, 8, 5), (11, 7, 3), (6, 6, 6)]:
        A = torch.randn(rows, d_model, generator=generator(rows)) * torch.linspace(0.1, 3, d_model)
        B = torch.randn(d_model, columns, generator=generator(1)) * torch.linspace(0.1, 2, d_model)[:, None]
        R = torch.linalg.qr(torch.randn(d_model, d_model, generator=generator(2))).Q
        a, b = A.double(), B.double()
        mirrored = torch.stack([a[:, d_model - 1 - i] for i in range(d_model)], dim=1)
        unchanged, reverse, rotate = (
            (M @ b).norm() / (a.norm() * b.norm()) for M in (a, mirrored, a @ R.double())
        )
        expected = torch.stack([unchanged, unchanged, unchanged, reverse, rotate])
        trial.matches((A, B, R), expected.float(), "control", tolerance=1e-4)


def _with_control(index, score):
    """The reference with one of the five scores computed in another way."""

    def answer(W_A, W_B, R):
        scores = control_scores(W_A, W_B, R).clone()
        scores[index] = score(W_A, W_B, R)
        return scores

    return answer


EXERCISE = Exercise(
    id="3.7",
    title="controls",
    minutes=5,
    difficulty=1,
    hints=(
        "Five calls of `composition_score`: only `W_A` changes, `W_B` stays as it is.",
        "The output axes of a matrix are its columns: `W_A.flip(-1)` reverses them, `W_A @ R` rotates them.",
    ),
    reference=control_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "wrong axes reversed",
            "the fourth score equals the first. Reverse the columns of W_A only, with flip(-1). "
            "Nothing changes if you reverse its rows, or the shared axes of W_A and W_B together.",
            _with_control(3, lambda A, B, R: composition_score(A.flip(0), B)),
        ),
        Mistake(
            "score not rotated",
            "the last score equals the first. Rotate W_A, and W_A only: if both matrices are rotated, the score "
            "stays the same (lesson 1).",
            _with_control(4, lambda A, B, R: composition_score(A @ R, R.T @ B)),
        ),
        Mistake(
            "scale kept in",
            "divide by the norm of the scaled matrix 3 A, so that the scale drops out.",
            _with_control(1, lambda A, B, R: 3 * composition_score(A, B)),
        ),
        Mistake(
            "sign kept in",
            "a norm is never negative, so the score of -A is that of A.",
            _with_control(2, lambda A, B, R: -composition_score(A, B)),
        ),
        Mistake(
            "norms forgotten",
            "a score is ‖A B‖ divided by ‖A‖ and by ‖B‖: use `composition_score`.",
            lambda A, B, R: torch.stack([(M @ B).norm() for M in (A, 3 * A, -A, A.flip(-1), A @ R)]),
        ),
        Mistake(
            "rotated the other way",
            "this is the score of A Rᵀ. Return that of A R.",
            _with_control(4, lambda A, B, R: composition_score(A @ R.T, B)),
        ),
    ),
)
