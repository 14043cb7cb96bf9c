"""A lesson as an assignment of nbgrader, in the folder of a course.

    python -m helpers.build.assignment notebooks/00_start_here.ipynb FOLDER

writes ``FOLDER/source/00_start_here/00_start_here.ipynb`` and, where there is none,
``FOLDER/nbgrader_config.py``. In that folder ``nbgrader generate_assignment 00_start_here``,
``release_assignment``, ``collect``, ``autograde`` and ``export`` do the rest
(https://nbgrader.readthedocs.io).

An exercise cell becomes a solution cell that holds the reference. A check cell becomes a locked
test, worth as many points as the exercise is difficult.
"""

import argparse
import ast
import sys
import textwrap
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.build.lesson_files import ROOT, exercise_of, read_lesson, repository_address, with_links
from helpers.exercises import get
from helpers.exercises.engine import Exercise

STUB = "raise NotImplementedError"
CONFIG = '''\
"""The course for nbgrader: answers are checked in a process of their own, not by a run of the notebook."""

import sys

sys.path.insert(0, {root!r})  # the course
c = get_config()  # noqa: F821 - nbgrader defines it
c.CourseDirectory.course_id = {course!r}  # the name of this folder: each class has its own
c.ClearSolutions.code_stub = {{"python": "raise NotImplementedError"}}
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "helpers.build.autograder.RestoreChecks",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "helpers.build.autograder.CheckAnswers",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
'''


def main() -> None:
    """Write the assignment that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.assignment", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        print(f"Wrote {write_assignment(arguments.notebook.resolve(), arguments.folder)}.")
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def write_assignment(path: Path, folder: Path) -> Path:
    """Write a lesson into the folder of a course of nbgrader; return the notebook's path.

    A configuration that is there is kept. Raises ``ValueError`` for a notebook without exercises.
    """
    notebook = assignment(read_lesson(path), path.parent)
    if not any("nbgrader" in cell.metadata for cell in notebook.cells):
        raise ValueError(f"Expected a lesson with exercises, got {path.name}, which has none.")
    source = folder / "source" / path.stem / path.name
    source.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, source)
    config = folder / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CONFIG.format(root=str(ROOT), course=folder.resolve().name), encoding="utf-8")
    return source


def assignment(lesson: NotebookNode, folder: Path) -> NotebookNode:
    """Return a lesson with nbgrader's metadata, solutions and no outputs.

    Links relative to ``folder`` lead to the repository.
    """
    notebook, id = nbformat.from_dict(lesson), None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links(cell.source, folder, repository_address)
            continue
        cell.outputs, cell.execution_count = [], None
        if exercise_of(cell):
            id = exercise_of(cell)
            cell.source = with_solution(cell.source, get(id))
            cell.metadata.nbgrader = _metadata("answer", id, solution=True)
        elif id and is_check(cell, get(id)):
            points = get(id).difficulty
            cell.metadata.nbgrader = _metadata("check", id, grade=True, locked=True, points=points)
    return notebook


def is_check(cell: NotebookNode, exercise: Exercise) -> bool:
    """Return True for the cell that checks the function of an exercise."""
    return cell.cell_type == "code" and cell.source.strip() == f"check({exercise.name})"


def with_solution(source: str, exercise: Exercise) -> str:
    """Return an exercise cell with the reference between nbgrader's marks, in place of its stub.

    Raises ``ValueError`` for a cell without stub.
    """
    nodes = ast.parse(exercise.solution()).body
    reference = next(node for node in nodes if getattr(node, "name", "") == exercise.name)
    lines, (_, first, *_) = exercise.solution().splitlines(), reference.body
    parts = [node for node in nodes if node is not reference]  # become functions in the function
    solution = [line for part in parts for line in [*_indented(lines, part), ""]]
    solution += lines[first.lineno - 1 : reference.end_lineno]
    marked = "\n".join(["    ### BEGIN SOLUTION", *solution, "    ### END SOLUTION"])
    before, stub, after = source.rpartition(f"    {STUB}")
    if not stub:
        raise ValueError(f'expected the line "{STUB}" in the cell of {exercise.id}, got {source!r}.')
    return before + marked + after


def _indented(lines: list[str], node: ast.stmt) -> list[str]:
    """Return the lines of a function, with its decorators, one level to the right."""
    first = min([node.lineno, *(line.lineno for line in getattr(node, "decorator_list", []))])
    return textwrap.indent("\n".join(lines[first - 1 : node.end_lineno]), "    ").splitlines()


def _metadata(
    kind: str, id: str, *, grade: bool = False, solution: bool = False, locked: bool = False, points: int = 0
) -> NotebookNode:
    """Return nbgrader's metadata of a cell (schema 3)."""
    entry = dict(
        schema_version=3,
        grade_id=f"{kind}-{id.replace('.', '-')}",
        grade=grade,
        solution=solution,
        locked=locked,
        task=False,
    )
    return nbformat.from_dict(entry | (dict(points=points) if grade else {}))


if __name__ == "__main__":
    main()
