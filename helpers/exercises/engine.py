"""The exercise engine: an exercise, and a check that survives whatever a learner's function does.

An exercise's ``tests`` are functions that call the learner's function through ``Trial.call``. They
raise ``Wrong`` with the name of the mistake and a sentence about it. The engine looks after
everything else: time, inputs, random state, hooks, prints and exceptions.
"""

import ast
import bdb
import contextlib
import inspect
import re
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from helpers.exercises.explanations import explain
from helpers.exercises.forms import describe, describe_promise, promised
from helpers.exercises.sandbox import PrintRecorder, Wrong, isolated
from helpers.exercises.time_limit import TimeUp, within_time
from helpers.exercises.trial import Comparison, Trial

EXPLANATION_SECONDS = 5  # for all that is run to explain a difference
LEAST_AGREEMENT = 2 / 3  # with the wrong outputs: at limits an answer with a known mistake may have two
LIBRARY_ERRORS = {  # part of the text → what to do
    "unexpected keyword argument 'hook'": (
        "a hook is called with two arguments, the second by its name: write def edit(activation, hook)."
    ),
}
FOLDERS = re.compile(
    r"(?<![\w.])([A-Za-z]:)?([/\\][^\s/\\'\":]+)+[/\\]"
)  # of this machine, which say nothing
MAX_MESSAGE_CHARACTERS = 1000  # a message may quote what a function returned


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
            result = self._outcome(answer, printed)
        result.printed = printed.text()
        return result

    def _outcome(self, answer: object, printed: PrintRecorder) -> "Result":
        if not callable(answer):
            message = f"expected a function, got {type(answer).__name__}."
            return Result(self, "failed", message, "not a function")
        trial = Trial(self, answer)
        try:
            for test in self.tests:
                test(trial)
            return Result(self, "passed", "")
        except KeyboardInterrupt:
            raise
        except NotImplementedError as error:
            line = _learner_line(error, answer)
            if line is not None and "raise NotImplementedError" in line[1]:
                return Result(self, "not attempted", _still_to_remove(answer))
            return self._crash(error, trial)  # torch raises it, too
        except Wrong as wrong:
            if _code(answer) == []:
                return Result(self, "not attempted", "")
            if wrong.comparison and not printed.debugged:  # a debugger would stop in every further call
                wrong = self._explained(answer, wrong)
            return Result(self, "failed", str(wrong), wrong.diagnosis, comparison=wrong.comparison)
        except bdb.BdbQuit:
            message = "You left the debugger before your function ended. Run this cell again."
            return Result(self, "failed", message, "stopped")
        except TimeUp:
            message = (
                f"Stopped after {trial.seconds} s. Is there an infinite loop, "
                "or is the whole d_model × d_model matrix formed? "
                "(If torch.compile was still at work, run this cell again.)"
            )
            return Result(self, "failed", message, "too slow")
        except BaseException as error:  # whatever a learner's function raises, SystemExit included
            return self._crash(error, trial)

    def _explained(self, answer: Callable, wrong: Wrong) -> Wrong:
        """Return a difference with its cause, if one mistake explains all comparisons."""
        trial = Trial(self, answer, goes_on=True)
        try:
            with isolated(PrintRecorder()):  # what these calls print is not shown
                cause = within_time(EXPLANATION_SECONDS, self._cause, trial)
        except KeyboardInterrupt:
            raise
        except BaseException:  # an answer that ends otherwise with other inputs stays unexplained
            return wrong
        return cause or wrong

    def _cause(self, trial: Trial) -> Wrong | None:
        """Return the known mistake that gives the answer's outputs, else a general difference."""
        for test in self.tests:
            with contextlib.suppress(Exception):
                test(trial)
        problems = [(comparison, comparison.problem()) for comparison in trial.comparisons]
        right = [comparison for comparison, problem in problems if problem is None]
        failed = [comparison for comparison, problem in problems if problem]
        failed = [each for each in failed if each.problem().diagnosis != "NaN"] or failed
        least = max(LEAST_AGREEMENT * len(failed), min(2, len(failed)), 1)
        known = [(_agreements(mistake, failed, least), mistake) for mistake in self.mistakes]
        for count, mistake in sorted(known, key=lambda pair: -pair[0]):
            if count >= least and _agreements(mistake, right, len(right)) == len(right):
                return Wrong(mistake.name, mistake.explanation, failed[0])
        return explain(trial.comparisons, trial)

    def _crash(self, error: BaseException, trial: Trial) -> "Result":
        line = _learner_line(error, trial.answer)
        if line is None and trial.output is not None:  # raised by a test, about the output
            promise = describe_promise(inspect.signature(self.reference).return_annotation)
            message = f"expected {promise}, got {describe(trial.output)}."
            return Result(self, "failed", message, "wrong type")
        try:
            text = within_time(trial.seconds, lambda: str(error)[:300])
        except BaseException:
            text = "(an error that cannot be shown)"
        for part, remedy in LIBRARY_ERRORS.items():
            if part in text:
                return Result(self, "failed", remedy, "exception")
        position = f" in your line {line[0]}: {line[1]}" if line else ""
        text = FOLDERS.sub("", text)
        return Result(self, "failed", f"{type(error).__name__}: {text}{position}", "exception")


def _agreements(mistake: Mistake, comparisons: list[Comparison], least: int | float) -> int:
    """Return how many outputs of an answer a known mistake gives, 0 if fewer than ``least``."""
    count = 0
    for number, comparison in enumerate(comparisons):
        if count + len(comparisons) - number < least:
            return 0
        count += comparison.agrees(mistake.answer)
    return count


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
    comparison: Comparison | None = None  # of the output with what was expected, where they differ
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.message = self.message[:MAX_MESSAGE_CHARACTERS]


def _still_to_remove(answer: Callable) -> str:
    """Return what to do if an answer has code beside the line that marks it as not attempted."""
    if len(_code(answer) or []) > 1:
        return "Remove the line `raise NotImplementedError` once your code is complete."
    return ""


def _code(answer: Callable) -> list[ast.stmt] | None:
    """Return the statements of a function without docstring, pass and ...; None without source."""
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(answer)))).body[0]
    except Exception:
        return None
    if not isinstance(function, ast.FunctionDef):
        return None

    def does_nothing(statement: ast.stmt) -> bool:
        is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        return is_constant or isinstance(statement, ast.Pass)

    return [statement for statement in function.body if not does_nothing(statement)]


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
