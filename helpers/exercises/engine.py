"""The exercise engine: an exercise, and a check that survives whatever a learner's function does.

An exercise's ``tests`` are functions that call the learner's function through ``Trial.call``. They
raise ``Wrong`` with the name of the mistake and a sentence about it. The engine looks after
everything else: time, inputs, random state, hooks, prints and exceptions.
"""

import bdb
import contextlib
import inspect
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from helpers.exercises.comparison import difference
from helpers.exercises.forms import promised
from helpers.exercises.sandbox import (
    PrintRecorder,
    Wrong,
    isolated,
    models_unchanged,
    to_plain_values,
)
from helpers.exercises.time_limit import TimeUp, within_time

TIME_LIMIT_SECONDS = 10
MAX_MESSAGE_CHARACTERS = 1000  # a message may quote what a function returned
NOTHING_RETURNED = {  # type of the output → what to do
    "NoneType": "Does every path through it end in a return?",
    "generator": "Write return in place of yield.",
    "coroutine": "Write def in place of async def.",
}


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners are known to give: its name, a sentence, the function itself."""

    name: str
    explanation: str
    answer: Callable


@dataclass(frozen=True)
class Exercise:
    """One exercise. ``reference`` is its solution; ``tests`` are called with a ``Trial``."""

    id: str
    title: str
    minutes: int
    difficulty: int  # 1 to 3
    hints: tuple[str, ...]
    reference: Callable
    tests: tuple[Callable, ...]
    mistakes: tuple[Mistake, ...] = ()
    solution_parts: tuple[Callable, ...] = ()  # functions that the reference calls and the solution shows

    @property
    def name(self) -> str:
        """Name of the function that the exercise asks for: unique, and kept when ids change."""
        return self.reference.__name__

    def solution(self) -> str:
        """Return the source of the reference, after that of the functions it calls."""
        return "\n\n".join(
            textwrap.dedent(inspect.getsource(part)) for part in (*self.solution_parts, self.reference)
        )

    def in_form(self, output):
        """Return an answer's output in the form that the signature of the reference promises."""
        return promised(output, inspect.signature(self.reference).return_annotation)

    def check(self, answer: object) -> "Result":
        """Run every test on ``answer``.

        Never raises, never changes the random state, never leaves a hook behind.
        """
        printed = PrintRecorder()
        with isolated(printed):
            result = self._outcome(answer)
        result.printed = printed.text()
        return result

    def _outcome(self, answer: object) -> "Result":
        if not callable(answer):
            message = f"expected a function, got {type(answer).__name__}."
            return Result(self, "failed", message, "not a function")
        try:
            trial = Trial(self, answer)
            for test in self.tests:
                test(trial)
            return Result(self, "passed", "")
        except KeyboardInterrupt:
            raise
        except NotImplementedError as error:
            line = _learner_line(error, answer)
            if line is not None and "raise NotImplementedError" in line[1]:
                return Result(self, "not attempted", "")
            return self._crash(error, answer)  # torch raises it, too
        except Wrong as wrong:
            return Result(self, "failed", str(wrong), wrong.diagnosis)
        except bdb.BdbQuit:
            message = "You left the debugger before your function ended. Run this cell again."
            return Result(self, "failed", message, "stopped")
        except TimeUp:
            message = (
                f"Stopped after {TIME_LIMIT_SECONDS} s. Is there an infinite loop, "
                "or is the whole d_model × d_model matrix formed? "
                "(If torch.compile was still at work, run this cell again.)"
            )
            return Result(self, "failed", message, "too slow")
        except BaseException as error:  # whatever a learner's function raises, SystemExit included
            return self._crash(error, answer)

    def _crash(self, error: BaseException, answer: Callable) -> "Result":
        try:
            text = within_time(TIME_LIMIT_SECONDS, lambda: str(error)[:300])
        except BaseException:
            text = "(an error that cannot be shown)"
        line = _learner_line(error, answer)
        position = f" in your line {line[0]}: {line[1]}" if line else ""
        return Result(self, "failed", f"{type(error).__name__}: {text}{position}", "exception")


@dataclass
class Result:
    """Outcome of a check.

    ``status`` is "passed", "failed" or "not attempted"; ``diagnosis`` names the mistake.
    """

    exercise: Exercise
    status: str
    message: str
    diagnosis: str | None = None
    printed: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.message = self.message[:MAX_MESSAGE_CHARACTERS]


