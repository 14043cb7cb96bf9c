"""Exercise 4.12: when it happened."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.heads import phase_change


def index_of_it(steps, values):
    half = (values[0] + values[-1]) / 2
    return ((values - half) * (values[-1] - half) >= 0).float().argmax()


def equals_first_crossing(trial: Trial) -> None:
    """Oracle: one record after the other; rising and falling, with a peak before and a dip after the crossing."""
    steps = torch.tensor([0.0, 10, 25, 45, 70, 100, 135, 180])
    for values in (
        torch.tensor([4.0, 7.0, 4.2, 3.6, 2.5, 2.1, 2.4, 0.4]),
        torch.tensor([0.1, 0.05, 0.3, 0.7, 0.4, 0.9, 0.8, 0.8]),
        torch.tensor([-3.0, -3.5, -6.0, -2.0, -5.0, -5.5, -5.2, -5.0]),
    ):
        half = (values[0].item() + values[-1].item()) / 2
        falling = values[-1] < values[0]
        for step, value in zip(steps, values):
            if (value <= half) if falling else (value >= half):
                trial.matches((steps, values), step, "")
                break


EXERCISE = Exercise(
    id="4.12",
    title="when it happened",
    minutes=5,
    difficulty=2,
    hints=(
        "Half of the way: (values[0] + values[-1]) / 2.",
        "A loss falls and a score rises. (values - half) has the sign of (values[-1] - half) once it is past half.",
        "The first True of a tensor: passed.int().argmax(). Return the step, not its index.",
    ),
    reference=phase_change,
    tests=(equals_first_crossing,),
    mistakes=(
        Mistake("index instead of step", "this is the index of the record; return its step.", index_of_it),
        Mistake(
            "only for what falls",
            "this finds the first value below half; a score that rises passes half from below.",
            lambda s, v: s[(v <= (v[0] + v[-1]) / 2).int().argmax()],
        ),
        Mistake(
            "only for what rises",
            "this finds the first value above half; a loss that falls passes half from above.",
            lambda s, v: s[(v >= (v[0] + v[-1]) / 2).int().argmax()],
        ),
        Mistake(
            "half of the range",
            "half of the way lies between the first and the last entry, not between the smallest and the largest.",
            lambda s, v: s[((v - (v.min() + v.max()) / 2) * (v[-1] - v[0]) >= 0).int().argmax()],
        ),
        Mistake(
            "steepest piece",
            "this is where it changes fastest; the first record past half is asked for.",
            lambda s, v: s[1 + v.diff().abs().argmax()],
        ),
        Mistake(
            "last crossing",
            "this is where it passes half for good; the first time is asked for.",
            lambda s, v: s[1 + ((v - (v[0] + v[-1]) / 2) * (v[-1] - v[0]) < 0).nonzero().max()],
        ),
        Mistake(
            "one record early",
            "this is the last record before half; the first one past it is asked for.",
            lambda s, v: s[index_of_it(s, v) - 1],
        ),
    ),
)
