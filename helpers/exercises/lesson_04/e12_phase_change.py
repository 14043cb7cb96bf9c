"""Exercise 4.12: when it happened."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import phase_change


def _equals_first_crossing(trial: Trial) -> None:
    """Oracle: one record after the other, on twelve series at once to tell mistakes apart."""
    many = [_series(seed) for seed in range(12)]
    expected = []
    for steps, values in many:
        half = (values[0].item() + values[-1].item()) / 2
        falling = values[-1] < values[0]
        passed = [bool(value <= half) if falling else bool(value >= half) for value in values]
        expected.append(steps[passed.index(True)])
    trial.behaves(
        lambda change: torch.stack(
            [torch.as_tensor(change(steps, values)).float() for steps, values in many]
        ),
        torch.stack(expected),
        "series",
        what="for twelve series",
    )


def _series(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return steps, and noisy values with a late transition; they fall for even seeds."""
    noise = torch.randn(14, generator=generator(seed))
    steps = torch.rand(14, generator=generator(seed + 50)).cumsum(0) * 20
    values = 2 * torch.sigmoid(torch.linspace(-4, 3, 14)) + 0.5 * noise + 1
    return steps, -values if seed % 2 == 0 else values


def _half_way(values):
    return (values[0] + values[-1]) / 2


def _passed(values, threshold=_half_way):
    """True for every record on the last value's side of the threshold."""
    return (values - threshold(values)) * (values[-1] - values[0]) >= 0


def _first_past(threshold):
    """The reference with another threshold: ``threshold(values)``."""
    return lambda steps, values: steps[_passed(values, threshold).int().argmax()]


EXERCISE = Exercise(
    id="4.12",
    title="when it happened",
    minutes=5,
    difficulty=2,
    hints=(
        "Half of the way lies between the first and the last value: `half = (values[0] + values[-1]) / 2`.",
        "A loss falls and a score rises. Once half of the way is done, "
        "`values - half` has the same sign as `values[-1] - half`.",
        "`.int().argmax()` of a tensor of True and False is the index of the first True. "
        "Return the step there, not the index.",
    ),
    reference=phase_change,
    tests=(_equals_first_crossing,),
    mistakes=(
        Mistake(
            "index instead of step",
            "this is the index of the record. Return its step.",
            lambda steps, values: _passed(values).int().argmax(),
        ),
        Mistake(
            "only for what falls",
            "this finds the first value below half. A score that rises passes half from below.",
            lambda steps, values: steps[(values <= _half_way(values)).int().argmax()],
        ),
        Mistake(
            "only for what rises",
            "this finds the first value above half. A loss that falls passes half from above.",
            lambda steps, values: steps[(values >= _half_way(values)).int().argmax()],
        ),
        Mistake(
            "half of the range",
            "half of the way lies between the first and the last entry, not between the smallest and the largest.",
            _first_past(lambda values: (values.min() + values.max()) / 2),
        ),
        Mistake(
            "half of the final value",
            "half of the way lies between the first and the last entry. Add the first one.",
            _first_past(lambda values: values[-1] / 2),
        ),
        Mistake(
            "mean as threshold",
            "half of the way lies between the first and the last entry. The mean depends on all of them.",
            _first_past(torch.mean),
        ),
        Mistake(
            "steepest piece",
            "this is the record with the largest change. Return the first record past half.",
            lambda steps, values: steps[1 + values.diff().abs().argmax()],
        ),
        Mistake(
            "last crossing",
            "this is the last crossing of half. Return the first one.",
            lambda steps, values: steps[1 + (~_passed(values)).nonzero().max()],
        ),
        Mistake(
            "one record early",
            "this is the last record before half. Return the first record past half.",
            lambda steps, values: steps[_passed(values).int().argmax() - 1],
        ),
    ),
)
