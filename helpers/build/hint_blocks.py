"""The hints of an exercise, folded in the Markdown cell above the exercise cell.

Their text has one home, ``Exercise.hints``; the notebooks hold copies that these functions write.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from nbformat import NotebookNode

from helpers.build.lesson_files import exercise_of
from helpers.exercises import get
from helpers.exercises.engine import Exercise

BLOCKS = re.compile(r"(<details><summary>Hint[^<]*</summary>.*?</details>\s*)+", re.DOTALL)


def write_hints(notebook: NotebookNode) -> None:
    """Replace the hint blocks above every exercise cell by those of the exercise's module."""
    for cell, exercise in _instructions(notebook):
        cell.source = with_hints(cell.source, exercise)


def outdated_hints(notebook: NotebookNode) -> list[str]:
    """Return the ids of the exercises whose hint blocks differ from the module's hints."""
    return [
        exercise.id
        for cell, exercise in _instructions(notebook)
        if cell.source != with_hints(cell.source, exercise)
    ]


def _instructions(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, Exercise]]:
    """Yield the text above every exercise cell, which says what to do, with its exercise."""
    for above, cell in pairwise(notebook.cells):
        exercise_id = exercise_of(cell)
        if exercise_id and above.cell_type == "markdown":
            yield above, get(exercise_id)


def with_hints(text: str, exercise: Exercise) -> str:
    """Return the text with one folded block per hint, in place of its hint blocks or at its end."""
    blocks = "\n\n".join(
        f"<details><summary>Hint {number}</summary>\n\n{hint}\n\n</details>"
        for number, hint in enumerate(exercise.hints, start=1)
    )
    old = BLOCKS.search(text)
    before, after = (text[: old.start()], text[old.end() :]) if old else (text, "")
    return "\n\n".join(part for part in (before.rstrip(), blocks, after) if part)
