"""Exercise 4.6: the OV circuit of several heads together."""

import torch

from helpers.circuits import effective_OV
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_sum_of_products(trial: Trial) -> None:
    """Oracle: one head at a time."""
    W_V = torch.randn(3, 6, 4, generator=generator(0))
    W_O = torch.randn(3, 4, 6, generator=generator(1))
    expected = W_V[0] @ W_O[0] + W_V[1] @ W_O[1] + W_V[2] @ W_O[2]
    trial.matches((W_V, W_O), expected, "d_model d_model", tolerance=1e-4)
    trial.matches((W_V[:1], W_O[:1]), W_V[0] @ W_O[0], "d_model d_model", tolerance=1e-4)


EXERCISE = Exercise(
    id="4.6",
    title="several heads as one",
    minutes=3,
    difficulty=1,
    hints=(
        "Head outputs are added to the stream. If all heads attend to the same token, their OV matrices add up.",
        "Each head multiplies its own `W_V` and `W_O`. Sum the products over the heads, by `einsum` or by `sum`.",
    ),
    reference=effective_OV,
    tests=(_equals_sum_of_products,),
    mistakes=(
        Mistake(
            "product of the sums",
            "each head reads with its own W_V and writes with its own W_O. Sum the products, not the factors.",
            lambda V, O: V.sum(dim=0) @ O.sum(dim=0),
        ),
        Mistake("heads kept apart", "expected one matrix. Sum over the heads.", lambda V, O: V @ O),
        Mistake(
            "mean instead of sum",
            "head outputs are added, not averaged.",
            lambda V, O: (V @ O).mean(0),
        ),
        Mistake(
            "heads in a chain",
            "the heads of a layer work in parallel. A product of their OV matrices is one head after another.",
            lambda V, O: torch.linalg.multi_dot([*(V @ O), torch.eye(V.shape[1])]),
        ),
        Mistake(
            "transposed",
            "rows are the directions that are read: W_V W_O.",
            lambda V, O: effective_OV(V, O).T,
        ),
    ),
)
