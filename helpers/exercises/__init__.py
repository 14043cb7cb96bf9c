"""Exercises: ``@exercise("0.1")`` on the learner's function, ``check(function)`` in the next cell.

A checked function goes on working in later cells: it is the learner's if it passed, else the
reference solution. ``hint("0.1")`` gives one more hint at each call, ``solution("0.1")`` the
solution, ``progress()`` a bar. ``predict`` asks what a measurement will show, ``reveal`` answers.
"""

import contextlib
import functools
import importlib
import inspect
import os
import pkgutil
import re
from collections import Counter
from collections.abc import Callable

from IPython import get_ipython
from IPython.display import display

from helpers.exercises import progress_file
from helpers.exercises.cards import Card, progress_card, result_card
from helpers.exercises.engine import Exercise, Result
from helpers.exercises.predictions import calibration, predict, reveal

__all__ = [
    "check",
    "exercise",
    "hint",
    "predict",
    "progress",
    "reveal",
    "solution",
]  # not ``all``, which Python has

_hints_given: Counter = Counter()
last_attempts: dict[str, "Attempt"] = {}  # id → the attempt that was defined last
_ids_in_check: set[str] = set()


def exercise(id: object) -> Callable[[Callable], "Attempt"]:
    """Decorate a function as the learner's answer to an exercise.

    Until the answer passes, calls run the reference solution.

    >>> import torch
    >>> @exercise("0.3")
    ... def previous_token_score(pattern):
    ...     raise NotImplementedError
    >>> previous_token_score(torch.eye(5).roll(-1, dims=1))
    tensor(1.)
    """
    asked = get(id)
    return lambda answer: Attempt(asked, answer)


class Attempt:
    """A learner's function: a call runs it if it passed, the reference solution otherwise."""

    def __init__(self, exercise: Exercise, answer: Callable):
        self.exercise, self.answer, self.result = exercise, answer, None
        self.cell = len(_cells()) - 1
        self.__name__ = type(answer).__name__  # where the answer has no name
        functools.update_wrapper(self, answer, updated=())
        last_attempts[exercise.id] = self

    def check(self, decorated: Callable | None = None) -> Result:
        """Check the answer, or the function that decorators above the @exercise line made of it."""
        _ids_in_check.add(self.exercise.id)
        try:
            self.result = self.exercise.check(self.answer if decorated is None else decorated)
        finally:
            _ids_in_check.discard(self.exercise.id)
        return self.result

    def __call__(self, *arguments, **keywords):
        if self.exercise.id in _ids_in_check:  # an answer that calls itself calls no reference
            return self.answer(*arguments, **keywords)
        result = self.result or self.check()
        if result.status != "passed":
            return self.exercise.reference(*arguments, **keywords)
        return self.exercise.in_form(self.answer(*arguments, **keywords))


class NotPassed(Exception):  # noqa: N818 - an answer that does not pass is a result
    """Raised by ``check`` where nbgrader runs the notebook: it takes points off for errors."""


def check(function: object) -> None:
    """Check the function of an exercise cell and show the result as a card.

    It raises ``NotPassed`` only where nbgrader runs the notebook.

    >>> @exercise("0.3")
    ... def previous_token_score(pattern):
    ...     return pattern
    >>> check(previous_token_score)
    ✘ 0.3 Not yet: find the previous-token head
    wrong shape: expected shape [2, 3] [layer head], got shape [2, 3, 5, 5].
    ...
    """
    attempt = _attempt_under(function)
    if attempt is None:
        text = (
            "check expects the function of an exercise cell, under its @exercise line, got "
            f"{type(function).__name__}. Put the line back if it is gone, above other decorators, "
            "and run that cell again."
        )
        display(Card("Nothing to check", [text]))
        return
    result = _judge(attempt, None if function is attempt else function)
    if result.status == "passed":
        note = progress_file.record(attempt.exercise.name)
        result.notes += [note] if note else []
    display(result_card(result), metadata={"exercise": attempt.exercise.id, "status": result.status})
    if result.status != "passed" and "NBGRADER_EXECUTION" in os.environ:
        raise NotPassed(f"{attempt.exercise.id} {result.diagnosis or result.status}: {result.message}")


