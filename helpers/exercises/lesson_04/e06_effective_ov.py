"""Exercise 4.6: the OV circuit of several heads together."""

import torch

from helpers.circuits import effective_OV
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _sums_multiplied(W_V, W_O):
    return W_V.sum(dim=0) @ W_O.sum(dim=0)


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
        "What each head stores is added to the stream; stores of the same row of memory add up.",
        'einsum(W_V, W_O, "head d_in d_head, head d_head d_out -> d_in d_out").',
    ),
    reference=effective_OV,
    tests=(_equals_sum_of_products,),
    mistakes=(
        Mistake(
            "product of the sums",
            "each head reads with its own W_V and writes with its own W_O: sum the products, not the factors.",
            _sums_multiplied,
        ),
        Mistake(
            "heads kept apart",
            "one matrix is asked for: sum over the heads.",
            lambda V, O: V @ O,
        ),
        Mistake(
            "mean instead of sum",
            "the heads' stores are added, not averaged.",
            lambda V, O: (V @ O).mean(0),
        ),
        Mistake(
            "heads in a chain",
            "the heads of a layer work side by side; a product of products is one head after another.",
            lambda V, O: torch.linalg.multi_dot([*(v @ o for v, o in zip(V, O)), torch.eye(V.shape[1])]),
        ),
        Mistake(
            "transposed",
            "rows are what is read: W_V W_O.",
            lambda V, O: effective_OV(V, O).T,
        ),
    ),
)
