"""Exercise 5.10: one path by hand, from a head into a port of a later head (Wang et al. 2022)."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def path_patched_port(
    stream: Float[Tensor, "row d_model"],
    output: Float[Tensor, "row d_model"],
    source_output: Float[Tensor, "row d_model"],
    W: Float[Tensor, "d_model d_head"],
    b: Float[Tensor, " d_head"],
) -> Float[Tensor, "row d_head"]:
    """Query, key or value of a head when the stream holds ``source_output`` instead of ``output``.

    The formula is  LayerNorm(stream - output + source_output) W + b .

    >>> x = torch.tensor([[1.0, -1.0]])
    >>> path_patched_port(x, x, -x, torch.eye(2), torch.zeros(2)).round(decimals=3)
    tensor([[-1.,  1.]])
    """
    changed = stream - output + source_output
    read = torch.nn.functional.layer_norm(changed, changed.shape[-1:])
    return read @ W + b


def _reading(read):
    """The port of a head that reads ``read(stream, output, source_output)``."""
    return lambda stream, output, source_output, W, b: read(stream, output, source_output) @ W + b


def _norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _centred(x):
    return x - x.mean(-1, keepdim=True)


def _scale(x):
    return (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: row by row, LayerNorm written out; a single row, d_head above and below d_model."""
    for rows, d_model, d_head in ((4, 7, 3), (1, 5, 8)):
        stream, output, source_output = (torch.randn(rows, d_model, generator=generator(n)) for n in range(3))
        stream = 2 * stream + output + 1
        W, b = (
            torch.randn(d_model, d_head, generator=generator(3)),
            torch.randn(d_head, generator=generator(4)),
        )
        expected = []
        for n in range(rows):
            x = stream[n] + (source_output[n] - output[n])
            x = x - x.mean()
            expected.append(W.T @ (x / (x.pow(2).mean() + 1e-5).sqrt()) + b)
        trial.matches((stream, output, source_output, W, b), torch.stack(expected), "row d_head", 1e-4)


EXERCISE = Exercise(
    id="5.10",
    title="one path by hand",
    minutes=7,
    difficulty=3,
    hints=(
        "A head reads the whole stream through LayerNorm. Which vector leaves the stream first, and which one takes its place?",
        "The changed stream is `stream - output + source_output`.",
        "Then do what every port does: LayerNorm over the last axis (`torch.nn.functional.layer_norm`), a matrix and a bias.",
    ),
    reference=path_patched_port,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the old output left in",
            "the stream still holds `output`: subtract it.",
            _reading(lambda x, output, source: _norm(x + source)),
        ),
        Mistake(
            "LayerNorm left out",
            "a head reads the stream through LayerNorm.",
            _reading(lambda x, output, source: x - output + source),
        ),
        Mistake(
            "LayerNorm of the parts",
            "LayerNorm acts on the whole stream after the change, not on its parts.",
            _reading(lambda x, output, source: _norm(x) - _norm(output) + _norm(source)),
        ),
        Mistake(
            "LayerNorm before the change",
            "head outputs are parts of the stream before LayerNorm: change the stream first.",
            _reading(lambda x, output, source: _norm(x) - output + source),
        ),
        Mistake(
            "LayerNorm of the change",
            "LayerNorm acts on the whole stream after the change.",
            _reading(lambda x, output, source: _norm(x) + _norm(source - output)),
        ),
        Mistake(
            "the old scale kept",
            "a changed stream has its own scale: apply LayerNorm after the change.",
            _reading(lambda x, output, source: _centred(x - output + source) / _scale(x)),
        ),
        Mistake(
            "the old mean and scale kept",
            "a changed stream has its own mean and scale: apply LayerNorm after the change.",
            _reading(lambda x, output, source: (_centred(x) - output + source) / _scale(x)),
        ),
        Mistake(
            "n - 1 in the standard deviation",
            "LayerNorm divides by n, not by n - 1: x.std(dim=-1, correction=0, keepdim=True).",
            _reading(
                lambda x, output, source: (
                    _centred(x - output + source) / (x - output + source).std(-1, keepdim=True)
                )
            ),
        ),
        Mistake(
            "not centred",
            "LayerNorm subtracts the mean over d_model before it divides.",
            _reading(lambda x, output, source: (x - output + source) / _scale(x - output + source)),
        ),
        Mistake(
            "not centred",
            "LayerNorm subtracts the mean over d_model before it divides.",
            _reading(
                lambda x, output, source: torch.nn.functional.rms_norm(
                    x - output + source, x.shape[-1:], eps=1e-5
                )
            ),
        ),
        Mistake(
            "LayerNorm over rows",
            "LayerNorm acts on each row by itself, over d_model.",
            _reading(lambda x, output, source: torch.nn.functional.layer_norm(x - output + source, x.shape)),
        ),
        Mistake(
            "only the output read",
            "the head reads the whole stream, in which one output has changed.",
            _reading(lambda x, output, source: _norm(source)),
        ),
        Mistake(
            "the wrong way round",
            "`output` is in the stream: subtract it, and add `source_output`.",
            _reading(lambda x, output, source: _norm(x + output - source)),
        ),
        Mistake(
            "nothing changed",
            "this is what the port reads without a patch.",
            _reading(lambda x, output, source: _norm(x)),
        ),
        Mistake(
            "bias left out",
            "a port has a bias: + b.",
            lambda x, output, source, W, b: _norm(x - output + source) @ W,
        ),
    ),
)
