"""Answers put into exercise cells; what an executed notebook tells of its checks and times."""

import ast

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.lesson_files import ROOT, exercise_of, lessons, read_lesson
from helpers.build.lesson_runs import execute, in_state, seconds, statuses
from helpers.exercises import all_exercises


def exercise_cell(id, state):
    cell = new_code_cell(f'@exercise("{id}")\ndef f(x):\n    raise NotImplementedError')
    return in_state(new_notebook(cells=[cell]), state).cells[0].source


@pytest.mark.parametrize("state", ["solved", "wrong"])
@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.id)
def test_the_answer_is_the_one_decorated_function_and_the_solution_is_unchanged(exercise, state):
    source = exercise_cell(exercise.id, state)
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    decorated = {function.name: function.decorator_list for function in functions}[
        exercise.reference.__name__
    ]
    line = f'@exercise("{exercise.id}")'
    assert ast.unparse(decorated[0]) == line.removeprefix("@").replace('"', "'")
    assert source.count(line) == 1
    if state == "solved":
        assert source.replace(f"{line}\n", "") == exercise.solution().rstrip("\n")


def test_only_exercise_cells_are_changed():
    notebook = read_lesson(lessons()[0])
    solved = in_state(notebook, "solved")
    changed = [cell.id for cell, after in zip(notebook.cells, solved.cells) if cell.source != after.source]
    assert changed == [cell.id for cell in notebook.cells if exercise_of(cell)]
    assert in_state(notebook, "unsolved") == notebook


def test_a_run_reports_what_the_checks_say_and_how_long_cells_took():
    source = "from helpers.exercises import *\n@exercise('0.3')\ndef f(p):\n    raise NotImplementedError\ncheck(f)"
    wait = new_code_cell("import time; time.sleep(0.2)")
    notebook = execute(new_notebook(cells=[new_code_cell(source), wait]), folder=ROOT)
    assert statuses(notebook) == {"0.3": "not attempted"}
    assert 0.2 <= seconds(notebook.cells[1]) < 2
