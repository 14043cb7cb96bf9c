"""Exercise 5.9: one path, patched by hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def query_by_path(
    stream: Float[Tensor, "prompt d_model"],
    store: Float[Tensor, "prompt d_model"],
    other_store: Float[Tensor, "prompt d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    b_Q: Float[Tensor, " d_head"],
) -> Float[Tensor, "prompt d_head"]:
    """The query of a head that reads ``other_store`` where an earlier head left ``store``, all else as it was."""
    changed = stream - store + other_store
    read = torch.nn.functional.layer_norm(changed, changed.shape[-1:])
    return read @ W_Q + b_Q


def added_on_top(stream, store, other_store, W_Q, b_Q):
    changed = stream + other_store
    read = torch.nn.functional.layer_norm(changed, changed.shape[-1:])
    return read @ W_Q + b_Q


def norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def reading(read):
    return lambda stream, store, other, W_Q, b_Q: read(stream, store, other) @ W_Q + b_Q


def scale(x):
    return (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()


def equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt, LayerNorm written out."""
    stream, store, other = (torch.randn(4, 6, generator=generator(n)) for n in range(3))
    stream = 2 * stream + store + 1
    W_Q, b_Q = torch.randn(6, 3, generator=generator(3)), torch.randn(3, generator=generator(4))
    rows = []
    for n in range(4):
        x = stream[n] + (other[n] - store[n])
        x = x - x.mean()
        rows.append(W_Q.T @ (x / (x.pow(2).mean() + 1e-5).sqrt()) + b_Q)
    trial.matches((stream, store, other, W_Q, b_Q), torch.stack(rows), "prompt d_head", 1e-4)


EXERCISE = Exercise(
    id="5.9",
    title="one path by hand",
    minutes=7,
    difficulty=3,
    hints=(
        "Take the store out of the stream and put the other one in: stream - store + other_store.",
        "Then what every query does: LayerNorm (torch.nn.functional.layer_norm over the last axis), W_Q, b_Q.",
    ),
    reference=query_by_path,
    tests=(equals_by_hand,),
    mistakes=(
        Mistake("the old store left in", "the stream still holds `store`: subtract it.", added_on_top),
        Mistake(
            "LayerNorm left out",
            "a head reads the stream through LayerNorm.",
            reading(lambda x, store, other: x - store + other),
        ),
        Mistake(
            "LayerNorm of the change",
            "LayerNorm is of the whole stream after the change, not of its parts.",
            reading(lambda x, store, other: norm(x) - norm(store) + norm(other)),
        ),
        Mistake(
            "the old scale kept",
            "a changed stream has a scale of its own: LayerNorm after the change.",
            reading(
                lambda x, store, other: (
                    (x - store + other - (x - store + other).mean(-1, keepdim=True)) / scale(x)
                )
            ),
        ),
        Mistake(
            "only the store read",
            "the head reads the whole stream, of which one store has changed.",
            reading(lambda x, store, other: norm(other)),
        ),
        Mistake(
            "the wrong way round",
            "`store` is what is there; it goes out, and `other_store` comes in.",
            reading(lambda x, store, other: norm(x + store - other)),
        ),
        Mistake(
            "nothing changed",
            "this is the query as it was.",
            reading(lambda x, store, other: norm(x)),
        ),
        Mistake(
            "bias left out",
            "W_Q has a bias: + b_Q.",
            lambda x, store, other, W_Q, b_Q: norm(x - store + other) @ W_Q,
        ),
    ),
)
