"""Exercise 7.9: backup, the change of direct effects that is not due to the scale."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def direct_effect_changes(
    before: Float[Tensor, "head prompt d_model"],
    after: Float[Tensor, "head prompt d_model"],
    scale_before: Float[Tensor, " prompt"],
    scale_after: Float[Tensor, " prompt"],
    direction: Float[Tensor, "prompt d_model"],
) -> Float[Tensor, "part head"]:
    """Mean change of each head's direct effect under an ablation: by its output, and by the scale.

    A direct effect is  output / scale · direction . The first part keeps the scale, the second is
    the rest of the change (Rushing and Nanda 2024, arXiv 2402.15390, section 4).
    """

    def effect(outputs, scale):
        return (outputs / scale[:, None] * direction).sum(dim=-1).mean(dim=-1)

    by_output = effect(after, scale_before) - effect(before, scale_before)
    by_scale = effect(after, scale_after) - effect(after, scale_before)
    return torch.stack([by_output, by_scale])


def _effect(outputs, scale, direction):
    return ((outputs * direction).sum(dim=-1) / scale).mean(dim=-1)


def _parts(first, second):
    """Both parts, each of them a function of all arguments."""
    return lambda *arguments: torch.stack([first(*arguments), second(*arguments)])


def _by_output(before, after, scale_before, scale_after, direction):
    return _effect(after - before, scale_before, direction)


def _by_scale(before, after, scale_before, scale_after, direction):
    return _effect(after, scale_after, direction) - _effect(after, scale_before, direction)


def _total(before, after, scale_before, scale_after, direction):
    return _effect(after, scale_after, direction) - _effect(before, scale_before, direction)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: head by head and prompt by prompt, on shapes without equal axes."""
    for sizes in ((3, 7, 5), (1, 4, 6), (5, 1, 3)):
        n_heads, n_prompts, d_model = sizes
        before, after = (torch.randn(sizes, generator=generator(seed)) for seed in (0, 1))
        scales = [0.5 + torch.rand(n_prompts, generator=generator(seed)) for seed in (2, 3)]
        direction = torch.randn(n_prompts, d_model, generator=generator(4))
        expected = torch.zeros(2, n_heads)
        for head, n in torch.cartesian_prod(torch.arange(n_heads), torch.arange(n_prompts)).tolist():
            old, new = (float(outputs[head, n] @ direction[n]) for outputs in (before, after))
            s, t = (float(scale[n]) for scale in scales)
            expected[0, head] += (new - old) / s / n_prompts
            expected[1, head] += (new / t - new / s) / n_prompts
        trial.matches((before, after, *scales, direction), expected, "part head")


EXERCISE = Exercise(
    id="7.9",
    title="backup without the scale",
    minutes=6,
    difficulty=2,
    hints=(
        "A direct effect is a dot product of output / scale with the direction, prompt by prompt, and then a mean over prompts.",
        "For the first part only the output changes: both effects are taken at `scale_before`.",
        "The two parts sum to the whole change, from `before` at `scale_before` to `after` at `scale_after`. So the second part is `after` at both scales.",
    ),
    reference=direct_effect_changes,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "first part with the new scale",
            "the first part keeps the scale of the full model: divide by `scale_before`.",
            _parts(
                lambda before, after, scale_before, scale_after, direction: (
                    _effect(after, scale_after, direction) - _effect(before, scale_after, direction)
                ),
                lambda before, after, scale_before, scale_after, direction: (
                    _effect(before, scale_after, direction) - _effect(before, scale_before, direction)
                ),
            ),
        ),
        Mistake(
            "second part with the old output",
            "the parts must sum to the whole change: the second part takes the output after the ablation.",
            _parts(
                _by_output,
                lambda before, after, scale_before, scale_after, direction: (
                    _effect(before, scale_after, direction) - _effect(before, scale_before, direction)
                ),
            ),
        ),
        Mistake(
            "the whole change as first part",
            "the first part holds the scale fixed: divide both outputs by `scale_before`.",
            _parts(_total, _by_scale),
        ),
        Mistake(
            "the whole change as second part",
            "the second part is the whole change minus the first part.",
            _parts(_by_output, _total),
        ),
        Mistake("parts exchanged", "the change by the output comes first.", _parts(_by_scale, _by_output)),
        Mistake(
            "before minus after",
            "a rise is positive: after minus before.",
            lambda *arguments: -_parts(_by_output, _by_scale)(*arguments),
        ),
        Mistake(
            "scales exchanged",
            "the run `before` has `scale_before`.",
            lambda before, after, scale_before, scale_after, direction: _parts(_by_output, _by_scale)(
                before, after, scale_after, scale_before, direction
            ),
        ),
        Mistake(
            "mean scale",
            "every prompt has its own scale: divide prompt by prompt, then take the mean.",
            lambda before, after, scale_before, scale_after, direction: _parts(_by_output, _by_scale)(
                before, after, scale_before.mean(), scale_after.mean(), direction
            ),
        ),
        Mistake(
            "mean direction",
            "every prompt has its own direction: multiply prompt by prompt, then take the mean.",
            lambda before, after, scale_before, scale_after, direction: _parts(_by_output, _by_scale)(
                before, after, scale_before, scale_after, direction.mean(dim=0)
            ),
        ),
        Mistake(
            "multiplied by the scale",
            "the norm divides by the scale.",
            lambda before, after, scale_before, scale_after, direction: _parts(_by_output, _by_scale)(
                before, after, 1 / scale_before, 1 / scale_after, direction
            ),
        ),
        Mistake(
            "without the scale",
            "divide each output by the scale of its run.",
            lambda before, after, scale_before, scale_after, direction: _parts(_by_output, _by_scale)(
                before, after, torch.ones_like(scale_before), torch.ones_like(scale_after), direction
            ),
        ),
        Mistake(
            "summed over prompts",
            "take the mean over prompts, not the sum.",
            lambda before, *arguments: _parts(_by_output, _by_scale)(before, *arguments) * before.shape[1],
        ),
        Mistake(
            "heads as rows",
            "expected one row per part and one column per head.",
            lambda *arguments: _parts(_by_output, _by_scale)(*arguments).T,
        ),
        Mistake(
            "sizes of the changes",
            "keep the signs: an effect may fall.",
            lambda *arguments: _parts(_by_output, _by_scale)(*arguments).abs(),
        ),
    ),
)
