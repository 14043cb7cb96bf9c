"""Heatmaps: what is drawn is what was given, tokens are shown as they are, the future is blank."""

import torch

from helpers.components import Head
from helpers.heatmaps import attention, heatmap, heatmaps, memory_map

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


def test_the_masked_future_has_no_cells_and_no_borders():
    figure = attention(torch.rand(3, 3).tril(), TOKENS[:3], "title")
    blank = [[value is None for value in row] for row in figure.data[0].z]
    assert blank == [[False, True, True], [False, False, True], [False, False, False]]
    path = figure.layout.shapes[0].path
    assert path.startswith("M-0.5,-0.5H0.5M-0.5,0.5H1.5") and path.endswith("M2.5,1.5V2.5")


def test_zero_has_the_colour_of_the_page():
    for diverging in (False, True):
        trace = heatmap(torch.eye(2), "ab", "cd", "title", "row", "column", diverging=diverging).data[0]
        middle = {position: colour for position, colour in trace.colorscale}[0.5 if diverging else 0]
        assert middle.endswith(",0)")


def test_a_diverging_map_is_centred_at_zero():
    figure = heatmap(torch.tensor([[-1.0, 3.0]]), ["a"], ["b", "c"], "title", "row", "column", diverging=True)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-3, 3)


def test_panels_share_one_scale():
    figure = heatmaps(
        {"a": torch.eye(2), "<b>": -4 * torch.eye(2)}, "xy", "zw", "t", "row", "column", "logits"
    )
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    colours = figure.layout.coloraxis
    assert (colours.cmin, colours.cmax, colours.colorbar.title.text) == (0, 4, "logits")
    assert [note.text for note in figure.layout.annotations] == ["a", "&lt;b&gt;"]


def test_accesses_of_one_cell_share_a_mark():
    accesses = {"q": (1, 0), "v": (1, 0), "write": (1, 1)}
    figure = memory_map(torch.rand(2, 2), ["a", "b"], ["emb", "L0H0"], "title", accesses)
    assert [mark.text[0] for mark in figure.data[1:]] == ["q, v", "write"]


def test_a_large_model_has_a_label_per_layer_and_names_on_hovering():
    heads = [Head(layer, head) for layer in range(30) for head in range(9)]
    figure = heatmap(torch.ones(270, 2), heads, ["<b>", "b"], "title", "head", "score")
    assert list(figure.layout.yaxis.ticktext) == [f"{layer}.0" for layer in range(30)]
    assert figure.data[0].hovertext[10][0] == "head 1.1 · score &lt;b&gt;"
    assert figure.layout.height < 1600


def test_a_long_text_has_some_labels_at_equal_distances():
    figure = heatmap(torch.ones(2, 200), ["a", "b"], ["the"] * 200, "title", "row", "column")
    assert list(figure.layout.xaxis.tickvals) == list(range(0, 200, 4))


def test_a_colour_bar_leaves_the_title_in_its_place_and_holds_its_own():
    for value_title in ("nats", "part of (score / random level)²"):
        figure = heatmap(torch.eye(2), "ab", "cd", "title", "row", "column", value_title)
        bar = figure.data[0].colorbar
        assert bar.yref == "container"  # else plotly moves the figure's title out of sight
        assert bar.len - 8 * len(value_title) >= 100


def test_up_to_two_rows_of_panels_whose_cells_are_no_taller_than_wide():
    for n_panels, across in ((2, 2), (6, 3), (9, 5)):
        panels = {str(panel): torch.eye(12) for panel in range(n_panels)}
        figure = heatmaps(panels, range(12), range(12), "title", "query", "key")
        assert len({axis.domain for axis in figure.select_xaxes()}) == across
        assert figure.layout.height <= 700
