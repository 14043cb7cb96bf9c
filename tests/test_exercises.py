"""The functions that learners call, and what every exercise has."""

import ast
import functools
import inspect
import textwrap
from types import SimpleNamespace

import pytest
import torch

from helpers import exercises
from helpers.exercises import progress_file

EXERCISES = exercises.all_exercises()
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=[exercise.id for exercise in EXERCISES])
MAX_BODY_LINES = 12  # of a reference that lives in an exercise module


def test_a_learners_function_is_used_when_it_passed_and_the_reference_otherwise():
    pattern = torch.eye(4).roll(-1, dims=1)[None, None]

    @exercises.exercise("0.3")
    def unsolved(pattern):
        raise NotImplementedError

    @exercises.exercise("0.3")
    def wrong(pattern):
        return pattern.sum(dim=(-1, -2))

    @exercises.exercise("0.3")
    def solved(pattern):
        """Mine."""
        return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)

    for attempt, status in [(unsolved, "not attempted"), (wrong, "failed"), (solved, "passed")]:
        assert attempt(pattern).item() == 1
        assert attempt.result.status == status
    assert solved.__doc__ == "Mine." and solved.__name__ == "solved"


class Shell:
    """What a check reads of IPython: the cells that were run, the last one is running."""

    def __init__(self, monkeypatch):
        self.history_manager = SimpleNamespace(input_hist_raw=[""])
        monkeypatch.setattr(exercises, "get_ipython", lambda: self)

    def run(self, cell: str):
        self.history_manager.input_hist_raw.append(cell)


@pytest.mark.parametrize(
    "cell",
    [
        '@exercise("0.3")\ndef score(pattern):\n    return (1',
        "@exercise('0.3')\ndef score(pattern):\n    return (1",
        '@nosuch\n@exercises.exercise( "0.3")\ndef score(pattern):\n    return 1',
        '%%timeit\n@exercise("0.3")\ndef score(pattern):\n    return 1',
    ],
)
def test_a_cell_that_defined_nothing_is_not_judged_by_its_previous_version(cell, capsys, monkeypatch):
    shell = Shell(monkeypatch)
    shell.run('@exercise("0.3")\ndef score(pattern): ...')
    attempt = exercises.exercise("0.3")(exercises.get("0.3").reference)
    shell.run("check(score)")
    exercises.check(attempt)
    assert attempt.result.status == "passed"
    shell.run(cell)
    shell.run("check(score)")
    capsys.readouterr()
    exercises.check(attempt)
    printed = capsys.readouterr().out
    assert "expected the function of cell [3], which holds this exercise and was run last" in printed
    assert "got that of cell [1]. Cell [3] defined none: it ended with an error, or it begins" in printed
    assert "Python is still using your previous version. Fix the cell and run it again." in printed
    assert attempt.result.diagnosis == "previous version"
    shell.run(cell)
    attempt = exercises.exercise("0.3")(exercises.get("0.3").reference)
    shell.run("check(score)")
    exercises.check(attempt)
    assert attempt.result.status == "passed"


def test_cells_that_only_mention_an_exercise_say_nothing_about_its_function(capsys, monkeypatch):
    shell = Shell(monkeypatch)
    shell.run('@exercise("0.3")\ndef score(pattern): ...')
    attempt = exercises.exercise("0.3")(exercises.get("0.3").reference)
    for cell in ('# @exercise("0.3")', 'hint("0.3")', '@exercise("1.3")\ndef f(): ...', '@exercise("0.3")'):
        shell.run(cell)  # the last one is the running one
    exercises.check(attempt)
    assert attempt.result.status == "passed" and attempt.result.notes == []


def test_a_renamed_function_is_named(capsys, monkeypatch):
    shell = Shell(monkeypatch)

    def first(pattern):
        return pattern

    def second(pattern):
        return pattern

    attempts = []
    for function in (first, second):
        shell.run('@exercise("0.3")\ndef ...')
        attempts.append(exercises.exercise("0.3")(function))
    shell.run("check(first)")
    exercises.check(attempts[0])
    assert "This is about first of cell [1]. Cell [2] was run later and defined second for the same" in (
        capsys.readouterr().out
    )
    exercises.check(attempts[1])
    assert "This is about" not in capsys.readouterr().out


def test_a_function_under_further_decorators_is_judged_with_them(capsys):
    @torch.no_grad()
    @exercises.exercise("0.3")
    def right(pattern):
        return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)

    def doubled(function):
        @functools.wraps(function)
        def wrapper(*arguments):
            return 2 * function(*arguments)

        return wrapper

    @doubled
    @torch.no_grad()
    @exercises.exercise("0.3")
    def wrong(pattern):
        return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)

    @torch.no_grad()
    @exercises.exercise("0.3")
    def unsolved(pattern):
        raise NotImplementedError

    for function, heading in [(right, "✔ 0.3"), (wrong, "✘ 0.3"), (unsolved, "○ 0.3")]:
        exercises.check(function)
        assert heading in capsys.readouterr().out
    assert unsolved(torch.eye(4).roll(-1, dims=1)) == 1


