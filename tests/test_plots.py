"""The data behind the figures: what is drawn is what was given, and labels are shown as they are."""

import torch

from helpers.components import Component, Head
from helpers.plots import arrows, bars, dots, lines, scatter


def test_bars_show_the_values_and_pale_is_what_is_not_highlighted():
    figure = bars(torch.tensor([1.0, -2.0]), ["a", "b"], "title", "x", "y", 1, ("baseline", 0.5))
    assert list(figure.data[0].y) == [1, -2]
    assert len(set(figure.data[0].marker.color)) == 2
    assert figure.data[0].marker.opacity[0] < figure.data[0].marker.opacity[1] == 1
    assert figure.layout.shapes[0].y0 == 0.5 and figure.layout.annotations[0].text == "baseline"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("x", "y")


def test_dots_show_the_values_row_by_row():
    series = {"one": torch.tensor([1.0, 2.0]), "<b>": torch.tensor([0.0, 5.0])}
    figure = dots(series, ["a", "b"], "title", "name", "value", ("baseline", 0.5))
    assert [list(trace.x) for trace in figure.data] == [[1, 2], [0, 5]]
    assert figure.layout.shapes[0].x0 == 0.5
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    assert figure.data[1].name == "&lt;b&gt;"


def test_two_series_are_named_where_they_are_far_apart_and_four_in_a_legend():
    series = {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([0.9, 5.0])}
    figure = dots(series, ["a", "b"], "title", "name", "value")
    assert [(note.text, note.x, note.y) for note in figure.layout.annotations] == [
        ("one", 2, 1),
        ("two", 5, 1),
    ]
    assert not figure.layout.showlegend
    assert dots({name: torch.rand(3) for name in "abcd"}, "xyz", "t", "name", "value").layout.showlegend
    assert dots({"a": torch.ones(2), "b": torch.ones(2)}, "xy", "t", "name", "value").layout.showlegend


def test_no_name_stands_right_below_a_dot_of_another_series():
    series = {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor([2.0, 0.5])}
    figure = dots(series, ["a", "b"], "title", "name", "value")
    assert [(note.text, note.y) for note in figure.layout.annotations] == [("one", 0), ("two", 0)]


def test_curves_are_named_at_their_ends():
    figure = lines(
        {"low": torch.zeros(3), "high": torch.ones(3)}, "title", "x", "y", reference=("chance", 0.2)
    )
    assert [curve.text[-1] for curve in figure.data] == ["low", "high"]
    assert [curve.textposition for curve in figure.data] == ["bottom right", "top right"]
    assert not figure.layout.showlegend and figure.layout.annotations[0].text == "chance"
    assert lines({name: torch.ones(3) for name in "abcd"}, "title", "x", "y").layout.showlegend


def test_three_curves_that_end_together_get_a_legend():
    ends = {"falls": [1.0, 0.0], "stays": [0.0, 0.0], "rises": [-1.0, 0.0]}
    figure = lines({name: torch.tensor(values) for name, values in ends.items()}, "t", "x", "y")
    assert figure.layout.showlegend and not any(curve.text for curve in figure.data)


def test_four_curves_that_end_apart_are_named_at_their_ends():
    figure = lines(
        {name: torch.full((3,), 10.0**i) for i, name in enumerate("abcd")}, "t", "x", "y", log_y=True
    )
    assert [curve.text[-1] for curve in figure.data] == list("abcd") and not figure.layout.showlegend


def test_a_logarithmic_axis_and_named_spans():
    figure = lines({"a": torch.ones(4)}, "t", "x", "y", None, ("twice", 100.0), True, {"first": (1, 2)})
    assert figure.layout.yaxis.type == "log" and figure.layout.shapes[0].y0 == 100
    assert [(note.text, note.y) for note in figure.layout.annotations] == [("twice", 2), ("first", 1)]
    assert (figure.layout.shapes[1].x0, figure.layout.shapes[1].x1) == (1, 2)


def test_scatter_shows_the_values():
    figure = scatter(
        torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), ["a", "<b>"], "t", "x", "y", diagonal=True
    )
    assert list(figure.data[0].x) == [1, 2] and list(figure.data[0].text) == ["a", "&lt;b&gt;"]
    line = figure.layout.shapes[0]
    assert (line.x0, line.y0, line.x1, line.y1) == (1, 1, 4, 4)


def test_names_in_a_crowd_are_left_to_hovering():
    x = torch.tensor([0.0, 0.001, 0.002, 5.0])
    figure = scatter(x, x, ["a", "b", "c", "d"], "title", "x", "y")
    assert list(figure.data[0].text) == ["", "", "", "d"]
    assert list(figure.data[0].hovertext) == ["a", "b", "c", "d"]


def test_arrows_go_from_the_origin_to_the_directions():
    figure = arrows({"a": torch.tensor([[1.0, 0], [0, 2]]), "b": torch.ones(2, 2)}, ["x", "<b>"], "title")
    assert [list(trace.x) + list(trace.y) for trace in figure.data][:2] == [[0, 1, 0, 0], [0, 0, 0, 2]]
    assert len(figure.data) == 4 and figure.data[1].text[1] == "&lt;b&gt;"
    assert figure.layout.xaxis.range == figure.layout.yaxis2.range


def test_heads_and_components_are_labels():
    labels = [Head(0, 7), Component("mlp", 0)]
    figure = bars(torch.ones(2), labels, "title", "x", "y")
    assert list(figure.layout.xaxis.ticktext) == ["0.7", "mlp 0"]


def test_a_large_model_has_a_label_per_layer_and_names_on_hovering():
    heads = [Head(layer, head) for layer in range(30) for head in range(9)]
    figure = bars(torch.ones(270), heads, "title", "x", "y")
    assert list(figure.layout.xaxis.ticktext) == [f"{layer}.0" for layer in range(30)]
    assert list(figure.layout.xaxis.tickvals) == list(range(0, 270, 9))
    assert figure.data[0].hovertext[10] == "1.1"
    figure = dots({"a": torch.ones(270)}, heads, "t", "head", "score")
    assert list(figure.layout.yaxis.tickvals) == list(range(0, 270, 9))
    assert figure.data[0].hovertext[10] == "1.1, a" and figure.layout.height < 1600


def test_names_of_points_point_inwards_and_hide_where_they_would_touch():
    x, y = torch.tensor([0.0, 0.5, 0.51, 1.0]), torch.tensor([0.0, 0.5, 0.5, 1.0])
    points = scatter(x, y, ["left", "one", "other", "right"], "title", "x", "y").data[0]
    assert points.text == ("left", "", "", "right")
    assert (points.textposition[0], points.textposition[-1]) == ("top right", "top left")
