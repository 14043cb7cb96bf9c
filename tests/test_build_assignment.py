"""A lesson as an assignment: nbgrader's metadata, the solution between its marks, nothing lost."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.assignment import STUB, assignment, with_solution, write_assignment
from helpers.build.lesson_files import exercise_of, lessons, read_lesson
from helpers.exercises import all_exercises, get

REGION = re.compile(r" *### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL)
WITH_EXERCISES = [path for path in lessons() if any(map(exercise_of, read_lesson(path).cells))]


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_every_exercise_has_a_solution_and_a_locked_check_with_points(path):
    lesson = read_lesson(path)
    made = assignment(lesson, path.parent)
    for mine, theirs in zip(lesson.cells, made.cells, strict=True):
        if mine.cell_type == "code":
            compile(theirs.source, "cell", "exec") if exercise_of(mine) else None
            assert REGION.sub(f"    {STUB}", theirs.source) == mine.source
            assert theirs.outputs == []
        else:
            assert "](index.md" not in theirs.source
    marked = [cell.metadata.nbgrader for cell in made.cells if "nbgrader" in cell.metadata]
    ids = [exercise_of(cell) for cell in lesson.cells if exercise_of(cell)]
    names = [id.replace(".", "-") for id in ids]
    assert [mark.grade_id for mark in marked] == [
        f"{kind}-{name}" for name in names for kind in ("answer", "check")
    ]
    assert [mark.points for mark in marked if mark.grade] == [get(id).difficulty for id in ids]
    assert all(mark.locked == mark.grade and mark.solution != mark.grade for mark in marked)


def test_all_lessons_with_exercises_are_among_them():
    lesson_numbers = {int(exercise.id.split(".")[0]) for exercise in all_exercises()}
    assert {int(path.name[:2]) for path in WITH_EXERCISES} == lesson_numbers


def test_a_course_has_the_name_of_its_folder(tmp_path):
    write_assignment(lessons()[0], tmp_path / "autumn")
    text = (tmp_path / "autumn/nbgrader_config.py").read_text(encoding="utf-8")
    assert "course_id = 'autumn'" in text


def test_a_configuration_that_is_there_is_kept(tmp_path):
    (tmp_path / "nbgrader_config.py").write_text("mine", encoding="utf-8")
    source = write_assignment(lessons()[0], tmp_path)
    assert source == tmp_path / "source" / "00_start_here" / "00_start_here.ipynb"
    assert (tmp_path / "nbgrader_config.py").read_text(encoding="utf-8") == "mine"


def test_a_lesson_without_exercises_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected a lesson with exercises, got 09_circuit_explorer.ipynb"):
        write_assignment(lessons()[-1], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cell_without_stub_is_refused():
    cell = new_code_cell('@exercise("0.3")\ndef previous_token_score(pattern):\n    return 1')
    with pytest.raises(ValueError, match="expected the line .raise NotImplementedError. in the cell of 0.3"):
        with_solution(new_notebook(cells=[cell]).cells[0].source, get("0.3"))
