"""Exercise 3.5: the score of every earlier head with every later head."""

import torch

from helpers.composition import pair_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: one score at a time, for fewer, more and as many senders."""
    for n_senders, n_receivers, d_model in [(3, 5, 6), (5, 2, 7), (3, 3, 4)]:
        senders = torch.randn(n_senders, d_model, d_model, generator=generator(0))
        senders *= torch.linspace(1, 5, n_senders)[:, None, None]
        receivers = torch.randn(n_receivers, d_model, d_model, generator=generator(1)) + 0.4
        expected = torch.zeros(n_senders, n_receivers)
        for s, A in enumerate(senders.double()):
            for r, B in enumerate(receivers.double()):
                norms = (A**2).sum().sqrt() * (B**2).sum().sqrt()
                expected[s, r] = ((A @ B) ** 2).sum().sqrt() / norms
        trial.matches((senders, receivers), expected, "sender receiver", tolerance=1e-4)


def _product_norms(A, B):
    return (A[:, None] @ B[None]).norm(dim=(-2, -1))


def _equal_numbers_only(A, B):
    n = min(len(A), len(B))
    return pair_scores(A[:n], B[:n]).diagonal()


def _spectral_scores(A, B):
    product, sender, receiver = (torch.linalg.matrix_norm(M, 2) for M in (A[:, None] @ B[None], A, B))
    return product / torch.outer(sender, receiver)


EXERCISE = Exercise(
    id="3.5",
    title="every sender with every receiver",
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
            "product in the wrong order",
            "the sender's matrix comes first: W_OV[s] @ reads[r].",
            lambda A, B: pair_scores(B, A).T,
        ),
        Mistake(
            "one norm for all",
            "divide each score by the norms of its own two matrices, not of all of them together.",
            lambda A, B: _product_norms(A, B) / (A.norm() * B.norm()),
        ),
        Mistake(
            "one norm only",
            "divide by the norms of the receivers' matrices, too.",
            lambda A, B: _product_norms(A, B) / A.norm(dim=(-2, -1))[:, None],
        ),
        Mistake(
            "the other norm only",
            "divide by the norms of the senders' matrices, too.",
            lambda A, B: _product_norms(A, B) / B.norm(dim=(-2, -1)),
        ),
        Mistake(
            "spectral norm",
            "these are largest singular values. The Frobenius norm sums the squares of all entries.",
            _spectral_scores,
        ),
        Mistake("not normalised", "divide by the norms of both matrices of a pair.", _product_norms),
        Mistake("squared", "these are squared scores. Take the root.", lambda A, B: pair_scores(A, B) ** 2),
    ),
)
