"""Exercise 7.8: K-composition scores where query heads share values and keys."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def k_composition_scores(
    W_V: Float[Tensor, "shared d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
    W_K: Float[Tensor, "shared d_model d_head"],
) -> Float[Tensor, "sender receiver"]:
    """Return the K-composition score of every sender with the keys of every receiver."""
    group = len(W_O) // len(W_V)
    W_OV = W_V.repeat_interleave(group, dim=0) @ W_O
    products = torch.einsum("sim,kmh->skih", W_OV, W_K).norm(dim=(-2, -1))
    scores = products / (W_OV.norm(dim=(-2, -1))[:, None] * W_K.norm(dim=(-2, -1)))
    return scores.repeat_interleave(group, dim=1)


def _inputs(heads: int, shared: int, d_model: int, d_head: int, seed: int):
    W_V, W_O, W_K = (
        torch.randn(size, generator=generator(seed + i))
        for i, size in enumerate(
            ((shared, d_model, d_head), (heads, d_head, d_model), (shared, d_model, d_head))
        )
    )
    W_O = W_O * torch.linspace(1, 3, heads)[:, None, None] + 0.2
    return W_V, W_O, W_K * torch.linspace(2, 1, shared)[:, None, None] + 0.3


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: one pair at a time, in double precision; weights of one head, of a group, of all."""
    for seed, sizes in enumerate(((6, 2, 9, 3), (6, 3, 8, 4), (4, 4, 5, 2), (3, 1, 7, 2))):
        W_V, W_O, W_K = _inputs(*sizes, seed=10 * seed)
        heads, shared = sizes[:2]
        expected = torch.zeros(heads, heads)
        for s in range(heads):
            A = W_V[s * shared // heads].double() @ W_O[s].double()
            for r in range(heads):
                B = W_K[r * shared // heads].double()
                norms = (A**2).sum().sqrt() * (B**2).sum().sqrt()
                expected[s, r] = ((A @ B) ** 2).sum().sqrt() / norms
        trial.matches((W_V, W_O, W_K), expected, "sender receiver", tolerance=1e-4)


def _is_the_same_for_turned_keys(trial: Trial) -> None:
    """Property: a rotation of the keys, as that of rotary positions, changes no score."""
    W_V, W_O, W_K = _inputs(6, 2, 9, 4, seed=70)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator(5))).Q
    trial.matches((W_V, W_O, W_K @ turn), k_composition_scores(W_V, W_O, W_K), "sender receiver", 1e-4)


def _of_pairs(measure, share=lambda W, group: W.repeat_interleave(group, dim=0)):
    """Scores of all pairs by ``measure(W_OV, W_K)``, with heads shared by ``share``."""

    def answer(W_V, W_O, W_K):
        group = len(W_O) // len(W_V)
        W_OV, keys = share(W_V, group) @ W_O, share(W_K, group)
        return torch.stack([torch.stack([measure(A, B) for B in keys]) for A in W_OV])

    return answer


def _score(A, B):
    return (A @ B).norm() / (A.norm() * B.norm())


EXERCISE = Exercise(
    id="7.8",
    title="K-composition with shared keys",
    minutes=8,
    difficulty=2,
    hints=(
        "With nine query heads and three shared heads, query head 4 uses shared head 1. In code: "
        "`head // (n_heads // n_shared)`, or `repeat_interleave` on the axis of the shared heads.",
        "Form `W_V[shared] @ W_O[head]` for each sender. Multiply it by each `W_K`, for example with "
        '`torch.einsum("sim,rmh->srih", …)`.',
        "`.norm(dim=(-2, -1))` is the Frobenius norm. Divide by both norms, one of them as a column.",
    ),
    reference=k_composition_scores,
    tests=(_equals_single_scores, _is_the_same_for_turned_keys),
    mistakes=(
        Mistake(
            "shared heads in turns",
            "neighbouring query heads share: 0 0 0 1 1 1, not 0 1 0 1 0 1. Use repeat_interleave.",
            _of_pairs(_score, lambda W, group: W.repeat(group, 1, 1)),
        ),
        Mistake(
            "first shared head for all",
            "each group of query heads has its own value head and its own key head.",
            _of_pairs(_score, lambda W, group: W[:1].expand(len(W) * group, -1, -1)),
        ),
        Mistake(
            "not divided",
            "divide by the norms of W_V W_O and of W_K.",
            _of_pairs(lambda A, B: (A @ B).norm()),
        ),
        Mistake(
            "divided by the keys' norm alone",
            "divide by the norm of W_V W_O, too.",
            _of_pairs(lambda A, B: (A @ B).norm() / B.norm()),
        ),
        Mistake(
            "divided by the senders' norm alone",
            "divide by the norm of W_K, too.",
            _of_pairs(lambda A, B: (A @ B).norm() / A.norm()),
        ),
        Mistake(
            "norms of the factors",
            "divide by the norm of the product W_V W_O, not by the norms of W_V and W_O.",
            lambda W_V, W_O, W_K: torch.stack(
                [
                    row / (V.norm() * O.norm()) * (V @ O).norm()
                    for row, V, O in zip(
                        k_composition_scores(W_V, W_O, W_K),
                        W_V.repeat_interleave(len(W_O) // len(W_V), dim=0),
                        W_O,
                    )
                ]
            ),
        ),
        Mistake(
            "sender's input side",
            "the receiver reads what the sender writes: W_V W_O comes first, then W_K. Do not transpose it.",
            _of_pairs(lambda A, B: _score(A.T, B)),
        ),
        Mistake(
            "receiver before sender",
            "row: the sender, column: the receiver. These are transposed.",
            lambda W_V, W_O, W_K: k_composition_scores(W_V, W_O, W_K).T,
        ),
        Mistake(
            "W_O left out",
            "the keys read what the sender writes to the stream: W_V W_O.",
            lambda W_V, W_O, W_K: _of_pairs(lambda A, B: _score(A.T, B))(
                W_V, torch.eye(W_V.shape[2]).expand(len(W_O), -1, -1), W_K
            ),
        ),
        Mistake(
            "W_V left out",
            "the sender writes W_V W_O, not W_O alone.",
            lambda W_V, W_O, W_K: torch.stack(
                [
                    torch.stack([_score(O, K) for K in W_K.repeat_interleave(len(W_O) // len(W_K), dim=0)])
                    for O in W_O
                ]
            ),
        ),
        Mistake(
            "spectral norms",
            "the score is of Frobenius norms: .norm(dim=(-2, -1)), the root of the sum of all squares.",
            _of_pairs(
                lambda A, B: (
                    torch.linalg.matrix_norm(A @ B, 2)
                    / (torch.linalg.matrix_norm(A, 2) * torch.linalg.matrix_norm(B, 2))
                )
            ),
        ),
        Mistake(
            "squared",
            "expected the score, not its square: take the root of the sum of squares.",
            lambda W_V, W_O, W_K: k_composition_scores(W_V, W_O, W_K).square(),
        ),
        Mistake(
            "one column per key head",
            "expected one column per query head of the later layer. Repeat the scores of shared keys.",
            lambda W_V, W_O, W_K: k_composition_scores(W_V, W_O, W_K)[:, :: len(W_O) // len(W_V)],
        ),
    ),
)
