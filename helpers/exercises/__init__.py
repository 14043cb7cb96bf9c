"""Exercises: ``@exercise("0.1")`` on the learner's function, ``check(function)`` in the next cell.

A checked function goes on working in later cells: it is the learner's when it passed, else the reference solution.
``hint("0.1")`` gives one more hint at each call, ``solution("0.1")`` the solution, ``progress()`` a bar.
"""

import ast
import functools
import importlib
import pkgutil
import warnings
from collections import Counter
from collections.abc import Callable

from IPython import get_ipython
from IPython.display import display

from helpers.exercises import progress_file
from helpers.exercises.cards import Card, progress_card, result_card
from helpers.exercises.engine import Exercise, Result

__all__ = ["check", "exercise", "hint", "progress", "solution"]  # not ``all``, which Python has

_hints_given: Counter = Counter()


@functools.cache
def _exercises() -> dict[str, Exercise]:
    modules = [
        module.name for module in pkgutil.walk_packages(__path__, f"{__name__}.") if ".lesson_" in module.name
    ]
    found = [importlib.import_module(name) for name in modules]
    exercises = [module.EXERCISE for module in found if hasattr(module, "EXERCISE")]
    return {exercise.id: exercise for exercise in sorted(exercises, key=lambda exercise: number(exercise.id))}


def number(id: str) -> tuple[int, ...]:
    """An id as numbers, so that 1.10 comes after 1.9."""
    return tuple(int(part) for part in id.split("."))


def all_exercises() -> list[Exercise]:
    """Every exercise, in the order of the lessons."""
    return list(_exercises().values())


all = all_exercises  # the name under which other tools know it


def get(id: str) -> Exercise:
    """One exercise by its id, such as "0.2"."""
    if not isinstance(id, str):
        raise ValueError(f'expected the number of an exercise in quotes, such as "0.2", got {id!r}')
    try:
        return _exercises()[id]
    except KeyError:
        raise ValueError(
            f"there is no exercise {id!r}; the exercises are {', '.join(_exercises())}"
        ) from None


class Attempt:
    """A learner's function for an exercise: runs it when it passed, the reference solution otherwise."""

    def __init__(self, exercise: Exercise, answer: Callable):
        self.exercise, self.answer, self.result = exercise, answer, None
        functools.update_wrapper(self, answer, updated=())

    def check(self) -> Result:
        self.result = self.exercise.check(self.answer)
        return self.result

    def __call__(self, *arguments, **named):
        if self.result is None:
            self.check()
        function = self.answer if self.result.status == "passed" else self.exercise.reference
        return function(*arguments, **named)


def exercise(id: str) -> Callable[[Callable], Attempt]:
    """Decorator that makes a function the learner's answer to an exercise."""
    return lambda answer: Attempt(get(id), answer)


def unreadable(id: str) -> str:
    """What keeps Python from reading the cell of an exercise as it was run last; empty when nothing does."""
    shell = get_ipython()
    cells = shell.history_manager.input_hist_parsed if shell else []
    source = next((cell for cell in reversed(cells) if f'@exercise("{id}")' in cell), "")
    with warnings.catch_warnings(action="ignore"):  # Python has said them when the cell was run
        try:
            ast.parse(source)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:  # a null byte, a thousand brackets
            return type(error).__name__
    return ""


def check(attempt: Attempt) -> None:
    """Check the function of an exercise cell and show what came of it."""
    if not isinstance(attempt, Attempt):
        text = "check expects the function of an exercise cell, under its @exercise line. Is that line still there? Run that cell again."
        display(Card("Nothing to check", [text]))
        return
    error = unreadable(attempt.exercise.id)
    if error:
        text = f"your cell could not be read, {error}. Python still has the function of before: mend the cell and run it again."
        result = attempt.result = attempt.exercise.result("failed", text, "syntax error")
    else:
        result = attempt.check()
    if result.status == "passed":
        note = progress_file.record(attempt.exercise.id)
        result.notes += [note] if note else []
    display(result_card(result), metadata={"exercise": attempt.exercise.id, "status": result.status})


def hint(id: str) -> None:
    """Show one more hint of an exercise at each call."""
    try:
        hints = get(id).hints
    except ValueError as error:
        return display(Card("No such exercise", [str(error)]))
    _hints_given[id] = min(_hints_given[id] + 1, len(hints))
    shown = hints[: _hints_given[id]]
    display(Card(f"Hint {len(shown)} of {len(hints)} for {id}", list(shown)))


def solution(id: str) -> None:
    """Show the solution of an exercise: the source of the reference that the tests run."""
    try:
        get(id)
    except ValueError as error:
        return display(Card("No such exercise", [str(error)]))
    display(Card(f"A solution of {id}", [], code=get(id).solution()))


def progress() -> None:
    """Show how many exercises passed, lesson by lesson."""
    display(progress_card(all_exercises(), *progress_file.read()))
