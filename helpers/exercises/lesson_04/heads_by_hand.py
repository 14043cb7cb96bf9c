"""Inputs, checks and wrong weights for the two exercises of heads set by hand (4.9 and 4.10).

Weights are judged by their effect: any weights with the right pattern and output are right.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises.engine import Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.planted import HeadWeights, Layout, attend, distinct_repeated, previous_token_head

LAYOUT = Layout(d_vocab=9, n_ctx=14)
LENGTH = 6  # tokens per copy
TOKENS = distinct_repeated(LAYOUT, LENGTH, 1, generator(0))[0]


def first_layer_input() -> tuple[Tensor, Tensor]:
    """Return the embedded tokens, and the positions that are added at Q and K only."""
    n = len(TOKENS)
    x, p = torch.zeros(2, n, LAYOUT.d_model)
    x[torch.arange(n), LAYOUT.token.start + TOKENS] = 1
    p[torch.arange(n), LAYOUT.position.start + torch.arange(n)] = 1
    return x, p


def second_layer_input() -> tuple[Tensor, Tensor]:
    """Return the input of the second layer: at each position the previous token is added."""
    x, p = first_layer_input()
    return x + attend(previous_token_head(LAYOUT), x, p)[1], p


def check_pattern(
    trial: Trial, inputs: tuple[Tensor, Tensor], expected: Tensor, rows: slice = slice(None), what: str = ""
) -> None:
    """Raise ``Wrong`` unless the attention pattern of the answer's head is right in these rows."""
    trial.behaves(
        lambda head: attend(_weights_that_compare(head(LAYOUT)), *inputs)[0][rows],
        expected,
        "query key",
        1e-3,
        f"the pattern of your head{what}",
    )


def check_output(
    trial: Trial, inputs: tuple[Tensor, Tensor], expected: Tensor, rows: slice = slice(None), what: str = ""
) -> None:
    """Raise ``Wrong`` unless the output of the answer's head is right in these rows."""
    trial.behaves(
        lambda head: attend(_checked_weights(head(LAYOUT)), *inputs)[1][rows],
        expected,
        "pos d_model",
        1e-3,
        f"the output of your head{what}",
    )


def _weights_that_compare(head) -> HeadWeights:
    """Return the four matrices of a head; raise ``Wrong`` if its scores are all zero."""
    weights = _checked_weights(head)
    if not (weights.W_Q.any() and weights.W_K.any()):
        raise Wrong(
            "asks nothing",
            "W_Q or W_K is still zero, so all scores are equal and every key gets the same attention.",
        )
    return weights


def _checked_weights(head) -> HeadWeights:
    """Return the four matrices of a head in single precision; raise ``Wrong`` at other shapes."""
    d_model, d_head = LAYOUT.d_model, LAYOUT.d_head
    if not isinstance(head, tuple | list) or len(head) != 4:
        raise Wrong("wrong type", "return four matrices: W_Q, W_K, W_V, W_O.")
    shapes = 3 * [(d_model, d_head)] + [(d_head, d_model)]
    for name, weight, shape in zip(("W_Q", "W_K", "W_V", "W_O"), head, shapes):
        if not isinstance(weight, Tensor) or weight.shape != shape:
            received = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
            raise Wrong("wrong shape", f"expected {name} of shape {list(shape)} here, got {received}.")
    if not any(weight.any() for weight in head):
        raise Wrong("all zeros", "all weights are still zero.")
    return HeadWeights(*(weight.detach().float() for weight in head))


def mistake(reference: Callable, name: str, explanation: str, change: Callable) -> Mistake:
    """Return a mistake: the reference's matrices after ``change(layout, *matrices)``, in place."""

    def answer(layout):
        weights = reference(layout)
        change(layout, *weights)
        return weights

    return Mistake(name, explanation, answer)


def _weak_queries(layout, W_Q, W_K, W_V, W_O):
    W_Q /= layout.strength


TOO_SOFT = (
    "too soft",
    "the scores are so close together that every key gets some attention. Multiply W_Q by layout.strength.",
    _weak_queries,
)


def output_to(subspace: str) -> Callable:
    """Return a change of ``W_O`` that writes to another subspace, such as "scratch"."""

    def change(layout, W_Q, W_K, W_V, W_O):
        W_O.zero_()
        W_O[: layout.d_vocab, getattr(layout, subspace)] = torch.eye(layout.d_vocab)

    return change
