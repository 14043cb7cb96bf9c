"""Exercise 5.2: the logit difference."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import logit_diff


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt."""
    logits = torch.randn(4, 7, generator=generator(0))
    io_token, s_token = torch.tensor([2, 0, 6, 3]), torch.tensor([5, 1, 4, 0])
    expected = torch.stack([logits[n, io_token[n]] - logits[n, s_token[n]] for n in range(4)])
    trial.matches((logits, io_token, s_token), expected, "prompt")


EXERCISE = Exercise(
    id="5.2",
    title="the logit difference",
    minutes=3,
    difficulty=1,
    hints=(
        "Pick two logits per prompt, one for IO and one for S: `gather` along the vocabulary takes one from every row.",
        "`logits.gather(1, io_token[:, None])` has the shape `[prompt, 1]`; `[:, 0]` removes its last axis.",
    ),
    reference=logit_diff,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "sign",
            "IO, the right answer, comes first: logit of IO minus logit of S.",
            lambda logits, io_token, s_token: logit_diff(logits, s_token, io_token),
        ),
        Mistake(
            "probabilities instead of logits",
            "a difference of probabilities also moves when other words do; use the logits as they are.",
            lambda logits, io_token, s_token: logit_diff(logits.softmax(-1), io_token, s_token),
        ),
        Mistake(
            "every prompt with every name",
            "`logits[:, io_token]` pairs every prompt with every name: pick one logit per prompt.",
            lambda logits, io_token, s_token: logits[:, io_token] - logits[:, s_token],
        ),
        Mistake(
            "averaged over prompts",
            "expected one number per prompt: the mean is taken later.",
            lambda logits, io_token, s_token: logit_diff(logits, io_token, s_token).mean(),
        ),
        Mistake(
            "axis too many",
            "gather keeps an axis of length 1: remove it with `[:, 0]`.",
            lambda logits, io_token, s_token: logit_diff(logits, io_token, s_token)[:, None],
        ),
        Mistake(
            "only IO",
            "the logit of IO alone also rises when the model expects any name: subtract the logit of S.",
            lambda logits, io_token, s_token: logits.gather(1, io_token[:, None])[:, 0],
        ),
        Mistake(
            "first prompt's names",
            "every prompt has its own names: `io_token[n]` and `s_token[n]` for prompt n.",
            lambda logits, io_token, s_token: logits[:, io_token[0]] - logits[:, s_token[0]],
        ),
    ),
)
