"""The lessons as files: their list, their exercise cells, their outputs."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
PLOTLY = "application/vnd.plotly.v1+json"  # the media type of a figure among a cell's outputs


def lessons() -> list[Path]:
    """Return the paths of all lessons, in order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def read_lesson(path: Path) -> NotebookNode:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def exercise_of(cell: NotebookNode) -> str | None:
    """Return the id of the exercise that a code cell answers, None for every other cell.

    >>> exercise_of(nbformat.v4.new_code_cell('@exercise("0.1")'))
    '0.1'
    """
    line = re.search(r"^@exercise\(\"([\d.]+)\"\)", cell.source, re.MULTILINE)
    return line[1] if line and cell.cell_type == "code" else None


def outputs_of(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs of all cells, in order."""
    return [output for cell in cells for output in cell.get("outputs", [])]


def figures_of(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the data of every output that is a plotly figure: media type → content."""
    return [output.data for output in outputs_of(cells) if PLOTLY in output.get("data", {})]
