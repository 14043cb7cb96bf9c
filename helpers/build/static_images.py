"""A static image and its alternative text beside every interactive figure.

They serve places that run no scripts, and people who do not see the figure.
"""

import base64
import html
import re
import warnings
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from helpers.build.lesson_files import PLOTLY, figures_of, outputs_of

PNG = "image/png"
KINDS = {  # a part of the mode of plotly's scatter traces → kind of figure
    "lines+markers+text": "Arrows",
    "lines": "Line chart",
    "markers": "Scatter plot",
}


def add_static_images(notebook: NotebookNode, scale: int = 1) -> None:
    """Add a PNG to every plotly figure, ``scale`` times as sharp; round the figure's numbers."""
    import kaleido  # imported here: the lessons and most tests do without a browser
    import plotly.io

    figures = figures_of(notebook.cells)
    if figures:
        kaleido.start_sync_server(silence_warnings=True)
        for data in figures:
            data[PLOTLY] = nbformat.from_dict(_rounded(data[PLOTLY]))
            with warnings.catch_warnings(action="ignore"):
                data[PNG] = base64.b64encode(plotly.io.to_image(data[PLOTLY], "png", scale=scale)).decode()
        kaleido.stop_sync_server()


def _rounded(value):
    """Return a figure's data with all numbers to six digits.

    A screen shows no more, most machines agree on them, and the file is shorter.
    """
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def first_image(notebook: NotebookNode) -> bytes:
    """Return the PNG of a notebook's first figure."""
    return base64.b64decode(figures_of(notebook.cells)[0][PNG])


def add_alternative_texts(notebook: NotebookNode) -> None:
    """Write the alternative text of every figure into its output's metadata, for nbconvert."""
    for output in outputs_of(notebook.cells):
        if PLOTLY in output.get("data", {}):
            output.metadata[PNG] = {"alt": alternative_text(output.data[PLOTLY])}


def alternative_text(figure: dict) -> str:
    """Describe a plotly figure: its kind, title, axes, labels and the names of its series.

    >>> alternative_text({"data": [{"type": "bar"}], "layout": {"title": {"text": "Loss"}}})
    'Bar chart: Loss.'
    """
    layout, traces = figure["layout"], figure["data"]
    steps = [step for slider in layout.get("sliders", []) for step in slider.get("steps", [])]
    parts = {
        "Horizontal axis": _axes(layout, "xaxis"),
        "Vertical axis": _axes(layout, "yaxis"),
        "Series": [trace.get("name") for trace in traces if trace.get("showlegend") is not False],
        "Labels": [annotation.get("text") for annotation in layout.get("annotations", [])],
        "Slider": [step.get("label") for step in steps],
    }
    sentences = [": ".join([_kind(figure), *_plain([_title(layout)])])]
    sentences += [f"{name}: {'; '.join(_plain(texts))}" for name, texts in parts.items() if _plain(texts)]
    return " ".join(sentence if sentence[-1] in ".?!" else f"{sentence}." for sentence in sentences)


def _kind(figure: dict) -> str:
    """Name a figure after its first trace; arcs drawn over it make it a diagram."""
    if any(shape.get("type") == "path" for shape in figure["layout"].get("shapes", [])):
        return "Diagram"
    trace = next(iter(figure["data"]), {})
    kind = trace.get("type", "scatter")
    if kind == "scatter":
        return next((name for mode, name in KINDS.items() if mode in trace.get("mode", "")), "Figure")
    return "Bar chart" if kind == "bar" else kind.capitalize()


def _title(holder: dict) -> str | None:
    """Return the title of a layout or of an axis."""
    title = holder.get("title")
    return title.get("text") if isinstance(title, dict) else title


def _axes(layout: dict, direction: str) -> list[str | None]:
    """Return the title of each axis in a direction, or its first and last label instead."""
    texts = []
    for axis in [layout[name] for name in layout if name.startswith(direction)]:
        labels = list(axis.get("ticktext", []))
        texts.append(_title(axis) or " to ".join(dict.fromkeys(labels[:1] + labels[-1:])))
    return texts


def _plain(texts: Iterable[str | None]) -> list[str]:
    """Return the texts without plotly's HTML, each once, without the empty ones."""
    texts = [html.unescape(re.sub(r"<[^>]*>", " ", text or "")).strip() for text in texts]
    return [text for text in dict.fromkeys(texts) if text]
