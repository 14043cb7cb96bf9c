"""Lessons executed as shipped, with every solution, or with a known mistake in every exercise."""

import ast
import os
import tempfile
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from helpers.build.lesson_files import ROOT, exercise_of, outputs_of
from helpers.exercises import get
from helpers.exercises.engine import Exercise

STATES = ("unsolved", "solved", "wrong")
CELL_TIME_LIMIT_SECONDS = 120
WRONG_CELL = """\
@exercise("{id}")
def {name}(*arguments, **named):
    from helpers.exercises import get

    return get("{id}").mistakes[0].answer(*arguments, **named)"""


def in_state(notebook: NotebookNode, state: str) -> NotebookNode:
    """Return a copy with every exercise cell as shipped ("unsolved"), "solved" or "wrong"."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        exercise_id = exercise_of(cell)
        if state != "unsolved" and exercise_id:
            cell.source = (_solved_cell if state == "solved" else _wrong_cell)(get(exercise_id))
    return copy


def _solved_cell(exercise: Exercise) -> str:
    """Return the exercise's solution, with the decorator of an exercise cell on its reference."""
    source, name = exercise.solution(), exercise.reference.__name__
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    reference = next(function for function in functions if function.name == name)
    above = min(node.lineno for node in (reference, *reference.decorator_list)) - 1
    lines = source.splitlines()
    return "\n".join([*lines[:above], f'@exercise("{exercise.id}")', *lines[above:]])


def _wrong_cell(exercise: Exercise) -> str:
    """Return an exercise cell whose function answers with the exercise's first known mistake."""
    return WRONG_CELL.format(id=exercise.id, name=exercise.reference.__name__)


def execute(notebook: NotebookNode, folder: Path = ROOT / "notebooks") -> NotebookNode:
    """Run the notebook from the top in a fresh kernel that leaves the learner's progress alone."""
    with tempfile.TemporaryDirectory() as scratch:
        client = NotebookClient(
            notebook,
            timeout=CELL_TIME_LIMIT_SECONDS,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env={**os.environ, "CIRCUITS_PROGRESS": f"{scratch}/progress.json"})
    return notebook


def statuses(notebook: NotebookNode) -> dict[str, str]:
    """Return the outcome of every check of an executed notebook: exercise id → status."""
    results = [
        output.metadata
        for output in outputs_of(notebook.cells)
        if output.output_type == "display_data" and "exercise" in output.metadata
    ]
    return {result["exercise"]: result["status"] for result in results}


def seconds(cell: NotebookNode) -> float:
    """Return the seconds that a cell of an executed notebook took, by nbclient's metadata."""
    times = [cell.metadata.execution[name] for name in ("iopub.execute_input", "shell.execute_reply")]
    start, end = map(datetime.fromisoformat, times)
    return (end - start).total_seconds()
