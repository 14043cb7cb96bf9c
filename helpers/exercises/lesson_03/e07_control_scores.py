"""Exercise 3.7: controls."""

import torch

from helpers.composition import composition_score, control_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _reversed_rows(W_A, W_B, R):
    writers = (W_A, 3 * W_A, -W_A, W_A.flip(0), W_A @ R)
    return torch.stack([composition_score(writer, W_B) for writer in writers])


def _other(position, change):
    """The reference with one control done in another way."""

    def answer(W_A, W_B, R):
        scores = control_scores(W_A, W_B, R).clone()
        scores[position] = change(W_A, W_B, R)
        return scores

    return answer


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: the five matrices by index arithmetic, in double precision."""
    A = torch.randn(6, 8, generator=generator(0)) @ torch.diag(torch.linspace(0.1, 3, 8))
    B = torch.diag(torch.linspace(0.1, 2, 8)) @ torch.randn(8, 5, generator=generator(1))
    R = torch.linalg.qr(torch.randn(8, 8, generator=generator(2))).Q
    a, b = A.double(), B.double()
    plain = (a @ b).norm() / (a.norm() * b.norm())
    turned = torch.stack([a[:, 7 - i] for i in range(8)], dim=1)
    expected = [
        plain,
        plain,
        plain,
        (turned @ b).norm() / (a.norm() * b.norm()),
        (a @ R.double() @ b).norm() / (a.norm() * b.norm()),
    ]
    trial.matches((A, B, R), torch.stack(expected).float(), "control", tolerance=1e-4)


EXERCISE = Exercise(
    id="3.7",
    title="controls",
    minutes=5,
    difficulty=1,
    hints=(
        "The output axes of A are its columns: A.flip(-1) reverses them.",
        "A @ R rotates what A writes; B stays as it is.",
    ),
    reference=control_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "wrong axes reversed",
            "reversing what A reads (its rows), or the axes of A and B together, changes nothing: flip(-1), on A only.",
            _reversed_rows,
        ),
        Mistake(
            "both rotated",
            "if the reader is rotated along with the writer nothing changes (lesson 1): rotate A only.",
            _other(4, lambda A, B, R: composition_score(A @ R, R.T @ B)),
        ),
        Mistake(
            "scale kept in",
            "the score is divided by the norm of the scaled matrix: scale must drop out.",
            _other(1, lambda A, B, R: 3 * composition_score(A, B)),
        ),
        Mistake(
            "sign kept in",
            "a norm is never negative: negation leaves the score as it is.",
            _other(2, lambda A, B, R: -composition_score(A, B)),
        ),
        Mistake(
            "rotated the other way",
            "this is A Rᵀ; A R is asked for.",
            _other(4, lambda A, B, R: composition_score(A @ R.T, B)),
        ),
    ),
)
