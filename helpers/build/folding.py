"""Fold results after a prediction in a committed lesson, until the learner opens or runs them.

A folded cell has one output: a closed ``<details>`` element with the printed text and the still
images. It needs no script, so it is folded in untrusted notebooks and on GitHub, too. The output's
metadata keep the rest: what nbval compares, and the figures' data as compact JSON, for a page on
which figures are live.
"""

import html
import json
import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from helpers.build.lesson_files import PLOTLY
from helpers.theme import WHITE

PNG = "image/png"
FOLDED = "folded"  # the key of the metadata
SUMMARY = "Results of our run. Predict first, then run this cell or open this."
CALL = r"^ *{name}\(\s*\"([\w.]+)\""
STILL = re.compile(r'<img style="background: [^"]*" alt="([^"]*)" src="data:image/png;base64,([^"]*)">')


def fold_results(notebook: NotebookNode) -> None:
    """Fold the outputs of the cells after each ``predict("id"`` up to its ``reveal("id"``."""
    for cell, _ in measuring(notebook):
        if cell.outputs and not is_folded(cell):
            kept = [_without_image(output) for output in cell.outputs]
            body = "".join(_as_html(output) for output in cell.outputs)
            text = f"<details><summary>{SUMMARY}</summary>{body}</details>"
            folded = nbformat.v4.new_output("display_data", {"text/html": text, "text/plain": SUMMARY})
            folded.metadata[FOLDED] = kept
            cell.outputs = [folded]


def is_folded(cell: NotebookNode) -> bool:
    """Return True for a cell whose outputs are folded."""
    return any(FOLDED in output.get("metadata", {}) for output in cell.get("outputs", []))


def unfolded(cell: NotebookNode) -> list[NotebookNode]:
    """Return the outputs of a cell as they were before it was folded."""
    if not is_folded(cell):
        return cell.outputs
    [folded] = cell.outputs
    outputs = [nbformat.from_dict(output) for output in folded.metadata[FOLDED]]
    pictures = [output for output in outputs if output.get("data", {}).keys() <= {PLOTLY}]
    pictures = [output for output in pictures if output.output_type != "stream"]
    for output, (alt, image) in zip(pictures, STILL.findall(folded.data["text/html"]), strict=True):
        output.data[PNG] = image
        output.metadata[PNG] = nbformat.from_dict({"alt": html.unescape(alt)})
        if PLOTLY in output.data:
            output.data[PLOTLY] = nbformat.from_dict(json.loads(output.data[PLOTLY]))
    return outputs


def measuring(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, list[str]]]:
    """Yield the code cells between each question and the cell that answers it, with the latter.

    With each cell come the ids of the questions that are open above it. Cells that ask another
    question are left out: nobody could answer what is folded.
    """
    asked = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        answered, asks = (
            re.findall(CALL.format(name=name), cell.source, re.MULTILINE) for name in ("reveal", "predict")
        )
        if asked and not asks:
            yield cell, asked
        asked = [id for id in asked if id not in answered] + asks


def _without_image(output: NotebookNode) -> NotebookNode:
    """Return an output without its still, which the HTML holds, and with its figure in one line."""
    copy = nbformat.from_dict(output)
    for part in (copy.get("data", {}), copy.get("metadata", {})):
        part.pop(PNG, None)
    if PLOTLY in copy.get("data", {}):
        copy.data[PLOTLY] = json.dumps(copy.data[PLOTLY], separators=(",", ":"), ensure_ascii=False)
    return copy


def _as_html(output: NotebookNode) -> str:
    """Return an output as HTML without scripts: its image, its HTML or its text."""
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>"
    data = output.data
    if PNG in data:
        description = html.escape(output.metadata.get(PNG, {}).get("alt", ""))
        return f'<img style="background: {WHITE}" alt="{description}" src="data:image/png;base64,{data[PNG].strip()}">'
    if "text/html" in data:
        return re.sub(r"<script.*?</script>", "", data["text/html"], flags=re.DOTALL)
    return f"<pre>{html.escape(data.get('text/plain', ''))}</pre>"