class Trial:
    """A learner's function, called with copies of the inputs and within the time limit."""

    def __init__(self, exercise: Exercise, answer: Callable):
        self.exercise, self.answer = exercise, answer

    def call(self, *arguments):
        """Return the answer's output, in the form that the exercise promises.

        Raises ``Wrong`` if the answer changed an input, left a hook on a model or returned nothing.
        """
        copies = [_copied(argument) for argument in arguments]
        try:
            with models_unchanged(arguments):
                output = within_time(TIME_LIMIT_SECONDS, lambda: to_plain_values(self.answer(*copies)))
        except RuntimeError as error:
            if type(error) is RuntimeError and "allocate memory" in str(error):
                raise Wrong(
                    "out of memory",
                    "a matrix too large for memory was formed. Keep to the thin factors.",
                ) from error
            raise
        if not _equal(arguments, tuple(copies)):
            raise Wrong(
                "changed its input",
                "your function changed one of its inputs in place. "
                "Work on a copy: x.clone(), dict(x), list(x).",
            )
        kind = type(output).__name__
        if kind in NOTHING_RETURNED:
            what = "None" if output is None else f"a {kind}"
            raise Wrong(f"returned {what}", f"your function returned {what}. {NOTHING_RETURNED[kind]}")
        output = self.exercise.in_form(output)
        return output.detach() if isinstance(output, Tensor) else output

    def matches(
        self,
        arguments: tuple,
        expected: Tensor,
        axes: str,
        tolerance: float = 1e-5,
        pick: Callable = lambda output: output,
    ) -> None:
        """Raise ``Wrong`` unless the output equals ``expected``.

        Known mistakes are recognised by their output. ``pick`` selects the part of the output that
        is compared.
        """
        self.behaves(lambda function: pick(function(*arguments)), expected, axes, tolerance)

    def behaves(
        self, experiment: Callable, expected: Tensor, axes: str, tolerance: float = 1e-5, what: str = ""
    ) -> None:
        """Raise ``Wrong`` unless ``experiment(answer)`` equals ``expected``.

        Known mistakes are recognised by their result. An experiment calls a function and measures
        its effect. ``what`` names the measured quantity where it is not the function's own output.
        """
        observed = experiment(self.call)
        problem = difference(observed, expected, axes, tolerance)
        if problem is None:
            return
        for mistake in self.exercise.mistakes:
            with contextlib.suppress(Exception):  # a mistake that cannot run here is not this one
                if difference(observed, experiment(mistake.answer), axes, tolerance) is None:
                    problem = Wrong(mistake.name, mistake.explanation)
                    break
        prefix = f"{what}: " if what and problem.diagnosis == "wrong values" else ""
        raise Wrong(problem.diagnosis, f"{prefix}{problem}")


def _copied(argument):
    """Copy a tensor, or a dictionary, list or tuple of tensors; return anything else as it is."""
    if isinstance(argument, Tensor):
        return argument.clone()
    if isinstance(argument, dict):
        return {key: _copied(value) for key, value in argument.items()}
    return type(argument)(map(_copied, argument)) if type(argument) in (list, tuple) else argument


def _equal(before, after) -> bool:
    """Return True if a copy that a function was called with still equals the original."""
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and before.shape == after.shape and torch.equal(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_equal(before[key], after[key]) for key in before)
    if type(before) in (list, tuple):
        return len(before) == len(after) and all(map(_equal, before, after))
    return True


def _learner_line(error: BaseException, answer: Callable) -> tuple[int, str] | None:
    """Return number and text of the learner's last line in the traceback of ``error``."""
    file = _file_of(answer)
    lines = [
        (frame.lineno or 0, (frame.line or "").strip())
        for (python_frame, _), frame in zip(
            traceback.walk_tb(error.__traceback__), traceback.extract_tb(error.__traceback__)
        )
        if python_frame.f_code.co_filename == file
    ]
    return lines[-1] if lines else None


def _file_of(answer: Callable) -> str | None:
    """Return the name of the file or cell of a function, under decorators and ``partial``."""
    with contextlib.suppress(Exception):  # objects may lie about what is under them
        function = inspect.unwrap(answer)
        function = inspect.unwrap(getattr(function, "func", function))
        code = getattr(function, "__code__", None) or type(function).__call__.__code__
        return code.co_filename
    return None
