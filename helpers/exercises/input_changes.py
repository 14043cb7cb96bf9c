"""Explanations that call an answer and its reference again, with one input changed."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from helpers.exercises.comparison import difference
from helpers.exercises.trial import Comparison, Trial

Explanation = tuple[str, str, str]  # diagnosis, sentence, label


def _tensors(comparison: Comparison, trial: Trial) -> list[str]:
    return [name for name, value in trial.arguments_of(comparison).items() if isinstance(value, Tensor)]


def _expected_with(comparison: Comparison, trial: Trial, **changed) -> Tensor:
    """Return what the reference gives with other arguments, which it must not change."""
    arguments = trial.arguments_of(comparison) | changed
    copies = [value.clone() if isinstance(value, Tensor) else value for value in arguments.values()]
    return torch.as_tensor(comparison.pick(trial.exercise.in_form(trial.exercise.reference(*copies))))


def _observed_with(comparison: Comparison, trial: Trial, **changed) -> Tensor:
    """Return what the answer gives with other arguments."""
    arguments = trial.arguments_of(comparison) | changed
    return torch.as_tensor(comparison.pick(trial.call(*arguments.values())))


def _same(comparison: Comparison, output: Tensor, other: Tensor) -> bool:
    return difference(output, other.float(), comparison.axes, comparison.tolerance) is None


def _gives_an_input(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    for name in _tensors(comparison, trial):
        if _same(comparison, comparison.observed, trial.arguments_of(comparison)[name]):
            yield "input returned", f"this is {name}, unchanged.", ""


def _arguments_swapped(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    arguments = trial.arguments_of(comparison)
    for first, second in itertools.combinations(arguments, 2):
        if type(arguments[first]) is not type(arguments[second]):
            continue
        swapped = {first: arguments[second], second: arguments[first]}
        try:
            output = _expected_with(comparison, trial, **swapped)
        except Exception:  # their shapes differ, or one must be what the other is not
            continue
        if _same(comparison, comparison.observed, output):
            yield "arguments swapped", f"{first} and {second} are swapped.", ""


def _takes_another_number(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    for name, number in trial.arguments_of(comparison).items():
        for step in (-1, 1) if type(number) is int else ():
            try:
                output = _expected_with(comparison, trial, **{name: number + step})
            except Exception:  # no such layer, head or length
                continue
            if _same(comparison, comparison.observed, output):
                yield f"{name} off by one", f"this is what {name} {step:+} gives.".replace("1", " 1"), ""


def _transposes_an_argument(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    for name in _tensors(comparison, trial):
        tensor = trial.arguments_of(comparison)[name]
        try:
            output = _expected_with(comparison, trial, **{name: tensor.mT})
        except Exception:  # not square, or no matrix
            continue
        if _same(comparison, comparison.observed, output):
            yield f"{name} transposed", f"this is what the transpose of {name} gives.", ""


def _is_random(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    if comparison.arguments and not _same(
        comparison, _observed_with(comparison, trial), _observed_with(comparison, trial)
    ):
        yield "random", "two calls with the same inputs gave different outputs.", ""


def _ignores_an_argument(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    """A right output only needs to stay the same: there the expected one may, too."""
    expected, observed = _expected_with(comparison, trial), comparison.observed
    for name, value in trial.arguments_of(comparison).items():
        changed = list(_changes(value))
        if (
            comparison.problem() is None
            or any(
                not _same(comparison, _expected_with(comparison, trial, **{name: other}), expected)
                for other in changed
            )
        ) and all(
            _same(comparison, _observed_with(comparison, trial, **{name: other}), observed)
            for other in changed
        ):
            yield f"does not depend on {name}", f"your output stays the same when only {name} changes.", ""


def _changes(value: object) -> Iterator[object]:
    """Yield other values for an argument: entries moved, numbers made larger, lower or alike."""
    if isinstance(value, Tensor) and value.ndim:
        rolled = (value.roll(1, axis) for axis in reversed(range(value.ndim)))
        alike = (value.flatten()[index].expand_as(value) for index in (0, -1))
        others = (*rolled, *alike) if value.numel() else ()
        yield from (other.clone() for other in others if not torch.equal(other, value))
        if value.is_floating_point():  # without the symmetry of a mean
            yield value * torch.linspace(1, 2, value.numel()).reshape(value.shape)
            yield -value
    elif isinstance(value, float):
        yield value / 2
    elif type(value) is int:
        yield value - 1 if value > 0 else value + 1


def _depends_on_too_much(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    """Find entries that change with the end of an axis of an input and stand elsewhere on it.

    As those of earlier queries do if the mask is missing. The expected ones never change with it.
    """
    expected, observed = _expected_with(comparison, trial), comparison.observed
    output_axes = comparison.axes.split()
    for name in _tensors(comparison, trial):
        value = trial.arguments_of(comparison)[name]
        for axis, axis_name in enumerate(trial.axis_names(name)):
            if axis_name not in output_axes:
                continue
            still, moved = torch.ones_like(expected).bool(), torch.zeros_like(expected).bool()
            for other in _with_another_end(value, axis):
                still &= torch.isclose(_expected_with(comparison, trial, **{name: other}), expected)
                moved |= ~torch.isclose(
                    _observed_with(comparison, trial, **{name: other}), observed, atol=1e-4
                )
            still.select(output_axes.index(axis_name), -1).fill_(False)
            alone = value.shape[axis] == 1 and comparison.problem() is None
            if alone or (still & moved).any():
                yield (
                    "depends on too much",
                    f"your output at other places changes with {name} at the last {axis_name}; "
                    "it should not.",
                    "",
                )


def _with_another_end(value: Tensor, axis: int) -> Iterator[Tensor]:
    """Yield a tensor with other entries at the end of an axis; numbers become large, too."""
    for factor in (1, -10, 10) if value.is_floating_point() else (1,):
        changed = value.clone()
        changed.select(axis, -1).copy_(factor * value.select(axis, 0))
        yield changed


FORMS_OF_CALLS = (_gives_an_input, _arguments_swapped, _takes_another_number, _transposes_an_argument)
FORMS_OF_CHANGES = (_is_random, _ignores_an_argument, _depends_on_too_much)
