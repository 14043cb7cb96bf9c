"""A static image and its alternative text beside every interactive figure.

They serve places that run no scripts, and people who do not see the figure.
"""

import base64
import html
import io
import re
import warnings
from collections.abc import Iterable

import nbformat
from nbformat import NotebookNode

from helpers.build.lesson_files import PLOTLY, figures_of, outputs_of
from helpers.theme import WHITE

PNG = "image/png"
MOST_DESCRIBED = 4  # traces


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
                image = plotly.io.to_image(data[PLOTLY], "png", scale=scale)
            data[PNG] = base64.b64encode(with_palette(image)).decode()
        kaleido.stop_sync_server()


def with_palette(png: bytes) -> bytes:
    """Return a picture on white with 256 colours, in a quarter of the bytes.

    No channel of a pixel changes by more than about 10 of 255 (median cut, the other way to choose
    colours, changes single pixels by 50).
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")
    colours = on_white.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    colours.save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


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
    """Describe a plotly figure: its kind, title, axes, labels, series and largest values.

    >>> alternative_text({"data": [{"type": "bar"}], "layout": {"title": {"text": "Loss"}}})
    'Bar chart: Loss.'
    """
    layout, traces = figure["layout"], figure["data"]
    largest = [_largest(trace, layout) for trace in traces[:MOST_DESCRIBED]]
    ends = [_ends(trace) for trace in traces[:MOST_DESCRIBED]]
    parts = {
        "Horizontal axis": _axes(layout, "xaxis"),
        "Vertical axis": _axes(layout, "yaxis"),
        "Series": [] if any(largest + ends) else [trace.get("name") for trace in traces],
        "Labels": [annotation.get("text") for annotation in layout.get("annotations", [])],
        "Slider": [_first_to_last(slider.get("steps", [])) for slider in layout.get("sliders", [])],
        "Largest": largest,
        "First and last value": ends,
    }
    sentences = [": ".join([_kind(figure), *_plain([_title(layout)])])]
    sentences += [f"{name}: {'; '.join(_plain(texts))}" for name, texts in parts.items() if _plain(texts)]
    return " ".join(sentence if sentence[-1] in ".?!" else f"{sentence}." for sentence in sentences)


def _first_to_last(steps: list[dict]) -> str:
    """Return the labels at both ends of a slider."""
    return " to ".join(step.get("label", "") for step in (steps[0], steps[-1])) if steps else ""


def _kind(figure: dict) -> str:
    """Name a figure after its first trace, unless its layout's ``meta`` names it."""
    if figure["layout"].get("meta"):
        return figure["layout"]["meta"]
    kind = next(iter(figure["data"]), {}).get("type", "figure")
    return "Bar chart" if kind == "bar" else kind.capitalize()


def _largest(trace: dict, layout: dict) -> str | None:
    """Return the label of the largest bar, dot or cell with its value."""
    x_axis, y_axis = (layout.get(f"{axis}axis{trace.get(axis + 'axis', axis)[1:]}", {}) for axis in "xy")
    if trace.get("type") == "heatmap":
        cells = [(z, i, j) for i, row in enumerate(trace["z"]) for j, z in enumerate(row) if z is not None]
        value, row, column = max(cells)
        return f"{_label(y_axis, row)}, {_label(x_axis, column)} ({value:.3g})"
    if "hovertext" not in trace or (trace.get("type") != "bar" and trace.get("mode") != "markers"):
        return None
    values = trace["x"] if "ticktext" in y_axis else trace["y"]
    value, place = max((value, place) for place, value in enumerate(values))
    return f"{trace['hovertext'][place]} ({value:.3g})"


def _label(axis: dict, place: int) -> str:
    """Return an axis's label at a place, or its number."""
    return dict(zip(axis.get("tickvals", []), axis.get("ticktext", []))).get(place, str(place))


def _ends(trace: dict) -> str | None:
    """Return the first and the last value of a curve."""
    if not trace.get("mode", "").startswith("lines") or trace.get("name") is None:
        return None
    return f"{trace['name']} {trace['y'][0]:.3g} to {trace['y'][-1]:.3g}"


def _title(holder: dict) -> str | None:
    """Return the title of a layout or of an axis."""
    title = holder.get("title")
    return title.get("text") if isinstance(title, dict) else title


def _axes(layout: dict, direction: str) -> list[str | None]:
    """Return the titles of the axes in a direction; without any, their first and last labels."""
    axes = [layout[name] for name in layout if name.startswith(direction)]
    titles = [_title(axis) for axis in axes]
    if any(titles):
        return titles
    labels = [list(axis.get("ticktext", [])) for axis in axes]
    return [" to ".join(dict.fromkeys(names[:1] + names[-1:])) for names in labels]


def _plain(texts: Iterable[str | None]) -> list[str]:
    """Return the texts without plotly's HTML, each once, without the empty ones."""
    texts = [html.unescape(re.sub(r"<[^>]*>", " ", text or "")).strip() for text in texts]
    return [text for text in dict.fromkeys(texts) if text]
