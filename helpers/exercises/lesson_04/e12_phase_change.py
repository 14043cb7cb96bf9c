"""Exercise 4.12: when it happened."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import phase_change


def _index_of_it(steps, values):
    half = (values[0] + values[-1]) / 2
    return ((values - half) * (values[-1] - half) >= 0).float().argmax()


def _series(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Steps and a noisy loss that falls (even seeds) or score that rises, with a late transition."""
    noise = torch.randn(14, generator=generator(seed))
    steps = torch.rand(14, generator=generator(seed + 50)).cumsum(0) * 20
    values = 2 * torch.sigmoid(torch.linspace(-4, 3, 14)) + 0.5 * noise + 1
    return steps, -values if seed % 2 == 0 else values


def _equals_first_crossing(trial: Trial) -> None:
    """Oracle: one record after the other, on twelve series at once, so that no two mistakes look alike."""
    many = [_series(seed) for seed in range(12)]
    expected = []
    for steps, values in many:
        half = (values[0].item() + values[-1].item()) / 2
        falling = values[-1] < values[0]
        passed = [bool(value <= half) if falling else bool(value >= half) for value in values]
        expected.append(steps[passed.index(True)])
    trial.behaves(
        lambda f: torch.stack([torch.as_tensor(f(steps, values)).float() for steps, values in many]),
        torch.stack(expected),
        "series",
        what="for twelve series",
    )


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
    tests=(_equals_first_crossing,),
    mistakes=(
        Mistake("index instead of step", "this is the index of the record; return its step.", _index_of_it),
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
            "half of the final value",
            "half of the way lies between the first and the last entry: add the first one.",
            lambda s, v: s[((v - v[-1] / 2) * (v[-1] - v[0]) >= 0).int().argmax()],
        ),
        Mistake(
            "mean as threshold",
            "half of the way lies between the first and the last entry; the mean depends on all of them.",
            lambda s, v: s[((v - v.mean()) * (v[-1] - v[0]) >= 0).int().argmax()],
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
            lambda s, v: s[_index_of_it(s, v) - 1],
        ),
    ),
)
