"""Exercise 3.5: the score of every earlier head with every later head."""

import torch

from helpers.composition import pair_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: one score at a time."""
    senders = torch.randn(3, 6, 5, generator=generator(0)) * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    receivers = torch.randn(4, 5, 7, generator=generator(1)) + 0.4
    expected = torch.zeros(3, 4)
    for s, A in enumerate(senders.double()):
        for r, B in enumerate(receivers.double()):
            expected[s, r] = ((A @ B) ** 2).sum().sqrt() / ((A**2).sum().sqrt() * (B**2).sum().sqrt())
    trial.matches((senders, receivers), expected, "sender receiver", tolerance=1e-4)


def _product_norms(A, B):
    return (A[:, None] @ B[None]).norm(dim=(-2, -1))


def _equal_numbers_only(A, B):
    n = min(len(A), len(B))
    return pair_scores(A[:n], B[:n]).diagonal()


EXERCISE = Exercise(
    id="3.5",
    title="every writer with every reader",
    minutes=5,
    difficulty=1,
    hints=(
        "Broadcast: with `[:, None]` on the first tensor and `[None]` on the second, "
        "`@` gives the product of every pair at once.",
        "Take norms over the last two axes: `.norm(dim=(-2, -1))`.",
        "Divide by the norms of both tensors, one of them as a column: `[:, None]`.",
    ),
    reference=pair_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "equal numbers only",
            "these are the scores of pairs with equal numbers: 0 with 0, 1 with 1, … Score every pair.",
            _equal_numbers_only,
        ),
        Mistake(
            "reader first",
            "expected [sender, receiver], got [receiver, sender]. Swap the two axes.",
            lambda A, B: pair_scores(A, B).T,
        ),
        Mistake(
            "one norm for all",
            "divide each score by the norms of its own two matrices, not of all of them together.",
            lambda A, B: _product_norms(A, B) / (A.norm() * B.norm()),
        ),
        Mistake("not normalised", "divide by the norms of both matrices of a pair.", _product_norms),
        Mistake("squared", "these are squared scores. Take the root.", lambda A, B: pair_scores(A, B) ** 2),
    ),
)
