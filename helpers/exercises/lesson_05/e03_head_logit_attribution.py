"""Exercise 5.3: direct logit attribution, head by head."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import head_logit_attribution


def _means_first(stores, scale, direction):
    return (stores / scale[:, None]).mean(dim=2) @ direction.mean(dim=0)


def _product(stores, scale, direction):
    return torch.einsum("lhpm,pm->lhp", stores, direction)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: head by head and prompt by prompt."""
    stores = torch.randn(2, 3, 4, 5, generator=generator(0))
    scale = 1 + torch.rand(4, generator=generator(1))
    direction = torch.randn(4, 5, generator=generator(2))
    expected = torch.zeros(2, 3)
    for layer in range(2):
        for head in range(3):
            for n in range(4):
                expected[layer, head] += (stores[layer, head, n] * direction[n]).sum() / scale[n] / 4
    trial.matches((stores, scale, direction), expected, "layer head")


EXERCISE = Exercise(
    id="5.3",
    title="direct logit attribution, head by head",
    minutes=5,
    difficulty=2,
    hints=(
        "stores / scale[:, None] is what the final LayerNorm makes of each store.",
        "Dot product with the prompt's own direction, then the mean over prompts: one einsum and a mean.",
    ),
    reference=head_logit_attribution,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "means before the product",
            "every prompt has its own direction: multiply prompt by prompt, then take the mean.",
            _means_first,
        ),
        Mistake(
            "means of everything before the product",
            "every prompt has its own direction and scale: multiply prompt by prompt, then take the mean.",
            lambda stores, scale, direction: stores.mean(2) @ direction.mean(0) / scale.mean(),
        ),
        Mistake(
            "without the scale",
            "the final LayerNorm divides the stream, and so every store in it, by the prompt's scale.",
            lambda stores, scale, direction: _product(stores, scale, direction).mean(-1),
        ),
        Mistake(
            "multiplied by the scale",
            "LayerNorm divides by the scale.",
            lambda stores, scale, direction: (_product(stores, scale, direction) * scale).mean(-1),
        ),
        Mistake(
            "summed over prompts",
            "the mean over prompts, not the sum.",
            lambda stores, scale, direction: (_product(stores, scale, direction) / scale).sum(-1),
        ),
        Mistake(
            "one scale for all",
            "each prompt has its own scale.",
            lambda stores, scale, direction: _product(stores, scale, direction).mean(-1) / scale.mean(),
        ),
        Mistake(
            "one number a prompt",
            "take the mean over prompts at the end.",
            lambda stores, scale, direction: _product(stores, scale, direction) / scale,
        ),
        Mistake(
            "heads summed",
            "keep the heads apart: one number a layer and head.",
            lambda stores, scale, direction: (_product(stores, scale, direction) / scale).mean(-1).sum(-1),
        ),
    ),
)
