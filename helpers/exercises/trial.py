"""A learner's function on trial: calls with copies of the inputs, comparisons of the outputs."""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from helpers.exercises.comparison import difference, equal
from helpers.exercises.sandbox import Wrong, models_unchanged, to_plain_values
from helpers.exercises.time_limit import within_time

if typing.TYPE_CHECKING:
    from helpers.exercises.engine import Exercise

TIME_LIMIT_SECONDS = 10
NOTHING_RETURNED = {  # type of the output → what to do
    "NoneType": "Does every path through it end in a return?",
    "generator": "Write return in place of yield.",
    "coroutine": "Write def in place of async def.",
}


@dataclass(frozen=True)
class Comparison:
    """An experiment on a function: what it gave with the answer, beside what is expected.

    ``arguments`` are those of a single call; ``pick`` selects the part of the output that is
    compared.
    """

    experiment: Callable
    observed: object
    expected: Tensor
    axes: str
    tolerance: float
    what: str = ""
    arguments: tuple | None = None
    pick: Callable = lambda output: output

    def problem(self) -> Wrong | None:
        """Return the difference between what was observed and what is expected, if any."""
        problem = difference(self.observed, self.expected, self.axes, self.tolerance)
        if problem is None:
            return None
        prefix = (
            f"{self.what}: " if self.what and problem.diagnosis in ("wrong values", "wrong shape") else ""
        )
        return Wrong(problem.diagnosis, f"{prefix}{problem}", self)

    def agrees(self, function: Callable) -> bool:
        """Return True if a function gives what the answer gave."""
        with contextlib.suppress(Exception):  # a function that cannot run here does not
            expected = self.experiment(function)
            return difference(self.observed, expected, self.axes, self.tolerance) is None
        return False


class Trial:
    """A learner's function, called with copies of the inputs and within the time limit.

    A trial that ``goes_on`` keeps every comparison and raises at none.
    """

    def __init__(self, exercise: Exercise, answer: Callable, goes_on: bool = False):
        self.exercise, self.answer, self.goes_on = exercise, answer, goes_on
        self.comparisons: list[Comparison] = []
        self.output: object = None  # of the last call
        self.seconds = TIME_LIMIT_SECONDS  # for one call

    def call(self, *arguments):
        """Return the answer's output, in the form that the exercise promises.

        Raises ``Wrong`` if the answer changed an input, left a hook on a model or returned nothing.
        """
        copies = [_copied(argument) for argument in arguments]
        self.output = None
        try:
            with models_unchanged(arguments):
                output = within_time(self.seconds, lambda: to_plain_values(self.answer(*copies)))
        except RuntimeError as error:
            if type(error) is RuntimeError and "allocate memory" in str(error):
                raise Wrong(
                    "out of memory",
                    "a matrix too large for memory was formed. Keep to the thin factors.",
                ) from error
            raise
        if not equal(arguments, tuple(copies)):
            raise Wrong(
                "changed its input",
                "your function changed one of its inputs in place. "
                "Work on a copy: x.clone(), dict(x), list(x).",
            )
        kind = type(output).__name__
        if kind in NOTHING_RETURNED:
            what = "None" if output is None else f"a {kind}"
            raise Wrong(f"returned {what}", f"your function returned {what}. {NOTHING_RETURNED[kind]}")
        output = self.output = self.exercise.in_form(output)
        return output.detach() if isinstance(output, Tensor) else output

    def matches(
        self,
        arguments: tuple,
        expected: Tensor,
        axes: str,
        tolerance: float = 1e-5,
        pick: Callable = lambda output: output,
        what: str = "",
    ) -> None:
        """Raise ``Wrong`` unless the output equals ``expected``.

        ``pick`` selects the part of the output that is compared, and ``what`` names it.
        """

        def experiment(function):
            return pick(function(*arguments))

        observed = experiment(self.call)
        self._compare(Comparison(experiment, observed, expected, axes, tolerance, what, arguments, pick))

    def behaves(
        self, experiment: Callable, expected: Tensor, axes: str, tolerance: float = 1e-5, what: str = ""
    ) -> None:
        """Raise ``Wrong`` unless ``experiment(answer)`` equals ``expected``.

        An experiment calls a function and measures its effect. ``what`` names the measured quantity
        where it is not the function's own output.
        """
        self._compare(Comparison(experiment, experiment(self.call), expected, axes, tolerance, what))

    def arguments_of(self, comparison: Comparison) -> dict[str, object]:
        """Return the arguments of a compared call by the names of their parameters."""
        parameters = inspect.signature(self.exercise.reference).parameters
        return dict(zip(parameters, comparison.arguments or ()))

    def axis_names(self, parameter: str) -> list[str]:
        """Return the names of a parameter's axes, none if their number is open."""
        annotation = typing.get_type_hints(self.exercise.reference).get(parameter)
        names = getattr(annotation, "dim_str", "").split()
        return [] if any(name[0] in "*." for name in names) else names

    def sizes_in(self, comparison: Comparison) -> dict[str, int]:
        """Return the sizes of the axes that the signature and a comparison name."""
        sizes = dict(zip(comparison.axes.split(), comparison.expected.shape))
        for parameter, argument in self.arguments_of(comparison).items():
            names = self.axis_names(parameter)
            if isinstance(argument, Tensor) and len(names) == argument.ndim:
                sizes |= dict(zip(names, argument.shape))
        return sizes

    def _compare(self, comparison: Comparison) -> None:
        self.comparisons.append(comparison)
        problem = None if self.goes_on else comparison.problem()
        if problem:
            raise problem


def _copied(argument):
    """Copy a tensor, or a dictionary, list or tuple of tensors; return anything else as it is."""
    if isinstance(argument, Tensor):
        return argument.clone()
    if isinstance(argument, dict):
        return {key: _copied(value) for key, value in argument.items()}
    return type(argument)(map(_copied, argument)) if type(argument) in (list, tuple) else argument
