"""Exercise 4.6: the OV circuit of several heads together."""

import torch

from helpers.circuits import effective_OV
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_sum_of_products(trial: Trial) -> None:
    """Oracle: one head at a time."""
    for heads, d_model, d_head in [(3, 7, 5), (1, 7, 5), (4, 3, 6)]:
        W_V = torch.randn(heads, d_model, d_head, generator=generator(0))
        W_O = torch.randn(heads, d_head, d_model, generator=generator(1))
        expected = torch.zeros(d_model, d_model)
        for V, O in zip(W_V, W_O):
            expected += V @ O
        trial.matches((W_V, W_O), expected, "d_model_in d_model_out", 1e-4)


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
        Mistake(
            "reshape in place of permute",
            "reshape does not move an axis: it mixes the entries of different heads. "
            "Permute W_V to [d_model head d_head] first.",
            lambda V, O: V.reshape(V.shape[1], -1) @ O.flatten(0, 1),
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
