"""What the two exercises of heads set by hand share: a stream of one-hot rooms, and what a head does on it."""

import torch
from torch import Tensor

from helpers.exercises.engine import Wrong
from helpers.exercises.inputs import generator
from helpers.planted import Layout, attend, distinct_repeated, previous_token_head

LAYOUT = Layout(d_vocab=9, n_ctx=14)
LENGTH = 6
TOKENS = distinct_repeated(LAYOUT, LENGTH, 1, generator(0))[0]


def embedded() -> tuple[Tensor, Tensor]:
    """What the first layer reads: tokens, and positions, which only Q and K see."""
    n = len(TOKENS)
    x, p = torch.zeros(2, n, LAYOUT.d_model)
    x[torch.arange(n), LAYOUT.token.start + TOKENS] = 1
    p[torch.arange(n), LAYOUT.position.start + torch.arange(n)] = 1
    return x, p


def after_layer_0() -> tuple[Tensor, Tensor]:
    """What the second layer reads: the previous token is there, too."""
    x, p = embedded()
    return x + attend(previous_token_head(LAYOUT), x, p)[1], p


def weights(head) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four matrices of the right shapes, or ``Wrong``."""
    d_model, d_head = LAYOUT.d_model, LAYOUT.d_head
    if not isinstance(head, tuple | list) or len(head) != 4:
        raise Wrong("wrong type", "return four matrices: W_Q, W_K, W_V, W_O.")
    for name, weight, shape in zip(
        ("W_Q", "W_K", "W_V", "W_O"), head, 3 * [(d_model, d_head)] + [(d_head, d_model)]
    ):
        if not isinstance(weight, Tensor) or weight.shape != shape:
            found = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
            raise Wrong("wrong shape", f"{name} is {list(shape)} for these sizes, got {found}.")
    if not any(weight.any() for weight in head):
        raise Wrong("all zeros", "all weights are still zero.")
    return tuple(weight.detach().float() for weight in head)


def asking(head) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four matrices of a head that compares something, or ``Wrong``."""
    W_Q, W_K, W_V, W_O = weights(head)
    if not (W_Q.any() and W_K.any()):
        raise Wrong(
            "asks nothing", "W_Q or W_K is still zero: all scores are alike, so everybody gets attention."
        )
    return W_Q, W_K, W_V, W_O


def changed_head(head, change):
    """A head with its matrices changed in place by ``change(layout, W_Q, W_K, W_V, W_O)``."""

    def answer(layout):
        weights = head(layout)
        change(layout, *weights)
        return weights

    return answer


def soft(layout, W_Q, W_K, W_V, W_O):
    W_Q /= layout.strength


def room(name):
    def move(layout, W_Q, W_K, W_V, W_O):
        W_O.zero_()
        W_O[: layout.d_vocab, getattr(layout, name)] = torch.eye(layout.d_vocab)

    return move
