"""Exercise 4.12: when it happened."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import phase_change

ROUND_VALUES = [  # half is reached exactly, only at the end, or passed twice
    [0, 1, 4, 8, 8],
    [5, 4, 3, 4, 1],
    [-3, -2, -1, 3, 1],
    [2, 1, 3, 0, -6],
    [7, 7, 6, 7, 1],
    [1, 0],
    [0, 5, -5, 1],  # beyond the last value, in both directions
    [6, -1, 9, 4],
    [8, 2, 4],
    [0, 8, 2],
]


def _equals_first_crossing(trial: Trial) -> None:
    """Oracle: one record after the other."""
    many = [_noisy_values(seed) for seed in range(12)] + [
        torch.tensor(values).float() for values in ROUND_VALUES
    ]
    for seed, values in enumerate(many):
        steps = torch.rand(len(values), generator=generator(seed)).cumsum(0) * 20
        half = (values[0].item() + values[-1].item()) / 2
        falling = values[-1] < values[0]
        passed = [bool(value <= half) if falling else bool(value >= half) for value in values]
        trial.matches((steps, values), steps[passed.index(True)], "")


def _noisy_values(seed: int) -> torch.Tensor:
    """Return values with a late transition: up or down, below zero, around it or above it."""
    noise = torch.randn(14, generator=generator(seed))
    values = 2 * torch.sigmoid(torch.linspace(-4, 3, 14)) + 0.5 * noise - 1
    return (values if seed % 2 else -values) + (6, -6, 0)[seed % 3]


def _half_way(values):
    return (values[0] + values[-1]) / 2


def _passed(values, threshold=_half_way):
    """True for every record on the last value's side of the threshold."""
    return (values - threshold(values)) * (values[-1] - values[0]) >= 0


def _first_past(threshold):
    """The reference with another threshold: ``threshold(values)``."""
    return lambda steps, values: steps[_passed(values, threshold).int().argmax()]


def _with_direction(rises):
    """The reference with another test of the direction: ``rises(values)``."""

    def answer(steps, values):
        half = _half_way(values)
        return steps[(values >= half if rises(values) else values <= half).int().argmax()]

    return answer


def _without_equality(rising: bool):
    """The reference that leaves out exactly half where values rise, or where they fall."""

    def answer(steps, values):
        signed = (values - _half_way(values)) * (values[-1] - values[0]).sign()
        strict = (values[-1] > values[0]) == rising
        return steps[(signed > 0 if strict else signed >= 0).int().argmax()]

    return answer


def _interpolated(steps, values):
    i = int(_passed(values).int().argmax())
    way = (_half_way(values) - values[i - 1]) / (values[i] - values[i - 1])
    return steps[i - 1] + way * (steps[i] - steps[i - 1])


EXERCISE = Exercise(
    id="4.12",
    title="when it happened",
    minutes=5,
    difficulty=2,
    hints=(
        "Half of the way is the number in the middle between the first and the last value. "
        "The smallest and the largest value do not matter.",
        "A loss falls and a score rises. Once half of the way is done, "
        "`values - half` is 0 or has the same sign as `values[-1] - half`.",
        "A comparison gives True or False for each record. `argmax` of these, as integers, is the index of "
        "the first True. Return the step there, not the index.",
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
            "exactly half left out",
            "a value of exactly half counts, too: use <= or >=.",
            lambda steps, values: steps[
                ((values - _half_way(values)) * (values[-1] - values[0]) > 0).int().argmax()
            ],
        ),
        *(
            Mistake(
                f"exactly half left out where values {move}",
                f"where values {move}, a value of exactly half counts, too: use {comparison}.",
                _without_equality(move == "rise"),
            )
            for move, comparison in (("rise", ">="), ("fall", "<="))
        ),
        Mistake(
            "values beyond the last left out",
            "a value beyond the last entry has come more than half of the way, so it counts, too.",
            lambda steps, values: steps[
                ((values - values[-1]).abs() <= (values[-1] - values[0]).abs() / 2).int().argmax()
            ],
        ),
        Mistake(
            "direction from the extremes",
            "the last minus the first value tells a rise from a fall. Do not compare where the largest and the "
            "smallest value stand.",
            _with_direction(lambda values: values.argmax() > values.argmin()),
        ),
        Mistake(
            "direction from the first change",
            "the last minus the first value tells a rise from a fall. The first change does not.",
            _with_direction(lambda values: values[1] > values[0]),
        ),
        Mistake(
            "interpolated",
            "this lies between two recorded steps. Return the recorded step.",
            _interpolated,
        ),
        Mistake(
            "sign of the last value",
            "the last minus the first value tells a rise from a fall. The sign of the last value does not.",
            lambda steps, values: steps[((values - _half_way(values)) * values[-1] >= 0).int().argmax()],
        ),
        Mistake(
            "direction ignored",
            "a move by this much in the opposite direction counts, too. Keep the sign of the difference.",
            lambda steps, values: steps[
                ((values - values[0]).abs() >= (values[-1] - values[0]).abs() / 2).int().argmax()
            ],
        ),
        Mistake(
            "closest to half",
            "this is the record closest to half. Return the first record that has reached half.",
            lambda steps, values: steps[(values - _half_way(values)).abs().argmin()],
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
            "half of the difference",
            "half of the difference is a distance from the first entry. Add the first entry.",
            _first_past(lambda values: (values[-1] - values[0]) / 2),
        ),
        Mistake(
            "mean as threshold",
            "half of the way lies between the first and the last entry. The mean depends on all of them.",
            _first_past(torch.mean),
        ),
        Mistake(
            "largest change",
            "this is the record with the largest change. Return the first record at half or beyond.",
            lambda steps, values: steps[1 + values.diff().abs().argmax()],
        ),
        Mistake(
            "last crossing",
            "this is the last crossing of half. Return the first one.",
            lambda steps, values: steps[1 + (~_passed(values)).nonzero().max()],
        ),
        Mistake(
            "one record early",
            "this is the last record before half. Return the first record at half or beyond.",
            lambda steps, values: steps[_passed(values).int().argmax() - 1],
        ),
    ),
)
