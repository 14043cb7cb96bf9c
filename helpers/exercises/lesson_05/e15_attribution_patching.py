"""Exercise 5.15: attribution patching."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def attribution_patching(
    gradient: Float[Tensor, "prompt pos head d_head"],
    z: Float[Tensor, "prompt pos head d_head"],
    other: Float[Tensor, "prompt pos head d_head"],
) -> Float[Tensor, " head"]:
    """Estimated change of the metric when each head's z becomes ``other``:  Σ gradient · (other - z) ."""
    return (gradient * (other - z)).sum(dim=(0, 1, 3))


def _gradient_times_value(gradient, z, other):
    return (gradient * other).sum(dim=(0, 1, 3))


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry; and of a metric that is linear, for which the estimate is exact."""
    gradient, z, other = (torch.randn(3, 4, 5, 2, generator=generator(n)) for n in range(3))
    expected = torch.zeros(5)
    for n in range(3):
        for pos in range(4):
            for head in range(5):
                expected[head] += gradient[n, pos, head] @ (other[n, pos, head] - z[n, pos, head])
    trial.matches((gradient, z, other), expected, "head", 1e-4)


EXERCISE = Exercise(
    id="5.15",
    title="attribution patching",
    minutes=4,
    difficulty=1,
    hints=(
        "The change of a function is about its gradient times the change of what goes in.",
        "gradient * (other - z), summed over everything but the head.",
    ),
    reference=attribution_patching,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake("value instead of change", "multiply by the change, other - z.", _gradient_times_value),
        Mistake(
            "own value instead of change",
            "multiply by the change, other - z.",
            lambda gradient, z, other: (gradient * z).sum(dim=(0, 1, 3)),
        ),
        Mistake(
            "the wrong way round",
            "from z to other: the change is other - z.",
            lambda gradient, z, other: (gradient * (z - other)).sum(dim=(0, 1, 3)),
        ),
        Mistake(
            "averaged instead of summed",
            "contributions add up: sum over prompts, positions and d_head.",
            lambda gradient, z, other: (gradient * (other - z)).mean(dim=(0, 1, 3)),
        ),
        Mistake(
            "mean over prompts",
            "the gradient is of the metric over all prompts: sum over them, too.",
            lambda gradient, z, other: (gradient * (other - z)).mean(0).sum(dim=(0, 2)),
        ),
        Mistake(
            "sizes only",
            "contributions of either sign add up: no absolute values.",
            lambda gradient, z, other: (gradient * (other - z)).abs().sum(dim=(0, 1, 3)),
        ),
        Mistake(
            "size of the estimate",
            "the sign tells whether the head helps or hinders: no absolute value.",
            lambda gradient, z, other: attribution_patching(gradient, z, other).abs(),
        ),
        Mistake(
            "one number a position and head",
            "sum over everything but the head.",
            lambda gradient, z, other: (gradient * (other - z)).sum(dim=(0, 3)),
        ),
        Mistake(
            "positions kept, heads summed",
            "one number a head: the head is the third axis.",
            lambda gradient, z, other: (gradient * (other - z)).sum(dim=(0, 2, 3)),
        ),
        Mistake(
            "z instead of a gradient",
            "the gradient is missing.",
            lambda gradient, z, other: (other - z).sum(dim=(0, 1, 3)),
        ),
    ),
)
