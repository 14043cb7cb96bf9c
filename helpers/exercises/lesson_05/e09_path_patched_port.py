"""Exercise 5.9: one path, patched by hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def path_patched_port(
    stream: Float[Tensor, "row d_model"],
    store: Float[Tensor, "row d_model"],
    other_store: Float[Tensor, "row d_model"],
    W: Float[Tensor, "d_model d_head"],
    b: Float[Tensor, " d_head"],
) -> Float[Tensor, "row d_head"]:
    """What a port of a head reads when an earlier head left ``other_store`` instead of ``store``, all else as it was."""
    changed = stream - store + other_store
    read = torch.nn.functional.layer_norm(changed, changed.shape[-1:])
    return read @ W + b


def _added_on_top(stream, store, other_store, W, b):
    changed = stream + other_store
    read = torch.nn.functional.layer_norm(changed, changed.shape[-1:])
    return read @ W + b


def _norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _reading(read):
    return lambda stream, store, other, W, b: read(stream, store, other) @ W + b


def _centred(x):
    return x - x.mean(-1, keepdim=True)


def _scale(x):
    return (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt, LayerNorm written out."""
    stream, store, other = (torch.randn(4, 6, generator=generator(n)) for n in range(3))
    stream = 2 * stream + store + 1
    W, b = torch.randn(6, 3, generator=generator(3)), torch.randn(3, generator=generator(4))
    rows = []
    for n in range(4):
        x = stream[n] + (other[n] - store[n])
        x = x - x.mean()
        rows.append(W.T @ (x / (x.pow(2).mean() + 1e-5).sqrt()) + b)
    trial.matches((stream, store, other, W, b), torch.stack(rows), "row d_head", 1e-4)


EXERCISE = Exercise(
    id="5.9",
    title="one path by hand",
    minutes=7,
    difficulty=3,
    hints=(
        "Take the store out of the stream and put the other one in: stream - store + other_store.",
        "Then what every port does: LayerNorm (torch.nn.functional.layer_norm over the last axis), W, b.",
    ),
    reference=path_patched_port,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake("the old store left in", "the stream still holds `store`: subtract it.", _added_on_top),
        Mistake(
            "LayerNorm left out",
            "a head reads the stream through LayerNorm.",
            _reading(lambda x, store, other: x - store + other),
        ),
        Mistake(
            "LayerNorm of the parts",
            "LayerNorm is of the whole stream after the change, not of its parts.",
            _reading(lambda x, store, other: _norm(x) - _norm(store) + _norm(other)),
        ),
        Mistake(
            "LayerNorm before the change",
            "the stores are parts of the stream as it is before LayerNorm: change it first.",
            _reading(lambda x, store, other: _norm(x) - store + other),
        ),
        Mistake(
            "LayerNorm of the change",
            "LayerNorm is of the whole stream after the change.",
            _reading(lambda x, store, other: _norm(x) + _norm(other - store)),
        ),
        Mistake(
            "the old scale kept",
            "a changed stream has a scale of its own: LayerNorm after the change.",
            _reading(lambda x, store, other: _centred(x - store + other) / _scale(x)),
        ),
        Mistake(
            "the old mean and scale kept",
            "a changed stream has a mean and a scale of its own: LayerNorm after the change.",
            _reading(lambda x, store, other: (x - store + other - x.mean(-1, keepdim=True)) / _scale(x)),
        ),
        Mistake(
            "only the store read",
            "the head reads the whole stream, of which one store has changed.",
            _reading(lambda x, store, other: _norm(other)),
        ),
        Mistake(
            "the wrong way round",
            "`store` is what is there; it goes out, and `other_store` comes in.",
            _reading(lambda x, store, other: _norm(x + store - other)),
        ),
        Mistake(
            "nothing changed",
            "this is what the port reads as it is.",
            _reading(lambda x, store, other: _norm(x)),
        ),
        Mistake(
            "bias left out",
            "a port has a bias: + b.",
            lambda x, store, other, W, b: _norm(x - store + other) @ W,
        ),
    ),
)
