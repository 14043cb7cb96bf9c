"""Exercise 5.16: attribution patching, activation patching to first order (Nanda 2023)."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def attribution_patching(
    gradient: Float[Tensor, "prompt pos head d_head"],
    z: Float[Tensor, "prompt pos head d_head"],
    source_z: Float[Tensor, "prompt pos head d_head"],
) -> Float[Tensor, " head"]:
    """Estimated change of a metric when the z of each head becomes ``source_z``.

    The formula is  Σ gradient · (source_z - z) , over prompts, positions and d_head.

    >>> ones = torch.ones(1, 2, 3, 4)
    >>> attribution_patching(gradient=ones, z=ones, source_z=2 * ones)
    tensor([8., 8., 8.])
    """
    return (gradient * (source_z - z)).sum(dim=(0, 1, 3))


def _summed(product, axes=(0, 1, 3)):
    """``product(gradient, z, source_z)`` summed over axes."""
    return lambda gradient, z, source_z: product(gradient, z, source_z).sum(dim=axes)


def _estimate(gradient, z, source_z):
    return gradient * (source_z - z)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt, position by position, head by head."""
    gradient, z, source_z = (torch.randn(3, 8, 5, 11, generator=generator(n)) for n in range(3))
    expected = torch.zeros(5)
    for n in range(3):
        for pos in range(8):
            for head in range(5):
                expected[head] += gradient[n, pos, head] @ (source_z[n, pos, head] - z[n, pos, head])
    trial.matches((gradient, z, source_z), expected, "head", 1e-4)


EXERCISE = Exercise(
    id="5.16",
    title="attribution patching",
    minutes=4,
    difficulty=1,
    hints=(
        "To first order, the change of a function is its gradient times the change of its input.",
        "Multiply entry by entry. Which axis does the result keep, and over which ones does `sum(dim=…)` go?",
    ),
    reference=attribution_patching,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "value instead of change",
            "multiply by the change, `source_z - z`.",
            _summed(lambda gradient, z, source_z: gradient * source_z),
        ),
        Mistake(
            "own value instead of change",
            "multiply by the change, `source_z - z`.",
            _summed(lambda gradient, z, source_z: gradient * z),
        ),
        Mistake(
            "the wrong way round",
            "z becomes `source_z`: the change is `source_z - z`.",
            _summed(lambda gradient, z, source_z: gradient * (z - source_z)),
        ),
        Mistake(
            "averaged instead of summed",
            "contributions add up: sum over prompts, positions and d_head.",
            lambda *tensors: _estimate(*tensors).mean(dim=(0, 1, 3)),
        ),
        Mistake(
            "mean over prompts",
            "the gradient is of the metric over all prompts: sum over prompts, too.",
            lambda *tensors: _estimate(*tensors).mean(dim=0).sum(dim=(0, 2)),
        ),
        Mistake(
            "sizes only",
            "contributions of both signs add up: take no absolute values.",
            _summed(lambda *tensors: _estimate(*tensors).abs()),
        ),
        Mistake(
            "size of the estimate",
            "the sign says whether the head helps or hinders: take no absolute value.",
            lambda *tensors: attribution_patching(*tensors).abs(),
        ),
        Mistake(
            "one number per position and head",
            "sum over every axis except that of the heads.",
            _summed(_estimate, axes=(0, 3)),
        ),
        Mistake(
            "positions kept, heads summed",
            "expected one number per head: the head is the third axis.",
            _summed(_estimate, axes=(0, 2, 3)),
        ),
        Mistake(
            "z instead of a gradient",
            "the gradient is missing.",
            _summed(lambda gradient, z, source_z: source_z - z),
        ),
    ),
)
