"""The form in which a lesson is committed.

A committed lesson was executed in one run from the top (counts 1..n) and keeps its outputs. It has
readable cell ids, the course's first cell and badge, the hints of its exercises, no widget state,
a static image with an alternative text beside every interactive figure, and a cell of parameters
for papermill.
"""

import ast
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers import __repository__, __version__
from helpers.build.folding import FOLDED
from helpers.build.hint_blocks import outdated_hints, write_hints
from helpers.build.lesson_files import figures_of, outputs_of
from helpers.build.static_images import PNG, add_alternative_texts

METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {  # as Python's kernel writes it, without the version of Python
        "name": "python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
OUTPUT_METADATA = {"exercise", "status", "prediction", FOLDED, PNG}  # what the course leaves in an output
PARAMETERS = "parameters"  # the tag of the cell after which papermill puts other values
MODEL_LINE = re.compile(r'MODEL = "[^"]*"( *#.*)?')
COLAB_BUTTON = "view-in-github"  # the id of the cell that Colab puts on top when it saves to GitHub
WIDGET = "application/vnd.jupyter.widget-view+json"
SLUG = re.compile(r"(?![0-9a-f]{8}(-|$))[a-z][a-z0-9]*(-[a-z0-9]+)*")  # and not an editor's random id
MAX_SLUG_CHARACTERS = 40
FIRST_CELL = """\
# The same cell in every lesson: it finds the course and checks what is installed.
import os
import pathlib
import subprocess
import sys

ADDRESS, TAG = "{address}", "v{version}"
folder = pathlib.Path.cwd()
places = [folder, *folder.parents, folder / "transformer-circuits", pathlib.Path(sys.prefix).parent]
root = next((place for place in places if (place / "helpers" / "environment.py").exists()), None)
if root is None and ("google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ):
    root = folder / "transformer-circuits"
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", TAG, ADDRESS, str(root)]
    if subprocess.run(clone).returncode != 0:
        raise OSError(f"Could not fetch {{ADDRESS}}. Is this notebook's access to the internet turned on?")
if root is None:
    raise OSError(
        f"Expected the course in {{folder}} or above it, found none. Choose the kernel of the course's .venv, "
        f"or put this lesson back into the folder notebooks of the course ({{ADDRESS}})."
    )
if sys.path[0] != str(root):
    sys.path.insert(0, str(root))

from helpers.environment import check_environment

check_environment()"""


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
    notebook.cells = [cell for cell in notebook.cells if cell.metadata.get("id") != COLAB_BUTTON]
    _write_first_cell(notebook)
    _name_cells(notebook, path)
    write_hints(notebook)
    for cell in notebook.cells:
        cell.metadata = _metadata(cell)
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[▶ Open in Colab\]\(.*?\)", badge(path), cell.source)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_progress_bar(output)]
    for output in outputs_of(notebook.cells):
        output.get("data", {}).pop(WIDGET, None)  # without its state an error message
        for name in set(output.get("metadata", {})) - OUTPUT_METADATA:
            del output.metadata[name]
    add_alternative_texts(notebook)


def _write_first_cell(notebook: NotebookNode) -> None:
    """Write the course's first cell in place of an older one, or above the first code cell."""
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    index = next(iter(code), len(notebook.cells))
    if not code or not is_first_cell(notebook.cells[index]):
        notebook.cells.insert(index, nbformat.v4.new_code_cell(id="set-up"))
    notebook.cells[index].source = first_cell()


def is_first_cell(cell: NotebookNode) -> bool:
    """Return True for the course's first cell, of this version or another."""
    return cell.source.startswith(FIRST_CELL.partition(":")[0])


def _metadata(cell: NotebookNode) -> NotebookNode:
    """Return a cell's tags, and what folds its source in JupyterLab and in Colab."""
    metadata = {"tags": tags} if (tags := _tags(cell)) else {}
    if cell.cell_type == "code" and _is_folded(cell.source):
        metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    return nbformat.from_dict(metadata)


def _is_folded(source: str) -> bool:
    """Return True for set-up, imports alone and predictions: no part of what a lesson teaches."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a magic of IPython
        return False
    only_imports = statements and all(isinstance(each, ast.Import | ast.ImportFrom) for each in statements)
    return bool(only_imports) or source.startswith("predict(") or source == first_cell()


def _tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags, with papermill's for a cell that sets the model and nothing else."""
    tags = cell.metadata.get("tags", [])
    is_parameter = cell.cell_type == "code" and MODEL_LINE.fullmatch(cell.source)
    return [*tags, PARAMETERS] if is_parameter and PARAMETERS not in tags else tags


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
        "a picture has no alternative text": any(
            PNG in output.get("data", {}) and not output.metadata.get(PNG, {}).get("alt")
            for output in outputs
        ),
        'no cell holds MODEL = "…" alone, for papermill': not any(
            PARAMETERS in cell.metadata.get("tags", []) for cell in code
        ),
        "the first code cell is not the common one": code[0].source != first_cell(),
        f"hints of {hints} differ from the exercise modules": bool(hints),
        "no Colab badge that points at this notebook": badge(path) not in notebook.cells[0].source,
    }
    return [
        f"{path.name}: {sentence}. Run python -m helpers.build.notebooks commit."
        for sentence, holds in sentences.items()
        if holds
    ]
