"""The lessons as files: their list, their exercise cells, their outputs, their links."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from nbformat import NotebookNode
from nbformat.v4.nbbase import random_cell_id

from helpers import __repository__, __version__

ROOT = Path(__file__).parents[2]
PLOTLY = "application/vnd.plotly.v1+json"  # the media type of a figure among a cell's outputs
LINK = re.compile(r"(```.*?```|`[^`\n]*`)|(\]\(|href=\"|src=\")([^)\"\s#:]+)", re.DOTALL)  # not in code


def lessons() -> list[Path]:
    """Return the paths of all lessons, in order; a learner's notebooks beside them are left out."""
    notebooks = (ROOT / "notebooks").glob("*.ipynb")
    return sorted(path for path in notebooks if re.fullmatch(r"\d\d_[a-z_]+", path.stem))


def read_lesson(path: Path) -> NotebookNode:
    """Read a notebook of any format; older ones and those of other editors get ids for their cells.

    Raises ``ValueError`` when the file is no notebook, or a notebook without cells.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected a notebook, found no file {path}. Check its name.")
    text = path.read_text(encoding="utf-8-sig")
    try:
        notebook = nbformat.from_dict(nbformat.convert(nbformat.reader.reads(text), to_version=4))
        sources = [cell.source for cell in notebook.cells]
    except Exception:  # text that is no notebook raises errors of many types
        sources = []
    if not sources:
        raise ValueError(f"Expected a notebook with cells in {path}, got {text[:40]!r}. Save it as .ipynb.")
    notebook.nbformat_minor = nbformat.v4.nbformat_minor
    for cell, source in zip(notebook.cells, sources):
        cell.setdefault("id", random_cell_id())
        cell.source = source.replace("\r\n", "\n")
    return notebook


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


def with_links(text: str, folder: Path, address_of: Callable[[Path], str]) -> str:
    """Return Markdown in which links to files, relative to ``folder``, lead to other addresses.

    A link to a file without an address stays as it is.

    >>> with_links("[index](index.md#terms)", ROOT / "notebooks", lambda path: f"/{path.name}")
    '[index](/index.md#terms)'
    """

    def replaced(link: re.Match) -> str:
        code, start, target = link.groups()
        path = folder / unquote(target or "")
        address = "" if code or not path.exists() else address_of(path.resolve())
        return start + address if address else link[0]

    return LINK.sub(replaced, text)


def repository_address(path: Path) -> str:
    """Return the address of one of the course's files in its repository; empty for other files."""
    root = ROOT.resolve()
    if not path.is_relative_to(root):
        return ""
    return f"{__repository__}/blob/v{__version__}/{path.relative_to(root).as_posix()}"


def copy_lesson(path: Path, folder: Path) -> Path:
    """Write a lesson, with its answers and outputs, into another folder; return the copy's path.

    Its links lead to the course's files. A file that is already there is never replaced.
    """
    notebook, folder = read_lesson(path), folder.resolve()

    def address_of(file: Path) -> str:
        try:
            return quote(Path(os.path.relpath(file, folder)).as_posix())
        except ValueError:  # no relative path leads to another drive of Windows
            return file.as_uri()

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links(cell.source, path.parent, address_of)
    copy = folder / path.name
    folder.mkdir(parents=True, exist_ok=True)
    if copy.exists():
        raise FileExistsError(
            f"Expected no {path.name} in {folder}, found one, which may hold answers. Choose another folder."
        )
    nbformat.write(notebook, copy)
    return copy
