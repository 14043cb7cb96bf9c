"""Exercise 4.13: the in-context score."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import in_context_score


def _early_minus_late(loss, early, late):
    return -in_context_score(loss, early, late)


def _equals_sums(trial: Trial) -> None:
    """Oracle: sums over both windows, of different lengths."""
    loss = torch.rand(30, generator=generator(0)) + torch.linspace(5, 3, 30)
    early, late = (2, 7), (19, 29)
    expected = sum(loss[i] for i in range(19, 29)) / 10 - sum(loss[i] for i in range(2, 7)) / 5
    trial.matches((loss, early, late), expected, "")


EXERCISE = Exercise(
    id="4.13",
    title="the in-context score",
    minutes=3,
    difficulty=1,
    hints=(
        "loss[start:stop].mean() for each window; a window is (start, stop).",
        "Late minus early: negative when later tokens are easier.",
    ),
    reference=in_context_score,
    tests=(_equals_sums,),
    mistakes=(
        Mistake(
            "early minus late",
            "late minus early: help from context makes the score negative.",
            _early_minus_late,
        ),
        Mistake(
            "single positions",
            "single tokens are noisy; take the mean over each window.",
            lambda loss, early, late: loss[late[0]] - loss[early[0]],
        ),
        Mistake(
            "sums instead of means",
            "the windows have different lengths: compare means.",
            lambda loss, early, late: loss[slice(*late)].sum() - loss[slice(*early)].sum(),
        ),
        Mistake(
            "last position counted",
            "a window is [start, stop): its stop is left out.",
            lambda loss, early, late: (
                loss[late[0] : late[1] + 1].mean() - loss[early[0] : early[1] + 1].mean()
            ),
        ),
        Mistake(
            "window taken as start and length",
            "a window is (start, stop), not (start, length).",
            lambda loss, early, late: (
                loss[late[0] : late[0] + late[1]].mean() - loss[early[0] : early[0] + early[1]].mean()
            ),
        ),
        Mistake(
            "ratio",
            "a difference in nats is asked for, not a ratio.",
            lambda loss, early, late: loss[slice(*late)].mean() / loss[slice(*early)].mean(),
        ),
        Mistake(
            "late loss only",
            "this is the loss late in the text; the score is the difference to the loss early on.",
            lambda loss, early, late: loss[slice(*late)].mean(),
        ),
    ),
)
