"""Static images of figures, and the texts in their place."""

import base64

import pytest
import torch
from nbconvert import HTMLExporter
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers import plots
from helpers.build.lesson_files import figures_of, lessons, outputs_of, read_lesson
from helpers.build.static_images import (
    add_alternative_texts,
    add_static_images,
    alternative_text,
    first_image,
)

TWO = torch.tensor([1.0, 2.0])
SQUARE = torch.eye(2)


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


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (
            plots.heatmap(SQUARE, ["<s>", "b"], ["c", "d"], "Sizes", "token", "component"),
            "Heatmap: Sizes. Horizontal axis: component. Vertical axis: token.",
        ),
        (
            plots.heatmap(SQUARE, ["<s>", "b"], ["c", "d"], "Is it &lt;s>?"),
            "Heatmap: Is it <s>? Horizontal axis: c to d. Vertical axis: <s> to b.",
        ),
        (
            plots.attention_slider({"soft": SQUARE, "hard": SQUARE}, ["a", "b"], "Soft", "scores"),
            "Heatmap: Soft. Horizontal axis: key. Vertical axis: query. Slider: soft; hard.",
        ),
        (
            plots.bars(TWO, ["0.0", "0.1"], "Loss", "nats"),
            "Bar chart: Loss. Horizontal axis: 0.0 to 0.1. Vertical axis: nats.",
        ),
        (
            plots.grouped_bars({"q": TWO, "k": TWO}, ["0.0"], "Scores", "score", level=0.1),
            "Bar chart: Scores. Horizontal axis: 0.0. Vertical axis: score. Series: q; k.",
        ),
        (
            plots.lines({"loss": TWO, "gain": TWO}, "Training", "step", "nats"),
            "Line chart: Training. Horizontal axis: step. Vertical axis: nats. Series: loss; gain.",
        ),
        (
            plots.scatter(TWO, TWO, ["a", "b"], "Pairs", "score", "effect"),
            "Scatter plot: Pairs. Horizontal axis: score. Vertical axis: effect.",
        ),
        (plots.arrows({"dense": SQUARE}, ["x", "y"], "Features"), "Arrows: Features. Labels: dense."),
        (
            plots.diagram(["A", "B", "A"], {"induction": (2, 1)}, "Who asks"),
            "Diagram: Who asks. Horizontal axis: A. Labels: induction.",
        ),
    ],
    ids=lambda value: value.layout.title.text if hasattr(value, "layout") else "",
)
def test_a_figure_is_described_by_its_kind_title_axes_and_series(figure, text):
    assert alternative_text(from_dict(figure.to_plotly_json())) == text


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ({"data": [], "layout": {}}, "Figure."),
        ({"data": [{"y": [1]}], "layout": {"title": "A text"}}, "Figure: A text."),
        ({"data": [{"type": "histogram"}], "layout": {"xaxis": {"title": None}}}, "Histogram."),
    ],
)
def test_a_figure_without_titles_or_of_another_kind_is_described_too(figure, text):
    assert alternative_text(figure) == text


@pytest.mark.parametrize("path", lessons()[:-1], ids=[path.stem for path in lessons()[:-1]])
def test_every_figure_of_a_lesson_gets_its_own_text(path):
    notebook = read_lesson(path)
    add_alternative_texts(notebook)
    texts = [
        output.metadata["image/png"].alt
        for output in outputs_of(notebook.cells)
        if "image/png" in output.get("metadata", {})
    ]
    assert len(texts) == len(figures_of(notebook.cells)) == len(set(texts))
    assert all(20 < len(text) < 300 and "<" not in text.replace("<|bos|>", "") for text in texts)


def test_nbconvert_writes_the_text_into_the_page():
    notebook = read_lesson(lessons()[0])
    add_alternative_texts(notebook)
    html, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'alt="Heatmap: Attention of head' in html and "No description" not in html
