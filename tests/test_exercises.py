"""The functions that learners call, and what every exercise has."""

import ast
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


def test_check_says_what_it_expects(capsys):
    exercises.check(lambda: None)
    printed = capsys.readouterr().out
    assert "under its @exercise line, got function" in printed


def test_a_cell_that_cannot_be_read_is_not_judged_by_its_previous_version(capsys, monkeypatch):
    attempt = exercises.exercise("0.1")(exercises.get("0.1").reference)
    cells = [
        '@exercise("0.1")\ndef f():\n    return 1',
        '@exercise("0.1")\ndef f():\n    return (1',
        "check(f)",
    ]
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_parsed=cells))
    monkeypatch.setattr(exercises, "get_ipython", lambda: shell)
    exercises.check(attempt)
    printed = capsys.readouterr().out
    assert "Python could not read your cell, line 3" in printed
    assert "Python is still using your previous version. Fix the cell and run it again." in printed
    assert attempt.result.diagnosis == "syntax error"
    for unusual in ("f(\0)", "(" * 1000 + ")" * 1000, "'\\d'"):  # the last one draws a warning only
        shell.history_manager.input_hist_parsed = ['@exercise("0.1")\ndef f(): ' + unusual]
        exercises.check(attempt)
    assert attempt.result.status == "passed"
    shell.history_manager.input_hist_parsed = cells[:1]
    exercises.check(attempt)
    assert attempt.result.status == "passed"


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
    assert progress_file.read() == ({"0.3"}, "")
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
