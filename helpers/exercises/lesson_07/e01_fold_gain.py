"""Exercise 7.1: fold the gain of an RMSNorm into weights that read it (Zhang & Sennrich 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def fold_gain(
    W: Float[Tensor, "head d_model d_head"], gain: Float[Tensor, " d_model"]
) -> Float[Tensor, "head d_model d_head"]:
    """Return weights that read an RMSNorm without gain as ``W`` reads the one with ``gain``."""
    return gain[:, None] * W


def _inputs(heads: int, d_model: int, d_head: int):
    W = torch.randn(heads, d_model, d_head, generator=generator(d_model))
    gain = torch.randn(d_model, generator=generator(heads)) + 1.5
    gain[1], gain[2] = -0.7, 0.0  # a gain may have either sign
    return W, gain


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: entry by entry; the last shape also runs with the gain on another axis."""
    for heads, d_model, d_head in ((3, 6, 4), (2, 5, 7), (4, 5, 5)):
        W, gain = _inputs(heads, d_model, d_head)
        expected = torch.zeros_like(W)
        for head in range(heads):
            for d in range(d_model):
                for column in range(d_head):
                    expected[head, d, column] = W[head, d, column] * gain[d]
        trial.matches((W, gain), expected, "head d_model d_head")


def _reads_what_the_norm_module_gives(trial: Trial) -> None:
    """Property: W reads torch's RMSNorm with gain as the answer reads it without."""
    W, gain = _inputs(3, 6, 4)
    x = 3 * torch.randn(7, 6, generator=generator(9))
    norm, plain = nn.RMSNorm(6, eps=1e-5), nn.RMSNorm(6, eps=1e-5, elementwise_affine=False)
    norm.weight.data = gain
    expected = torch.stack([norm(x) @ W_of_head for W_of_head in W]).detach()
    what = "what the folded weights read after RMSNorm"
    trial.behaves(lambda function: plain(x) @ function(W, gain), expected, "head pos d_head", what=what)


def _axis_of_head(W, gain):
    return W * gain[: W.shape[-1]] if W.shape[-1] <= len(gain) else W * gain[0]


EXERCISE = Exercise(
    id="7.1",
    title="fold the gain of an RMSNorm",
    minutes=5,
    difficulty=1,
    hints=(
        "Entry d of the normalized row is multiplied by `gain[d]`, then by row d of `W`.",
        "So row d of `W` of every head takes the factor `gain[d]`. `gain[:, None]` has one row per entry of d_model.",
    ),
    reference=fold_gain,
    tests=(_equals_a_loop, _reads_what_the_norm_module_gives),
    mistakes=(
        Mistake(
            "gain on the columns",
            "the gain has one number per entry of d_model, which are the rows of W: gain[:, None] * W.",
            _axis_of_head,
        ),
        Mistake(
            "divided by the gain",
            "the norm multiplies by its gain, so the folded weights multiply by it, too.",
            lambda W, gain: W / gain[:, None],
        ),
        Mistake(
            "1 + gain",
            "some models store the gain minus 1. Here the norm multiplies by `gain` itself.",
            lambda W, gain: W * (1 + gain)[:, None],
        ),
        Mistake(
            "gain squared",
            "the gain is applied once.",
            lambda W, gain: W * gain[:, None] ** 2,
        ),
        Mistake(
            "size of the gain",
            "a gain may be negative: keep its sign.",
            lambda W, gain: W * gain.abs()[:, None],
        ),
        Mistake(
            "centred as for LayerNorm",
            "LayerNorm subtracts a mean, RMSNorm does not: leave the mean over d_model in the weights.",
            lambda W, gain: (folded := gain[:, None] * W) - folded.mean(dim=1, keepdim=True),
        ),
        Mistake(
            "gain normalized",
            "the gain keeps its length: do not divide it by its norm or its mean.",
            lambda W, gain: W * nn.functional.normalize(gain, dim=0)[:, None],
        ),
        Mistake(
            "gain normalized",
            "the gain keeps its length: do not divide it by its norm or its mean.",
            lambda W, gain: W * (gain / gain.mean())[:, None],
        ),
        Mistake(
            "not folded",
            "these are the weights as they came: the gain is missing.",
            lambda W, gain: W,
        ),
        Mistake(
            "heads summed",
            "keep one matrix per head.",
            lambda W, gain: (gain[:, None] * W).sum(dim=0),
        ),
    ),
)
