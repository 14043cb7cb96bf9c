"""A committed lesson as the notebook of its page: what a reader without a kernel can use.

Every picture is a still at first. What a script draws is a file beside the page, which site.js
loads when the picture comes into view. Results after a prediction are folded, as in the lesson.
"""

import base64
import html
import json
import re
import struct
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.build.committed_form import badge, is_first_cell
from helpers.build.folding import measuring, unfolded
from helpers.build.lesson_files import PLOTLY, read_lesson
from helpers.build.static_images import PNG

SUMMARY = "Results of our run. Predict first, or open this."
NOTE = (
    "Pictures and questions work on this page, and code does not run. To run the code, open the lesson in "
    "Colab, or [install the course](../README.md#start)."
)
RUN_THIS = "<p>Run this cell to explore the picture.</p>"  # of views without a script
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
LIBRARY = "window.circuitsViews = "  # in the script that brings circuitsvis
LIBRARY_FILE = "circuitsvis.js"


def lesson_page(path: Path, figures: Path) -> NotebookNode:
    """Return a lesson's page as a notebook, and write its stills and scripts into a folder.

    The folder's name is that under which the page finds it.
    """
    figures.mkdir(parents=True, exist_ok=True)
    notebook = read_lesson(path)
    questions = {cell.id: ids for cell, ids in measuring(notebook)}
    cells = [cell for cell in notebook.cells if not is_first_cell(cell) and cell.source != "progress()"]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("⏱ ", "")  # few fonts have it
        if cell.cell_type == "code":
            name = f"{path.stem[:2]}-{cell.id}"
            _turn_code_cell(cell, questions.get(cell.id, []), figures / name)
    download = f'<a href="{path.name}" download>⬇ Download</a>'
    cells[0].source = cells[0].source.replace(badge(path), f"{badge(path)} · {download}")
    cells.insert(1, nbformat.v4.new_markdown_cell(NOTE))
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def _turn_code_cell(cell: NotebookNode, questions: list[str], file: Path) -> None:
    """Make the outputs of a cell one piece of HTML, folded until the questions are answered."""
    is_question = cell.source.startswith("predict(")
    is_hidden = "jupyter" in cell.metadata
    cell.metadata = nbformat.from_dict(
        {"tags": ["remove-input"] if is_question else ["hide-input"] if is_hidden else []}
    )
    outputs = [] if cell.source.startswith("check(") else unfolded(cell)
    parts = [
        output_as_html(output, file.with_name(f"{file.name}-{number}"), is_question)
        for number, output in enumerate(outputs)
    ]
    body = "".join(parts)
    if questions and body:
        ids = " ".join(questions)
        body = f'<details class="results" data-questions="{ids}"><summary>{SUMMARY}</summary>{body}</details>'
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": body})] if body else []


def output_as_html(output: NotebookNode, file: Path, is_question: bool = False) -> str:
    """Return an output as HTML; its still and its script become the files FILE.png and FILE.js."""
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>" if output.name == "stdout" else ""
    data, prediction = output.data, output.metadata.get("prediction")
    if PNG in data:
        return _picture(output, file)
    if "text/html" not in data:
        return f"<pre>{html.escape(data.get('text/plain', ''))}</pre>"
    if "<script" in data["text/html"]:
        return _view(data["text/html"], file)
    if prediction:
        kind = "data-question" if is_question else "data-reveal"
        return f'<div {kind}="{prediction}">{data["text/html"]}</div>'
    return data["text/html"]


def _picture(output: NotebookNode, file: Path) -> str:
    """Write a figure's still and its data; return the still, which names the data's file."""
    image = base64.b64decode(output.data[PNG])
    file.with_suffix(".png").write_bytes(image)
    width, height = struct.unpack(">II", image[16:24])  # where every PNG has them
    script = ""
    if PLOTLY in output.data:
        figure = json.dumps(output.data[PLOTLY], separators=(",", ":"))
        file.with_suffix(".js").write_text(f'courseFigure("{file.name}", {figure});', encoding="utf-8")
        script = f'data-scripts="{_address(file.with_suffix(".js"))}"'
    alt = html.escape(output.metadata.get(PNG, {}).get("alt", ""))
    return (
        f'<div class="picture" id="{file.name}" role="group" aria-label="{alt}" tabindex="0" {script}>'
        f'<img class="dark-light" src="{_address(file.with_suffix(".png"))}" alt="{alt}" '
        f'width="{width}" height="{height}" loading="lazy"></div>'
    )


def _view(text: str, file: Path) -> str:
    """Write the scripts of a view; return its static part, which names their files.

    The library that some views need is one file for all lessons.
    """
    scripts = SCRIPT.findall(text)
    names = [LIBRARY_FILE] if "CircuitsVis" in text else []
    for script in scripts:
        if LIBRARY in script:
            file.with_name(LIBRARY_FILE).write_text(script, encoding="utf-8")
    own = [script for script in scripts if LIBRARY not in script]
    file.with_suffix(".js").write_text(";\n".join(own), encoding="utf-8")
    names.append(file.with_suffix(".js").name)
    addresses = " ".join(_address(file.with_name(name)) for name in names)
    still = SCRIPT.sub("", text).replace(RUN_THIS, "")
    focus = 'tabindex="0" role="group" aria-label="picture"'  # a narrow page scrolls it, with keys too
    return f'<div class="view" {focus} data-scripts="{addresses}">{still}</div>'


def _address(file: Path) -> str:
    """Return the address of a file as seen from the lesson's page."""
    return f"{file.parent.name}/{file.name}"
