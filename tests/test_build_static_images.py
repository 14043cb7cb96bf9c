"""Static images of figures, and the texts in their place."""

import base64
import io

import numpy as np
import pytest
import torch
from nbconvert import HTMLExporter
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from helpers import frames, heatmaps, plots
from helpers.build.lesson_files import figures_of, lessons, outputs_of, read_lesson
from helpers.build.static_images import (
    add_alternative_texts,
    add_static_images,
    alternative_text,
    first_image,
    with_palette,
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


def test_a_still_with_a_palette_is_small_and_looks_the_same():
    red, green = torch.meshgrid(torch.arange(60) * 4, torch.arange(60) * 4, indexing="ij")
    pixels = torch.stack([red, green, torch.full_like(red, 90), torch.full_like(red, 255)], dim=-1)
    pixels[:20, :, 3] = 0
    before = Image.fromarray(pixels.to(torch.uint8).numpy(), "RGBA")
    file = io.BytesIO()
    before.save(file, "PNG")
    after = Image.open(io.BytesIO(with_palette(file.getvalue())))
    assert after.mode == "P" and after.size == before.size
    colours = torch.from_numpy(np.array(after.convert("RGB"))).long()
    assert (colours[:20] == 255).all()  # what was transparent is white
    assert (colours[20:] - pixels[20:, :, :3]).abs().max() <= 16


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (
            heatmaps.heatmap(SQUARE, ["<s>", "b"], ["c", "d"], "Sizes", "token", "component", "norm"),
            "Heatmap: Sizes. Horizontal axis: component. Vertical axis: token. Largest: b, d (1).",
        ),
        (
            heatmaps.heatmap(-SQUARE, ["<s>", "b"], ["c", "d"], "Is it &lt;s>?", "", ""),
            "Heatmap: Is it <s>? Horizontal axis: c to d. Vertical axis: <s> to b. Largest: b, c (-0).",
        ),
        (
            heatmaps.heatmaps({"q": SQUARE, "k": 2 * SQUARE}, "ab", "cd", "Scores", "sender", "receiver"),
            "Heatmap: Scores. Horizontal axis: receiver. Vertical axis: sender. Labels: q; k. Largest: b, d (1); b, d (2).",
        ),
        (
            frames.play(
                {name: heatmaps.attention(SQUARE, ["a", "b"], "Soft") for name in ("soft", "hard")}, "scores"
            ),
            "Heatmap: Soft. Horizontal axis: key. Vertical axis: query. Slider: soft to hard. Largest: b, b (1).",
        ),
        (
            plots.bars(TWO, ["0.0", "0.1"], "Loss", "head", "nats"),
            "Bar chart: Loss. Horizontal axis: head. Vertical axis: nats. Largest: 0.1 (2).",
        ),
        (
            plots.dots({"q": TWO, "k": TWO}, ["0.0", "0.1"], "Scores", "head", "score", ("random", 0.1)),
            "Dot plot: Scores. Horizontal axis: score. Vertical axis: head. Labels: random. Largest: 0.1, q (2); 0.1, k (2).",
        ),
        (
            plots.lines({"loss": TWO, "gain": 2 * TWO}, "Training", "step", "nats"),
            "Line chart: Training. Horizontal axis: step. Vertical axis: nats. First and last value: loss 1 to 2; gain 2 to 4.",
        ),
        (
            plots.scatter(TWO, TWO, ["a", "b"], "Pairs", "score", "effect"),
            "Scatter plot: Pairs. Horizontal axis: score. Vertical axis: effect.",
        ),
        (
            plots.arrows({"dense": SQUARE}, ["x", "y"], "Features"),
            "Arrows: Features. Horizontal axis: first dimension. Vertical axis: second dimension. Labels: dense.",
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
    assert all(20 < len(text) < 600 and "<" not in text.replace("<|bos|>", "") for text in texts)


def test_nbconvert_writes_the_text_into_the_page():
    notebook = read_lesson(lessons()[0])
    add_alternative_texts(notebook)
    html, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'alt="Heatmap: Attention of head' in html and "No description" not in html
