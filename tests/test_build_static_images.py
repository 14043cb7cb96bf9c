"""Static images of figures."""

import base64

from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.build.static_images import add_static_images, first_image


def test_a_figure_gets_a_png_and_rounded_numbers():
    figure = {"data": [{"type": "scatter", "y": [1 / 3, 2]}], "layout": {"title": {"text": "thirds"}}}
    data = {"application/vnd.plotly.v1+json": figure}
    text = new_output("display_data", data={"text/plain": "no figure"})
    cell = new_code_cell(outputs=[text, new_output("display_data", data=from_dict(data))])
    notebook = new_notebook(cells=[cell])
    add_static_images(notebook)
    assert set(text.data) == {"text/plain"}
    [drawn] = [output.data for output in cell.outputs if len(output.data) == 2]
    assert drawn["application/vnd.plotly.v1+json"]["data"][0]["y"] == [0.333333, 2]
    assert base64.b64decode(drawn["image/png"]) == first_image(notebook)
    assert first_image(notebook).startswith(b"\x89PNG")
