"""Exercise 3.5: every writer with every reader."""

import torch

from helpers.composition import pair_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equal_numbers_only(W_OV, reads):
    smaller = min(len(W_OV), len(reads))
    products = W_OV[:smaller] @ reads[:smaller]
    return products.norm(dim=(-2, -1)) / (
        W_OV[:smaller].norm(dim=(-2, -1)) * reads[:smaller].norm(dim=(-2, -1))
    )


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: one score at a time."""
    writers = torch.randn(3, 6, 5, generator=generator(0)) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    readers = torch.randn(4, 5, 7, generator=generator(1)) + 0.4
    expected = torch.zeros(3, 4)
    for w, A in enumerate(writers.double()):
        for r, B in enumerate(readers.double()):
            expected[w, r] = ((A @ B) ** 2).sum().sqrt() / ((A**2).sum().sqrt() * (B**2).sum().sqrt())
    trial.matches((writers, readers), expected, "writer reader", tolerance=1e-4)


EXERCISE = Exercise(
    id="3.5",
    title="every writer with every reader",
    minutes=5,
    difficulty=1,
    hints=(
        "W_OV[:, None] @ reads[None] is every product at once.",
        "Norms over the last two axes: .norm(dim=(-2, -1)).",
    ),
    reference=pair_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "equal numbers only",
            "writer 0 with reader 0, 1 with 1, …; every pair is asked for.",
            _equal_numbers_only,
        ),
        Mistake(
            "reader first",
            "expected [writer, reader]; the two are swapped.",
            lambda A, B: pair_scores(A, B).T,
        ),
        Mistake(
            "one norm for all",
            "each score is divided by the norms of its own two matrices, not of all of them together.",
            lambda A, B: (A[:, None] @ B[None]).norm(dim=(-2, -1)) / (A.norm() * B.norm()),
        ),
        Mistake(
            "not normalised",
            "divide by the norms of writer and reader.",
            lambda A, B: (A[:, None] @ B[None]).norm(dim=(-2, -1)),
        ),
        Mistake("squared", "these are squared scores.", lambda A, B: pair_scores(A, B) ** 2),
    ),
)
