"""Exercises: ``@exercise("0.1")`` on the learner's function, ``check(function)`` in the next cell.

A checked function goes on working in later cells: it is the learner's if it passed, else the
reference solution. ``hint("0.1")`` gives one more hint at each call, ``solution("0.1")`` the
solution, ``progress()`` a bar.
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


def exercise(id: str) -> Callable[[Callable], "Attempt"]:
    """Decorate a function as the learner's answer to an exercise.

    Until the answer passes, calls run the reference solution.

    >>> import torch
    >>> @exercise("0.3")
    ... def previous_token_score(pattern):
    ...     raise NotImplementedError
    >>> previous_token_score(torch.eye(5).roll(-1, dims=1))
    tensor(1.)
    """
    return lambda answer: Attempt(get(id), answer)


class Attempt:
    """A learner's function: a call runs it if it passed, the reference solution otherwise."""

    def __init__(self, exercise: Exercise, answer: Callable):
        self.exercise, self.answer, self.result = exercise, answer, None
        functools.update_wrapper(self, answer, updated=())

    def check(self) -> Result:
        self.result = self.exercise.check(self.answer)
        return self.result

    def __call__(self, *arguments, **keywords):
        result = self.result or self.check()
        function = self.answer if result.status == "passed" else self.exercise.reference
        return function(*arguments, **keywords)


def check(attempt: object) -> None:
    """Check the function of an exercise cell and show the result as a card.

    >>> @exercise("0.3")
    ... def previous_token_score(pattern):
    ...     return pattern
    >>> check(previous_token_score)
    ✘ 0.3 Not yet: find the previous-token head
    wrong shape: expected shape [2, 3] [layer head], got shape [2, 3, 5, 5].
    ...
    """
    if not isinstance(attempt, Attempt):
        text = (
            "check expects the function of an exercise cell, under its @exercise line, "
            f"got {type(attempt).__name__}. Put the line back if it is gone, and run that cell again."
        )
        display(Card("Nothing to check", [text]))
        return
    error = _syntax_error(attempt.exercise.id)
    if error:
        text = (
            f"Python could not read your cell, {error}. Python is still using your previous version. "
            "Fix the cell and run it again."
        )
        result = attempt.result = Result(attempt.exercise, "failed", text, "syntax error")
    else:
        result = attempt.check()
    if result.status == "passed":
        note = progress_file.record(attempt.exercise.id)
        result.notes += [note] if note else []
    display(result_card(result), metadata={"exercise": attempt.exercise.id, "status": result.status})


def _syntax_error(id: str) -> str:
    """Return the syntax error in the cell of an exercise as it was run last, or an empty string."""
    shell = get_ipython()
    cells = shell.history_manager.input_hist_parsed if shell else []
    source = next((cell for cell in reversed(cells) if f'@exercise("{id}")' in cell), "")
    with warnings.catch_warnings(action="ignore"):  # Python showed them when the cell was run
        try:
            ast.parse(source)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:  # a null byte, a thousand brackets
            return type(error).__name__
    return ""


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
    """Show how many exercises of each lesson passed.

    >>> progress()
    Your progress
    Lesson 0 ...
    """
    display(progress_card(all_exercises(), *progress_file.read()))


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
