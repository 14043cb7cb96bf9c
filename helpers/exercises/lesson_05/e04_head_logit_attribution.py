"""Exercise 5.4: direct logit attribution, head by head."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import head_logit_attribution


def _products(head_outputs, scale, direction, rescale=torch.divide):
    """Dot products of head outputs with the direction of their prompt, ``[layer head prompt]``."""
    return rescale(torch.einsum("lhpm,pm->lhp", head_outputs, direction), scale)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: head by head and prompt by prompt; also one layer, one head, one prompt."""
    for sizes in ((2, 3, 7, 5), (1, 1, 3, 6), (3, 2, 1, 4)):
        n_layers, n_heads, n_prompts, d_model = sizes
        head_outputs = torch.randn(sizes, generator=generator(0))
        scale = 1 + torch.rand(n_prompts, generator=generator(1))
        direction = torch.randn(n_prompts, d_model, generator=generator(2))
        expected = torch.zeros(n_layers, n_heads)
        for layer, head, n in torch.cartesian_prod(*map(torch.arange, sizes[:3])).tolist():
            product = (head_outputs[layer, head, n] * direction[n]).sum()
            expected[layer, head] += product / scale[n] / n_prompts
        trial.matches((head_outputs, scale, direction), expected, "layer head")


EXERCISE = Exercise(
    id="5.4",
    title="direct logit attribution, head by head",
    minutes=5,
    difficulty=2,
    hints=(
        "The final LayerNorm divides the stream of a prompt by its scale, and with it every head output in that stream.",
        "Every prompt has its own direction: take dot products prompt by prompt, and only then the mean over prompts.",
        "One `einsum` over d_model can keep layer, head and prompt. The scale has one entry per prompt: which axis of the products is that?",
    ),
    reference=head_logit_attribution,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "means before the product",
            "every prompt has its own direction: multiply prompt by prompt, then take the mean.",
            lambda head_outputs, scale, direction: (
                (head_outputs / scale[:, None]).mean(dim=2) @ direction.mean(dim=0)
            ),
        ),
        Mistake(
            "means of everything before the product",
            "every prompt has its own direction and scale: multiply prompt by prompt, then take the mean.",
            lambda head_outputs, scale, direction: (
                head_outputs.mean(dim=2) @ direction.mean(dim=0) / scale.mean()
            ),
        ),
        Mistake(
            "without the scale",
            "the final LayerNorm divides the stream, and every output in it, by the prompt's scale.",
            lambda head_outputs, scale, direction: _products(head_outputs, torch.ones(()), direction).mean(
                dim=-1
            ),
        ),
        Mistake(
            "multiplied by the scale",
            "LayerNorm divides by the scale.",
            lambda head_outputs, scale, direction: _products(
                head_outputs, scale, direction, torch.multiply
            ).mean(-1),
        ),
        Mistake(
            "summed over prompts",
            "take the mean over prompts, not the sum.",
            lambda head_outputs, scale, direction: _products(head_outputs, scale, direction).sum(dim=-1),
        ),
        Mistake(
            "one scale for all",
            "every prompt has its own scale: divide prompt by prompt.",
            lambda head_outputs, scale, direction: _products(head_outputs, scale.mean(), direction).mean(
                dim=-1
            ),
        ),
        Mistake(
            "one number a prompt",
            "take the mean over prompts at the end.",
            _products,
        ),
        Mistake(
            "direction of length 1",
            "use the direction as it is: its length belongs to the logit difference.",
            lambda head_outputs, scale, direction: _products(
                head_outputs, scale, torch.nn.functional.normalize(direction, dim=-1)
            ).mean(dim=-1),
        ),
        Mistake(
            "every prompt with every direction",
            "every prompt has its own direction: multiply prompt n by direction n only.",
            lambda head_outputs, scale, direction: (
                (head_outputs / scale[:, None] @ direction.T).sum(dim=(-1, -2)) / len(scale)
            ),
        ),
        Mistake(
            "heads summed",
            "keep the heads apart: expected one number per layer and head.",
            lambda head_outputs, scale, direction: (
                _products(head_outputs, scale, direction).mean(dim=-1).sum(dim=-1)
            ),
        ),
    ),
)