def _attempt_under(function: object) -> Attempt | None:
    """Return the attempt under the decorators above an @exercise line, None if there is none."""
    with contextlib.suppress(Exception):  # objects may lie about what is under them
        function = inspect.unwrap(function, stop=lambda layer: isinstance(layer, Attempt))
        return function if isinstance(function, Attempt) else None
    return None


def _judge(attempt: Attempt, decorated: Callable | None) -> Result:
    """Check an attempt, unless the last run of its cell defined nothing."""
    exercise, cell = attempt.exercise, _last_cell(attempt.exercise.id)
    last = last_attempts[exercise.id]
    if attempt.cell >= cell:
        return attempt.check(decorated)
    if last.cell == cell and last.__name__ != attempt.__name__:
        result = attempt.check(decorated)
        result.notes.append(
            f"This is about {attempt.__name__} of cell [{attempt.cell}]. Cell [{cell}] was run later and "
            f"defined {last.__name__} for the same exercise."
        )
        return result
    text = (
        f"expected the function of cell [{cell}], which holds this exercise and was run last, got that "
        f"of cell [{attempt.cell}]. Cell [{cell}] defined none: it ended with an error, or it begins "
        "with a magic such as %%timeit. Python is still using your previous version. "
        "Fix the cell and run it again."
    )
    attempt.result = Result(exercise, "failed", text, "previous version")
    return attempt.result


def _last_cell(id: str) -> int:
    """Return the number of the cell with the @exercise line of an exercise that was run last."""
    line = re.compile(rf"""^\s*@(\w+\.)*exercise\(\s*["']{re.escape(id)}["']""", re.MULTILINE)
    return max((number for number, cell in enumerate(_cells()[:-1]) if line.search(cell)), default=-1)


def _cells() -> list[str]:
    """Return what was run so far: ``_cells()[7]`` is the cell [7], the last one is running."""
    shell = get_ipython()
    return shell.history_manager.input_hist_raw if shell else []


def hint(id: object) -> None:
    """Show the hints of an exercise: one at the first call, one more at each further call.

    >>> hint("0.2")
    Hint 1 of 3 for 0.2
    ...
    """
    try:
        hints = get(id).hints
    except ValueError as error:
        return display(Card("No such exercise", [str(error)]))
    _hints_given[id] = min(_hints_given[id] + 1, len(hints))
    count = _hints_given[id]
    display(Card(f"Hint {count} of {len(hints)} for {id}", list(hints[:count])))


def solution(id: object) -> None:
    """Show the solution of an exercise: the source of the reference that the tests run.

    >>> solution("0.3")
    A solution of 0.3
    def previous_token_score(...
    """
    try:
        source = get(id).solution()
    except ValueError as error:
        return display(Card("No such exercise", [str(error)]))
    display(Card(f"A solution of {id}", [], code=source))


def progress() -> None:
    """Show how many exercises of each lesson passed, and how many predictions were right.

    >>> progress()
    Your progress
    Lesson 0 ...
    """
    passed, note = progress_file.read()
    lines = calibration(progress_file.predictions())
    display(progress_card(all_exercises(), passed, note, lines))


def get(id: object) -> Exercise:
    """Return one exercise by its id.

    >>> get("0.3").title
    'find the previous-token head'
    """
    if not isinstance(id, str):
        raise ValueError(f'expected the id of an exercise in quotes, such as "0.2", got {id!r}.')
    try:
        return _exercises()[id]
    except KeyError:
        raise ValueError(f"expected an id among {', '.join(_exercises())}, got {id!r}.") from None


def all_exercises() -> list[Exercise]:
    """Return every exercise, in the order of the lessons."""
    return list(_exercises().values())


all = all_exercises  # the name under which other tools know it


@functools.cache
def _exercises() -> dict[str, Exercise]:
    names = [module.name for module in pkgutil.walk_packages(__path__, f"{__name__}.")]
    modules = [importlib.import_module(name) for name in names if ".lesson_" in name]
    exercises = [module.EXERCISE for module in modules if hasattr(module, "EXERCISE")]
    return {exercise.id: exercise for exercise in sorted(exercises, key=lambda exercise: number(exercise.id))}


def number(id: str) -> tuple[int, ...]:
    """Return an id as numbers, so that 1.10 is sorted after 1.9.

    >>> number("1.10")
    (1, 10)
    """
    return tuple(int(part) for part in id.split("."))
