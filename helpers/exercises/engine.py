"""The exercise engine: what an exercise is, and a check that survives whatever a learner's function does.

An exercise's ``tests`` are functions that call the learner's function through ``Trial.call`` and raise ``Wrong`` with the
name of the mistake and a sentence about it. Everything else (time, inputs, random state, hooks, prints, exceptions) is
looked after here.
"""

import contextlib
import inspect
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from helpers.exercises.sandbox import Printed, TimeUp, Wrong, model_unchanged, plain, protected, within_time

TIME_LIMIT_SECONDS = 10  # seconds
MAX_MESSAGE_CHARACTERS = 1000  # characters: a message may quote what a function returned


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners are known to give: its name, a sentence, and the function itself."""

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

    def solution(self) -> str:
        """Source of the reference, after that of the functions it calls."""
        return "\n\n".join(
            textwrap.dedent(inspect.getsource(part)) for part in (*self.solution_parts, self.reference)
        )

    def check(self, answer: Callable) -> "Result":
        """Try ``answer`` on every test; never raises, never changes the random state, never leaves a hook behind."""
        if not callable(answer):
            return self.result(
                "failed", f"expected a function, got {type(answer).__name__}.", "not a function"
            )
        printed = Printed()
        with protected(printed):
            try:
                trial = Trial(self, answer)
                for test in self.tests:
                    test(trial)
                outcome = self.result("passed", "")
            except NotImplementedError as error:
                line = _learner_line(error, answer)  # torch raises it, too
                theirs = line is not None and "raise NotImplementedError" in line[1]
                outcome = self.result("not attempted", "") if theirs else self.crash(error, answer)
            except Wrong as wrong:
                outcome = self.result("failed", str(wrong), wrong.diagnosis)
            except TimeUp:
                outcome = self.result(
                    "failed", f"stopped after {TIME_LIMIT_SECONDS} s: does a loop never end?", "too slow"
                )
            except BaseException as error:  # whatever a learner's function raises, SystemExit too
                if isinstance(error, KeyboardInterrupt):
                    raise
                outcome = self.crash(error, answer)
        outcome.printed = printed.text()
        return outcome

    def crash(self, error: BaseException, answer: Callable) -> "Result":
        try:
            text = within_time(TIME_LIMIT_SECONDS, lambda: str(error)[:300])
        except BaseException:
            text = "(an error that can not be shown)"
        line = _learner_line(error, answer)
        where = f" in your line {line[0]}: {line[1]}" if line else ""
        return self.result("failed", f"{type(error).__name__}: {text}{where}", "exception")

    def result(self, status: str, message: str, diagnosis: str | None = None) -> "Result":
        return Result(self, status, message[:MAX_MESSAGE_CHARACTERS], diagnosis)


@dataclass
class Result:
    """Outcome of a check: ``status`` is "passed", "failed" or "not attempted"; ``diagnosis`` names the mistake."""

    exercise: Exercise
    status: str
    message: str
    diagnosis: str | None = None
    printed: str = ""
    notes: list[str] = field(default_factory=list)


class Trial:
    """A learner's function, called with copies of the inputs and within the time limit."""

    def __init__(self, exercise: Exercise, answer: Callable):
        self.exercise, self.answer = exercise, answer

    def call(self, *arguments):
        """The answer's output, in single precision. Raises ``Wrong`` when it changed an input, left a hook on a model or returned nothing."""
        given = [_copied(argument) for argument in arguments]
        try:
            with model_unchanged(arguments):
                output = within_time(TIME_LIMIT_SECONDS, lambda: plain(self.answer(*given)))
        except RuntimeError as error:
            if type(error) is RuntimeError and "allocate memory" in str(error):
                raise Wrong(
                    "out of memory", "a matrix too large for memory was formed: keep to thin factors."
                ) from error
            raise
        if not _unchanged(arguments, tuple(given)):
            raise Wrong(
                "changed its input",
                "your function changed one of its inputs in place; work on a copy: x.clone(), dict(x), list(x).",
            )
        if output is None:
            raise Wrong(
                "returned None", "your function returned None: does it return something in every case?"
            )
        return (
            output.detach().float() if isinstance(output, Tensor) and output.is_floating_point() else output
        )

    def matches(
        self,
        arguments: tuple,
        expected: Tensor,
        axes: str,
        tolerance: float = 1e-5,
        pick=lambda output: output,
    ) -> None:
        """Raise ``Wrong`` unless the output equals ``expected``; known mistakes are recognised by what they return.

        ``pick`` takes the part to compare out of an output that has several.
        """
        self.behaves(lambda function: pick(function(*arguments)), expected, axes, tolerance)

    def behaves(
        self, experiment: Callable, expected: Tensor, axes: str, tolerance: float = 1e-5, what: str = ""
    ) -> None:
        """As ``matches``, for what an experiment finds when it calls a function: ``experiment(function)`` is compared.

        ``what`` says what was compared, where that is not the function's own output.
        """
        observed = experiment(self.call)
        problem = difference(observed, expected, axes, tolerance)
        if problem is None:
            return
        for mistake in self.exercise.mistakes:
            with contextlib.suppress(Exception):  # a mistake that can not run here is not this one
                if difference(observed, experiment(mistake.answer), axes, tolerance) is None:
                    problem = Wrong(mistake.name, mistake.explanation)
                    break
        raise Wrong(
            problem.diagnosis,
            f"{what}: {problem}" if what and problem.diagnosis == "wrong values" else str(problem),
        )