def test_an_answer_that_calls_itself_is_judged_by_itself():
    """Inside a check the name is not the reference, even if the last check failed."""

    @exercises.exercise("0.3")
    def wrong(pattern):
        return torch.stack([wrong(part) for part in pattern]) if pattern.ndim > 2 else pattern.sum()

    @exercises.exercise("0.3")
    def calls_a_wrong_one(pattern):
        return wrong(pattern)

    @exercises.exercise("0.3")
    def endless(pattern):
        return endless(pattern)

    @exercises.exercise("0.3")
    def right(pattern):
        if pattern.ndim > 2:
            return torch.stack([right(part) for part in pattern])
        return pattern.diagonal(offset=-1).mean()

    for attempt, status in [(wrong, "failed"), (calls_a_wrong_one, "failed"), (endless, "failed")]:
        assert [attempt.check().status for _ in range(3)] == [status] * 3
    assert [right.check().status for _ in range(3)] == ["passed"] * 3
    assert wrong(torch.eye(4).roll(-1, dims=1)) == 1  # outside a check: the reference


class Lying:
    __class__ = __wrapped__ = property(lambda self: 1 / 0)


@pytest.mark.parametrize("make", [int, str, Lying, object, lambda: print, lambda: functools.partial(print)])
def test_check_says_what_it_expects_of_whatever_comes(make, capsys):
    value = make()
    exercises.check(value)
    printed = capsys.readouterr().out
    assert f"under its @exercise line, got {type(value).__name__}. Put the line back" in printed


def test_a_line_without_parentheses_is_met_where_it_stands():
    with pytest.raises(ValueError, match=r'expected the id of an exercise in quotes, such as "0\.2", got'):

        @exercises.exercise
        def score(pattern):
            return pattern


def test_hints_come_one_at_a_time_and_the_solution_is_the_references_source(capsys):
    exercises._hints_given.clear()
    for count in (1, 2, 3, 3):
        exercises.hint("0.1")
        assert f"Hint {count} of 3" in capsys.readouterr().out
    exercises.solution("0.1")
    assert "def attention_pattern(" in capsys.readouterr().out


def test_an_unknown_exercise_is_answered_with_the_known_ones(capsys):
    with pytest.raises(ValueError, match=r"expected an id among 0\.1, 0\.2, 0\.3.*, got '9\.9'"):
        exercises.get("9.9")
    for show in (exercises.hint, exercises.solution):
        show("9.9")
        assert "No such exercise\nexpected an id among 0.1" in capsys.readouterr().out


def test_a_number_without_quotes_is_answered_with_where_they_go(capsys):
    exercises.hint(0.1)
    assert 'expected the id of an exercise in quotes, such as "0.2", got 0.1' in capsys.readouterr().out


def test_progress_is_recorded_and_shown(capsys):
    attempt = exercises.exercise("0.3")(exercises.get("0.3").reference)
    exercises.check(attempt)
    assert progress_file.read() == ({"previous_token_score"}, "")
    capsys.readouterr()
    exercises.progress()
    count = len([exercise for exercise in EXERCISES if exercise.id.startswith("0.")])
    assert f"■{'□' * (count - 1)}  1 of {count}" in capsys.readouterr().out


def test_progress_that_cannot_be_saved_does_not_fail_the_check(monkeypatch, capsys):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress_file.os, "replace", refuse)
    exercises.check(exercises.exercise("0.3")(exercises.get("0.3").reference))
    printed = capsys.readouterr().out
    assert "✔ 0.3 Passed" in printed and "could not be saved (No space left on device)" in printed


def test_exercises_come_in_the_order_of_their_numbers():
    numbers = [exercises.number(exercise.id) for exercise in EXERCISES]
    assert numbers == sorted(numbers) and exercises.all is exercises.all_exercises


@every_exercise
def test_every_exercise_is_complete(exercise):
    assert exercise.check(exercise.reference).status == "passed"
    assert len(exercise.hints) >= 2 and len(exercise.mistakes) >= 4
    for mistake in exercise.mistakes:
        assert exercise.check(mistake.answer).diagnosis == mistake.name


@every_exercise
def test_a_module_is_named_after_its_exercise_and_reference(exercise):
    lesson, number = exercises.number(exercise.id)
    module = f"helpers.exercises.lesson_{lesson:02}.e{number:02}_{exercise.reference.__name__.lower()}"
    assert {test.__module__ for test in exercise.tests} == {module}


@every_exercise
def test_a_reference_is_a_measure_or_a_few_lines(exercise):
    if exercise.reference.__module__.startswith("helpers.exercises"):
        assert body_lines(exercise.reference) <= MAX_BODY_LINES


def body_lines(function) -> int:
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    first = definition.body[1 if ast.get_docstring(definition) else 0]
    return definition.end_lineno - first.lineno + 1
