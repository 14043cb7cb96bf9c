"""Exercise 5.3: what one part of the stream becomes in LayerNorm of the stream."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator

EPSILON = 1e-5


def part_after_layer_norm(
    part: Float[Tensor, "row d_model"], stream: Float[Tensor, "row d_model"]
) -> Float[Tensor, "row d_model"]:
    """Return what one part of the stream becomes in folded LayerNorm of the stream.

    The formula is  (part - mean(part)) / sqrt(var(stream) + 1e-5).  The results of all parts sum to
    LayerNorm of the stream.

    >>> part, stream = torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, -2.0]])
    >>> part_after_layer_norm(part, stream).round(decimals=3)
    tensor([[ 0.5000, -0.5000]])
    """
    scale = (stream.var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()
    return (part - part.mean(dim=-1, keepdim=True)) / scale


def _centred(x):
    return x - x.mean(-1, keepdim=True)


def _scale(x, correction=0, epsilon=EPSILON):
    return (x.var(-1, correction=correction, keepdim=True) + epsilon).sqrt()


def _normed(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: row by row; one row, a part opposed to the rest, streams where ε counts."""
    for rows, d_model, size in ((4, 7, 1.0), (1, 5, 1.0), (3, 6, 0.005)):
        part, rest = (size * torch.randn(rows, d_model, generator=generator(n)) for n in range(2))
        part, rest = part + 2 * size, 3 * rest - size
        part[0] = -0.8 * rest[0]
        stream, expected = part + rest, []
        for n in range(rows):
            deviations = stream[n] - stream[n].sum() / d_model
            variance = (deviations * deviations).sum() / d_model
            expected.append((part[n] - part[n].sum() / d_model) / (variance + EPSILON) ** 0.5)
        trial.matches((part, stream), torch.stack(expected), "row d_model", 1e-4)


EXERCISE = Exercise(
    id="5.3",
    title="pass a vector through LayerNorm",
    minutes=5,
    difficulty=2,
    hints=(
        "Which of the two steps, subtracting the mean and dividing by the scale, depends on the rest of the stream?",
        "The mean of a sum is the sum of the means. So each part loses its own mean.",
        "The scale is that of the whole stream: `(stream.var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()`.",
    ),
    reference=part_after_layer_norm,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the part's own scale",
            "LayerNorm divides by the scale of the whole stream, not by that of the part.",
            lambda part, stream: _normed(part),
        ),
        Mistake(
            "the whole stream",
            "this is LayerNorm of the whole stream. Return what the part becomes in it.",
            lambda part, stream: _normed(stream),
        ),
        Mistake(
            "not centred",
            "LayerNorm subtracts the mean: the part loses its own mean over d_model.",
            lambda part, stream: part / _scale(stream),
        ),
        Mistake(
            "the stream's mean subtracted",
            "subtract the mean of the part. If each part lost the mean of the stream, the sum would lose it several times.",
            lambda part, stream: (part - stream.mean(-1, keepdim=True)) / _scale(stream),
        ),
        Mistake(
            "not divided",
            "LayerNorm also divides by the scale of the stream.",
            lambda part, stream: _centred(part),
        ),
        Mistake(
            "the change of LayerNorm",
            "without the part the scale would change, too. Keep the scale of the whole stream.",
            lambda part, stream: _normed(stream) - _normed(stream - part),
        ),
        Mistake(
            "the scale of the rest",
            "divide by the scale of the whole stream, with the part in it.",
            lambda part, stream: _centred(part) / _scale(stream - part),
        ),
        Mistake(
            "n - 1 in the variance",
            "LayerNorm divides the sum of squares by n, not by n - 1: correction=0.",
            lambda part, stream: _centred(part) / _scale(stream, correction=1),
        ),
        Mistake(
            "ε missing",
            "add 1e-5 to the variance before the square root. It counts where the stream is short.",
            lambda part, stream: _centred(part) / _scale(stream, epsilon=0),
        ),
        Mistake(
            "ε added to the standard deviation",
            "add 1e-5 to the variance, before the square root.",
            lambda part, stream: _centred(part) / (_scale(stream, epsilon=0) + EPSILON),
        ),
        Mistake(
            "the stream not centred in its scale",
            "the scale is the standard deviation of the stream, not the root of its mean square.",
            lambda part, stream: _centred(part) / (stream.square().mean(-1, keepdim=True) + EPSILON).sqrt(),
        ),
        Mistake(
            "divided by the variance",
            "divide by the square root of the variance.",
            lambda part, stream: _centred(part) / _scale(stream) ** 2,
        ),
        Mistake(
            "one scale for all rows",
            "every row has its own scale: dim=-1 with keepdim=True.",
            lambda part, stream: _centred(part) / (stream.var(correction=0) + EPSILON).sqrt(),
        ),
    ),
)
