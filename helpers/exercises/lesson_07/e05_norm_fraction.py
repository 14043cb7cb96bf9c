"""Exercise 7.5: fraction of the squared norm in few coordinates."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def norm_fraction(stream: Float[Tensor, "pos d_model"], k: int) -> Float[Tensor, " pos"]:
    """Return the fraction of the squared norm in the k largest coordinates of each position."""
    squares = stream.square()
    return squares.topk(k, dim=-1).values.sum(dim=-1) / squares.sum(dim=-1)


def _equals_loops(trial: Trial) -> None:
    """Oracle: sorted squares, position by position; one, some and all coordinates."""
    for seed, n_pos, d_model, k in ((0, 5, 9, 3), (1, 4, 7, 1), (2, 3, 6, 6), (3, 1, 8, 2), (4, 9, 4, 2)):
        stream = torch.randn(n_pos, d_model, generator=generator(seed))
        stream[0, 1] = -30.0  # massive and negative
        stream[-1] *= 10  # another length
        expected = [
            sum(sorted((x * x for x in row), reverse=True)[:k]) / sum(x * x for x in row)
            for row in stream.tolist()
        ]
        trial.matches((stream, k), torch.tensor(expected), "pos")


def _largest_of_all_positions(stream, k):
    chosen = stream.square().sum(dim=0).topk(k).indices
    return stream[:, chosen].square().sum(dim=1) / stream.square().sum(dim=1)


def _signed(stream, k):
    return stream.topk(k, dim=-1).values.square().sum(dim=-1) / stream.square().sum(dim=-1)


EXERCISE = Exercise(
    id="7.5",
    title="fraction of the norm in few coordinates",
    minutes=4,
    difficulty=1,
    hints=(
        "The squared norm is the sum of the squared coordinates. So rank the squares.",
        "`topk(k, dim=-1).values` gives the largest k of each row.",
    ),
    reference=norm_fraction,
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "norms instead of squares",
            "expected a fraction of the squared norm: the squares of the coordinates add up, norms do not.",
            lambda stream, k: norm_fraction(stream, k).sqrt(),
        ),
        Mistake(
            "absolute values instead of squares",
            "a norm is made of squares: square the coordinates before the sums.",
            lambda stream, k: stream.abs().topk(k, dim=-1).values.sum(dim=-1) / stream.abs().sum(dim=-1),
        ),
        Mistake(
            "negative coordinates not counted",
            "a coordinate is large if its absolute value is. Square before you rank.",
            _signed,
        ),
        Mistake(
            "the same coordinates at every position",
            "every position has its own k largest coordinates: rank along the last axis.",
            _largest_of_all_positions,
        ),
        Mistake(
            "the first position's coordinates",
            "every position has its own k largest coordinates, not those of position 0.",
            lambda stream, k: (
                stream[:, stream[0].abs().topk(k).indices].square().sum(dim=1) / stream.square().sum(dim=1)
            ),
        ),
        Mistake(
            "smallest coordinates",
            "these are the k smallest coordinates. topk with largest=True, its default, takes the largest.",
            lambda stream, k: (
                stream.square().topk(k, dim=-1, largest=False).values.sum(dim=-1)
                / stream.square().sum(dim=-1)
            ),
        ),
        Mistake(
            "k-th coordinate alone",
            "add up all k largest squares, not only the last of them.",
            lambda stream, k: stream.square().topk(k, dim=-1).values[:, -1] / stream.square().sum(dim=-1),
        ),
        Mistake(
            "not divided",
            "expected a fraction: divide by the squared norm of the position.",
            lambda stream, k: stream.square().topk(k, dim=-1).values.sum(dim=-1),
        ),
        Mistake(
            "divided by the norm",
            "divide by the squared norm, the sum of all squares.",
            lambda stream, k: stream.square().topk(k, dim=-1).values.sum(dim=-1) / stream.norm(dim=-1),
        ),
        Mistake(
            "divided by all positions",
            "divide by the squared norm of the same position: sum over the last axis only.",
            lambda stream, k: stream.square().topk(k, dim=-1).values.sum(dim=-1) / stream.square().sum(),
        ),
        Mistake(
            "one number for all positions",
            "expected one fraction per position: do not average over positions.",
            lambda stream, k: norm_fraction(stream, k).mean(),
        ),
        Mistake(
            "coordinates and positions swapped",
            "the coordinates are the last axis: dim=-1.",
            lambda stream, k: norm_fraction(stream.T, min(k, len(stream))),
        ),
    ),
)
