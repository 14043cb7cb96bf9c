"""Exercise 4.13: the in-context score."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import in_context_score


def _equals_sums(trial: Trial) -> None:
    """Oracle: sums over both windows, of different lengths."""
    loss = torch.rand(30, generator=generator(0)) + torch.linspace(5, 3, 30)
    early, late = (2, 7), (19, 29)
    expected = sum(loss[i] for i in range(19, 29)) / 10 - sum(loss[i] for i in range(2, 7)) / 5
    trial.matches((loss, early, late), expected, "")


def _difference(measure):
    """``measure(loss, start, stop)`` of the late window minus that of the early one."""
    return lambda loss, early, late: measure(loss, *late) - measure(loss, *early)


EXERCISE = Exercise(
    id="4.13",
    title="the in-context score",
    minutes=3,
    difficulty=1,
    hints=(
        "A window is (start, stop): `loss[start:stop].mean()` is the mean loss over it.",
        "Subtract the early mean from the late mean. The score is negative when later tokens are easier.",
    ),
    reference=in_context_score,
    tests=(_equals_sums,),
    mistakes=(
        Mistake(
            "early minus late",
            "subtract early from late: the score is negative when context helps.",
            lambda loss, early, late: in_context_score(loss, late, early),
        ),
        Mistake(
            "single positions",
            "single tokens are noisy. Take the mean over each window.",
            _difference(lambda loss, start, stop: loss[start]),
        ),
        Mistake(
            "sums instead of means",
            "the windows have different lengths. Compare means.",
            _difference(lambda loss, start, stop: loss[start:stop].sum()),
        ),
        Mistake(
            "last position counted",
            "a window is [start, stop). Leave out the position stop.",
            _difference(lambda loss, start, stop: loss[start : stop + 1].mean()),
        ),
        Mistake(
            "window taken as start and length",
            "a window is (start, stop), not (start, length).",
            _difference(lambda loss, start, length: loss[start : start + length].mean()),
        ),
        Mistake(
            "ratio",
            "this is a ratio. Return the difference, in nats.",
            lambda loss, early, late: loss[slice(*late)].mean() / loss[slice(*early)].mean(),
        ),
        Mistake(
            "late loss only",
            "this is the loss late in the text. Subtract the loss early in the text.",
            lambda loss, early, late: loss[slice(*late)].mean(),
        ),
    ),
)
