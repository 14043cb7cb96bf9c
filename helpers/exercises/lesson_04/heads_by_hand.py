"""Inputs, checks and wrong weights for the two exercises of heads set by hand (4.9 and 4.10).

Weights are judged by their effect: any weights with the right pattern and output are right.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises.engine import Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.planted import (
    HeadWeights,
    Layout,
    attend,
    current_token_head,
    distinct_repeated,
    first_token_head,
    previous_token_head,
)

LENGTH = 8  # tokens per copy
LAYOUT = Layout(d_vocab=LENGTH + 1, n_ctx=2 * LENGTH + 1)  # every token and every position occurs
TOKENS = distinct_repeated(LAYOUT, LENGTH, 1, generator(0))[0]


def first_layer_input() -> tuple[Tensor, Tensor]:
    """Return the embedded tokens, and the positions that are added at Q and K only."""
    n = len(TOKENS)
    x, p = torch.zeros(2, n, LAYOUT.d_model)
    x[torch.arange(n), LAYOUT.token.start + TOKENS] = 1
    p[torch.arange(n), LAYOUT.position.start + torch.arange(n)] = 1
    return x, p


def second_layer_input() -> tuple[Tensor, Tensor]:
    """Return the input of the second layer: the previous-token head and two decoys have written."""
    x, p = first_layer_input()
    heads = (current_token_head, previous_token_head, first_token_head)
    return x + sum(attend(head(LAYOUT), x, p)[1] for head in heads), p


def check_head(
    trial: Trial,
    inputs: tuple[Tensor, Tensor],
    pattern: Tensor,
    output: Tensor,
    rows: slice = slice(None),
    where: str = "",
) -> None:
    """Raise ``Wrong`` unless pattern and output of the answer's head are right in these rows."""

    def pattern_of(head: Callable) -> Tensor:
        return attend(_checked_weights(head(LAYOUT)), *inputs)[0][rows]

    def output_of(head: Callable) -> Tensor:
        if not torch.allclose(pattern_of(head), pattern, atol=1e-3):
            # a mistake in the pattern has a name, whatever W_V and W_O are
            return torch.full_like(output, torch.inf)
        return attend(_checked_weights(head(LAYOUT)), *inputs)[1][rows]

    _check_strength(pattern_of(trial.call), pattern)
    trial.behaves(pattern_of, pattern, "query key", 1e-3, f"the pattern of your head{where}")
    trial.behaves(output_of, output, "pos d_model", 1e-3, f"the output of your head{where}")


def _check_strength(observed: Tensor, expected: Tensor) -> None:
    """Raise ``Wrong`` if the right keys get the most attention of all, but not all attention."""
    right = observed[expected == 1]
    others = observed.masked_fill(expected == 1, 0).amax(dim=1)
    if (right > 1.01 * others).all() and (right < 0.999).any():
        raise Wrong(
            "too soft",
            "the right keys get the most attention, but the scores are so close together that other keys "
            "get some, too. Multiply W_Q by layout.strength.",
        )


def _checked_weights(head) -> HeadWeights:
    """Return the four matrices of a head in single precision; raise ``Wrong`` for other shapes."""
    d_model, d_head = LAYOUT.d_model, LAYOUT.d_head
    if not isinstance(head, tuple | list) or len(head) != 4:
        received = f"{len(head)} of them" if isinstance(head, tuple | list) else type(head).__name__
        raise Wrong("wrong type", f"expected four matrices W_Q, W_K, W_V, W_O, got {received}.")
    shapes = 3 * [(d_model, d_head)] + [(d_head, d_model)]
    for name, weight, shape in zip(("W_Q", "W_K", "W_V", "W_O"), head, shapes):
        if not isinstance(weight, Tensor) or weight.shape != shape:
            received = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
            raise Wrong("wrong shape", f"expected {name} of shape {list(shape)} here, got {received}.")
    if not any(weight.any() for weight in head):
        raise Wrong("all zeros", "all weights are still zero.")
    if not (head[0].any() and head[1].any()):
        raise Wrong(
            "scores all zero",
            "W_Q or W_K is still zero, so all scores are equal and every key gets the same attention.",
        )
    return HeadWeights(*(weight.detach().float() for weight in head))


def mistake(reference: Callable, name: str, explanation: str, change: Callable) -> Mistake:
    """Return a mistake: the reference's matrices after ``change(layout, *matrices)``, in place."""

    def answer(layout):
        weights = reference(layout)
        change(layout, *weights)
        return weights

    return Mistake(name, explanation, answer)


def output_to(subspace: str) -> Callable:
    """Return a change of ``W_O`` that writes to another subspace, such as "scratch"."""

    def change(layout, W_Q, W_K, W_V, W_O):
        W_O.zero_()
        W_O[: layout.d_vocab, getattr(layout, subspace)] = torch.eye(layout.d_vocab)

    return change


def output_also_to(subspace: str) -> Callable:
    """Return a change of ``W_O`` that writes to a second subspace as well."""

    def change(layout, W_Q, W_K, W_V, W_O):
        W_O[: layout.d_vocab, getattr(layout, subspace)] += torch.eye(layout.d_vocab)

    return change


def output_times_strength(layout, W_Q, W_K, W_V, W_O):
    """Multiply ``W_O`` by the strength that is meant for ``W_Q``."""
    W_O *= layout.strength


def nothing_written(layout, W_Q, W_K, W_V, W_O):
    """Set ``W_O`` to zero."""
    W_O.zero_()