def _copied(argument):
    """A copy of a tensor, or of a dictionary, list or tuple of tensors; anything else as it is."""
    if isinstance(argument, Tensor):
        return argument.clone()
    if isinstance(argument, dict):
        return {key: _copied(value) for key, value in argument.items()}
    return type(argument)(map(_copied, argument)) if type(argument) in (list, tuple) else argument


def _unchanged(before, after) -> bool:
    """Whether a copy that a function was given still equals the original."""
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and before.shape == after.shape and torch.equal(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    if type(before) in (list, tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return True


def difference(output, expected: Tensor, axes: str, tolerance: float = 1e-5) -> Wrong | None:
    """How ``output`` differs from ``expected`` (whose axes are named ``axes``), or None when it does not.

    A plain number will do where one number is expected, integers where all expected numbers are whole.
    """
    if expected.ndim == 0 and isinstance(output, int | float):
        output = torch.tensor(float(output))
    if not isinstance(output, Tensor):
        return Wrong("wrong type", f"expected a torch.Tensor [{axes}], got {type(output).__name__}.")
    if output.shape != expected.shape:
        wanted = f"shape {list(expected.shape)} [{axes}]" if expected.ndim else "a single number"
        return Wrong("wrong shape", f"expected {wanted}, got shape {list(output.shape)}.")
    if not output.is_floating_point() and not output.is_complex() and torch.equal(expected, expected.round()):
        output = output.float()
    if not output.is_floating_point():
        return Wrong("wrong dtype", f"expected floating-point numbers, got {output.dtype}.")
    output = output.detach().to(expected)
    if output.isnan().any() and not expected.isnan().any():
        index = tuple(output.isnan().nonzero()[0].tolist())
        return Wrong("NaN", f"your result holds NaN, first at {_entry(index, axes)}.")
    if torch.allclose(output, expected, atol=tolerance, rtol=tolerance, equal_nan=True):
        return None
    wrong = ~torch.isclose(output, expected, atol=tolerance, rtol=tolerance, equal_nan=True)
    index = tuple(wrong.nonzero()[0].tolist())
    return Wrong(
        "wrong values",
        f"{wrong.sum()} of {wrong.numel()} entries differ, first at {_entry(index, axes)}: "
        f"expected {expected[index]:.4g}, got {output[index]:.4g}.",
    )


def _entry(index: tuple[int, ...], axes: str) -> str:
    """An index with the names of its axes: ``head=0, query=2, key=1``."""
    return ", ".join(f"{name}={i}" for name, i in zip(axes.split(), index)) or "the only entry"


def _learner_line(error: BaseException, answer: Callable) -> tuple[int, str] | None:
    """Number and text of the last line of the learner's own function that ``error`` passed through."""
    code = getattr(inspect.unwrap(answer), "__code__", None)
    lines = [
        (frame.lineno, (frame.line or "").strip())
        for (python_frame, _), frame in zip(
            traceback.walk_tb(error.__traceback__), traceback.extract_tb(error.__traceback__)
        )
        if code is not None and python_frame.f_code.co_filename == code.co_filename
    ]
    return lines[-1] if lines else None
