"""Exercise 5.2: the logit difference."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import logit_diff


def _s_minus_io(logits, io, s):
    rows = torch.arange(len(logits))
    return logits[rows, s] - logits[rows, io]


def _of(values):
    """The difference of ``values(logits)`` instead of the logits."""
    return lambda logits, io, s: -_s_minus_io(values(logits), io, s)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt."""
    logits = torch.randn(4, 7, generator=generator(0))
    io, s = torch.tensor([2, 0, 6, 3]), torch.tensor([5, 1, 4, 0])
    expected = torch.stack([logits[n, io[n]] - logits[n, s[n]] for n in range(4)])
    trial.matches((logits, io, s), expected, "prompt")


EXERCISE = Exercise(
    id="5.2",
    title="the logit difference",
    minutes=3,
    difficulty=1,
    hints=(
        "logits.gather(1, io[:, None]) picks one logit a prompt.",
        "IO minus S; gather leaves an axis of length 1 to be taken off: [:, 0].",
    ),
    reference=logit_diff,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake("sign", "the name that is due comes first: logit of IO minus logit of S.", _s_minus_io),
        Mistake(
            "probabilities instead of logits",
            "a difference of probabilities also moves when other words do; take the logits as they are.",
            _of(lambda logits: logits.softmax(-1)),
        ),
        Mistake(
            "every prompt with every name",
            "logits[:, io] pairs every prompt with every name: pick one a prompt.",
            lambda logits, io, s: logits[:, io] - logits[:, s],
        ),
        Mistake(
            "averaged over prompts",
            "one number a prompt: the mean is taken later.",
            lambda logits, io, s: -_s_minus_io(logits, io, s).mean(),
        ),
        Mistake(
            "axis too many",
            "gather keeps an axis of length 1: take it off with [:, 0].",
            lambda logits, io, s: logits.gather(1, io[:, None]) - logits.gather(1, s[:, None]),
        ),
        Mistake(
            "only IO",
            "what the model says of IO alone also holds how much it expects any name: subtract S.",
            lambda logits, io, s: logits[torch.arange(len(logits)), io],
        ),
        Mistake(
            "first prompt's names",
            "every prompt has its own names: io[n] and s[n] for prompt n.",
            lambda logits, io, s: logits[:, io[0]] - logits[:, s[0]],
        ),
    ),
)
