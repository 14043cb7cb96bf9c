"""The data behind the figures: what is drawn is what was given, and tokens are shown as they are."""

import torch

from helpers.components import Component, Head
from helpers.plots import (
    arrows,
    attention,
    attention_slider,
    bars,
    diagram,
    grouped_bars,
    heatmap,
    memory_map,
    scatter,
)

TOKENS = ["<|bos|>", "the", " cat", "<b>", "the", "\n", "$x$", "<img src=x onerror=alert(1)>"]


def test_an_attention_figure_shows_the_pattern_by_position():
    pattern = torch.rand(8, 8)
    figure = attention(pattern, TOKENS, "title")
    torch.testing.assert_close(torch.tensor(figure.data[0].z), pattern, atol=1e-4, rtol=0)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert list(axis.tickvals) == list(range(8))  # equal tokens stay apart
        assert list(axis.ticktext)[1:5] == ["the", " cat", "&lt;b&gt;", "the"]
    assert figure.layout.yaxis.autorange == "reversed"


def test_a_diverging_map_is_centred_at_zero():
    figure = heatmap(torch.tensor([[-1.0, 3.0]]), ["a"], ["b", "c"], "title", diverging=True)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-3, 3)


def test_bars_show_the_values():
    figure = bars(torch.tensor([1.0, -2.0]), ["a", "b"], "title", "y", highlight=1)
    assert list(figure.data[0].y) == [1, -2]
    assert len(set(figure.data[0].marker.color)) == 2


def test_a_slider_goes_through_the_patterns():
    patterns = {"soft": torch.full((3, 3), 1 / 3), "hard": torch.eye(3)}
    figure = attention_slider(patterns, ["a", "b", "c"], "title", "sharpness")
    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == ["soft", "hard"]
    assert steps[1].args[0]["z"][0] == torch.eye(3).tolist()
    assert figure.data[0].z[0][0] == steps[0].args[0]["z"][0][0][0]


def test_scatter_and_grouped_bars_show_the_values():
    figure = scatter(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), ["a", "<b>"], "title", "x", "y")
    assert list(figure.data[0].x) == [1, 2] and list(figure.data[0].text) == ["a", "&lt;b&gt;"]
    figure = grouped_bars(
        {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([0.0, 5.0])},
        ["a", "b"],
        "title",
        "y",
        level=0.5,
    )
    assert [list(trace.y) for trace in figure.data] == [[1, 2], [0, 5]]
    assert figure.layout.shapes[0].y0 == 0.5
    assert len({trace.marker.pattern.shape for trace in figure.data}) == 2


def test_names_in_a_crowd_are_left_to_hovering():
    x = torch.tensor([0.0, 0.001, 0.002, 5.0])
    figure = scatter(x, x, ["a", "b", "c", "d"], "title", "x", "y")
    assert list(figure.data[0].text) == ["", "", "", "d"]
    assert list(figure.data[0].hovertext) == ["a", "b", "c", "d"]


def test_accesses_of_one_cell_share_a_mark():
    accesses = {"q": (1, 0), "v": (1, 0), "write": (1, 1)}
    figure = memory_map(torch.rand(2, 2), ["a", "b"], ["emb", "L0H0"], "title", accesses)
    assert [mark.text[0] for mark in figure.data[1:]] == ["q, v", "write"]


def test_a_diagram_has_an_arrow_for_each_query():
    figure = diagram(["A", "B", "", "C"], {"one": (3, 0), "two": (3, 1)}, "title")
    assert len(figure.layout.shapes) == 2 and list(figure.data[0].x) == [0, 1, 3]
    heads = [note for note in figure.layout.annotations if note.showarrow is not False]
    assert [note.x for note in heads] == [0, 1]
    assert [note.text for note in figure.layout.annotations if note.text] == ["one", "two"]


def test_arrows_go_from_the_origin_to_the_directions():
    figure = arrows({"a": torch.tensor([[1.0, 0], [0, 2]]), "b": torch.ones(2, 2)}, ["x", "<b>"], "title")
    assert [list(trace.x) + list(trace.y) for trace in figure.data][:2] == [[0, 1, 0, 0], [0, 0, 0, 2]]
    assert len(figure.data) == 4 and figure.data[1].text[1] == "&lt;b&gt;"
    assert figure.layout.xaxis.range == figure.layout.yaxis2.range


def test_heads_and_components_are_labels():
    labels = [Head(0, 7), Component("mlp", 0)]
    figure = bars(torch.ones(2), labels, "title", "y")
    assert list(figure.layout.xaxis.ticktext) == ["0.7", "mlp 0"]


def test_a_large_model_has_a_label_per_layer_and_names_on_hovering():
    heads = [Head(layer, head) for layer in range(30) for head in range(9)]
    for figure in (
        bars(torch.ones(270), heads, "title", "y"),
        grouped_bars({"a": torch.ones(270)}, heads, "t", "y"),
    ):
        assert list(figure.layout.xaxis.ticktext) == [f"{layer}.0" for layer in range(30)]
        assert list(figure.layout.xaxis.tickvals) == list(range(0, 270, 9))
        assert figure.data[0].hovertext[10] == "1.1"
    figure = heatmap(torch.ones(270, 2), heads, ["<b>", "b"], "title", "head", "score")
    assert figure.data[0].hovertext[10][0] == "head 1.1 · score &lt;b&gt;"
    assert figure.layout.height < 1600


def test_a_long_text_has_some_labels_at_equal_distances():
    figure = heatmap(torch.ones(2, 200), ["a", "b"], ["the"] * 200, "title")
    assert list(figure.layout.xaxis.tickvals) == list(range(0, 200, 4))
