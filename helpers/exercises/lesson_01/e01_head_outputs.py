"""Exercise 1.1: the residual stream as a sum of head outputs."""

import itertools

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import head_outputs


def _reshaped(z, W_O):
    """The outputs of z whose axes pos and head are reshaped, not transposed."""
    layers, pos, heads, d_head = z.shape
    return z.reshape(layers, heads, pos, d_head) @ W_O


def _every_output_equals_a_product(trial: Trial) -> None:
    """Oracle: one vector times one matrix, for each layer, head and position."""
    for seed, (layers, pos, heads, d_head, d_model) in enumerate([(2, 6, 3, 5, 7), (1, 4, 3, 5, 7)]):
        z = torch.randn(layers, pos, heads, d_head, generator=generator(seed))
        W_O = torch.randn(layers, heads, d_head, d_model, generator=generator(seed + 9))
        expected = torch.zeros(layers, heads, pos, d_model)
        for layer, head, i in itertools.product(range(layers), range(heads), range(pos)):
            expected[layer, head, i] = z[layer, i, head] @ W_O[layer, head]
        trial.matches((z, W_O), expected, "layer head pos d_model")


EXERCISE = Exercise(
    id="1.1",
    title="what each head stores",
    minutes=5,
    difficulty=1,
    hints=(
        "`z` holds what a head read, in a space of only `d_head` numbers. `W_O` carries it into the residual stream.",
        "One einsum sums over `d_head` and keeps layer, head, pos and `d_model`.",
    ),
    reference=head_outputs,
    tests=(_every_output_equals_a_product,),
    mistakes=(
        Mistake(
            "summed over the heads",
            "the heads are added together; keep one output per head: [layer, head, pos, d_model].",
            lambda z, W_O: head_outputs(z, W_O).sum(dim=1),
        ),
        Mistake(
            "reshape instead of transpose",
            "reshape mixes positions and heads: swap these two axes of z with transpose, or use einsum.",
            _reshaped,
        ),
        Mistake(
            "one layer's W_O for all",
            "every layer has its own W_O: match the layer axis of z with that of W_O.",
            lambda z, W_O: torch.einsum("lphd,hdm->lhpm", z, W_O[0]),
        ),
        Mistake(
            "one head's W_O for all",
            "every head has its own W_O: match the head axis of z with that of W_O.",
            lambda z, W_O: torch.einsum("lphd,ldm->lhpm", z, W_O[:, 0]),
        ),
    ),
)
