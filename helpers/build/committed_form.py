"""The form in which a lesson is committed.

A committed lesson was executed in one run from the top (counts 1..n) and keeps its outputs. It has
readable cell ids, the course's first cell and badge, the hints of its exercises, no widget state,
and a static image beside every interactive figure.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers import __repository__, __version__
from helpers.build.hint_blocks import outdated_hints, write_hints
from helpers.build.lesson_files import figures_of, outputs_of
from helpers.build.static_images import PNG

METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"
SLUG = re.compile(r"(?![0-9a-f]{8}(-|$))[a-z][a-z0-9]*(-[a-z0-9]+)*")  # and not an editor's random id
MAX_SLUG_CHARACTERS = 40
FIRST_CELL = """\
# The same cell in every lesson: it finds the course, and on Colab it fetches it and installs what is missing.
import pathlib
import subprocess
import sys

ADDRESS, TAG = "{address}", "v{version}"
folder = pathlib.Path.cwd()
candidates = [folder, *folder.parents, folder / "transformer-circuits"]
root = next((path for path in candidates if (path / "helpers" / "colab.py").exists()), candidates[-1])
if not root.exists():
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", TAG, ADDRESS, str(root)]
    subprocess.run(clone, check=True)
if str(root) not in sys.path:
    sys.path.insert(0, str(root))

from helpers.colab import install_missing

install_missing()"""


def first_cell() -> str:
    """Return the source of the first code cell of every lesson."""
    return FIRST_CELL.format(address=__repository__, version=__version__)


def badge(notebook: Path) -> str:
    """Return the "Open in Colab" link of a notebook, to that notebook at the course's tag.

    The link is text, since a badge's picture needs a network.
    """
    owner = __repository__.removeprefix("https://github.com/")
    target = f"https://colab.research.google.com/github/{owner}/blob/v{__version__}/notebooks/{notebook.name}"
    return f"[▶ Open in Colab]({target})"


def normalise(notebook: NotebookNode, path: Path) -> None:
    """Bring all that needs no execution into the committed form."""
    notebook.metadata = nbformat.from_dict(METADATA)
    _name_cells(notebook, path)
    write_hints(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[▶ Open in Colab\]\(.*?\)", badge(path), cell.source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_progress_bar(output)]
    for output in outputs_of(notebook.cells):
        output.get("data", {}).pop(WIDGET, None)  # without its state an error message
    next(cell for cell in notebook.cells if cell.cell_type == "code").source = first_cell()


def _is_progress_bar(output: NotebookNode) -> bool:
    """True for what a sweep on a slow machine leaves: a displayed widget with a line of text."""
    return output.output_type == "display_data" and output.data.keys() <= {WIDGET, "text/plain"}


def _name_cells(notebook: NotebookNode, path: Path) -> None:
    """Give every cell without a readable and unique id one made of the heading above it."""
    section, taken = path.stem.replace("_", "-").lstrip("0123456789-"), set()
    for cell in notebook.cells:
        heading = re.search(r"^#+ (.*)", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            section = _slug(heading[1]) or section
        if not SLUG.fullmatch(cell.id) or cell.id in taken:
            number = 1
            while (candidate := section if number == 1 else f"{section}-{number}") in taken:
                number += 1
            cell.id = candidate
        taken.add(cell.id)


def _slug(heading: str) -> str:
    """Return a heading in small letters, digits and hyphens, cut to a length; maybe empty."""
    slug = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-0123456789")
    return slug[:MAX_SLUG_CHARACTERS].strip("-")


def problems(notebook: NotebookNode, path: Path) -> list[str]:
    """Return a sentence for each way in which a notebook is not in the committed form."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ids = [cell.id for cell in notebook.cells]
    outputs = outputs_of(notebook.cells)
    hints = ", ".join(outdated_hints(notebook))
    sentences = {
        f"execution counts are not 1..{len(code)}": (
            [cell.execution_count for cell in code] != list(range(1, len(code) + 1))
        ),
        f"metadata is {dict(notebook.metadata)}": notebook.metadata != METADATA,
        "cell ids are not readable and unique": (
            len(set(ids)) < len(ids) or not all(SLUG.fullmatch(cell_id) for cell_id in ids)
        ),
        "an output is an error or on stderr": any(
            output.output_type == "error" or output.get("name") == "stderr" for output in outputs
        ),
        "an output is a widget, which would need its state": any(
            WIDGET in output.get("data", {}) for output in outputs
        ),
        "an output is a progress bar": any(map(_is_progress_bar, outputs)),
        "a figure has no static image": any(PNG not in data for data in figures_of(notebook.cells)),
        "the first code cell is not the common one": code[0].source != first_cell(),
        f"hints of {hints} differ from the exercise modules": bool(hints),
        "no Colab badge that points at this notebook": badge(path) not in notebook.cells[0].source,
    }
    return [
        f"{path.name}: {sentence}. Run python -m helpers.build.notebooks commit."
        for sentence, holds in sentences.items()
        if holds
    ]
