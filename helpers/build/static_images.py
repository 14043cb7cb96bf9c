"""A static image beside every interactive figure, for places that run no scripts."""

import base64
import warnings

import nbformat
from nbformat import NotebookNode

from helpers.build.lesson_files import PLOTLY, figures_of

PNG = "image/png"


def add_static_images(notebook: NotebookNode) -> None:
    """Add a PNG to every plotly figure, and round the figure's numbers to six digits."""
    import kaleido  # imported here: the lessons and most tests do without a browser
    import plotly.io

    figures = figures_of(notebook.cells)
    if figures:
        kaleido.start_sync_server(silence_warnings=True)
        for data in figures:
            data[PLOTLY] = nbformat.from_dict(_rounded(data[PLOTLY]))
            with warnings.catch_warnings(action="ignore"):
                data[PNG] = base64.b64encode(plotly.io.to_image(data[PLOTLY], "png")).decode()
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
