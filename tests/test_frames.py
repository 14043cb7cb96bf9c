"""Figures that change: each frame is the figure that was recorded, and holds what differs only."""

import pytest
import torch

from helpers.frames import beside, cursor, play
from helpers.heatmaps import attention
from helpers.plots import lines


def recorded():
    """Two figures of the same form."""
    patterns = {"soft": torch.full((3, 3), 1 / 3).tril(), "hard": torch.eye(3)}
    return {name: attention(pattern, ["a", "b", "c"], "title") for name, pattern in patterns.items()}


def test_frames_are_the_figures_that_were_recorded():
    figures = recorded()
    played = play(figures, "training")
    assert played.data[0].z == figures["soft"].data[0].z
    assert [frame.name for frame in played.frames] == ["soft", "hard"]
    assert played.frames[1].data[0].z == figures["hard"].data[0].z
    assert played.frames[1].data[0].colorscale is None and played.frames[1].data[0].hovertemplate is None


def test_the_slider_and_the_button_name_the_frames():
    layout = play(recorded(), "training").layout
    assert [step.args[0] for step in layout.sliders[0].steps] == [("soft",), ("hard",)]
    assert layout.sliders[0].currentvalue.prefix == "training: "
    assert [button.method for button in layout.updatemenus[0].buttons] == ["animate", "animate"]


def test_it_begins_where_told_and_every_frame_restores_what_another_changes():
    figures = recorded()
    played = play(figures, "training", start=-1)
    assert played.data[0].z == figures["hard"].data[0].z and played.layout.sliders[0].active == 1
    assert [frame.data[0].z for frame in played.frames] == [figure.data[0].z for figure in figures.values()]


def test_a_cursor_moves_along_a_curve_beside_a_pattern():
    curve, pattern = lines({"loss": torch.tensor([3.0, 1.0])}, "loss", "step", "nats"), recorded()["hard"]
    played = play({str(x): beside(cursor(curve, x), pattern, "both") for x in (1, 2)}, "step")
    assert [frame.data[1].x for frame in played.frames] == [(1, 1), (2, 2)] and len(curve.data) == 1
    assert played.data[1].y == (1, 3) and played.frames[0].data[0].y is None
    assert (played.layout.xaxis.scaleanchor, played.layout.xaxis2.scaleanchor) == (None, "y2")


def test_figures_of_different_forms_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        play({"one": lines({"a": torch.ones(2)}, "t", "x", "y"), "two": lines({}, "t", "x", "y")}, "step")


def test_two_figures_stand_side_by_side_with_their_axes():
    pattern = recorded()["hard"]
    figure = beside(lines({"loss": torch.ones(3)}, "loss", "step", "nats"), pattern, "both")
    assert figure.layout.xaxis.title.text == "step" and figure.layout.xaxis2.title.text == "key"
    assert figure.layout.yaxis2.autorange == "reversed" and figure.data[1].z == pattern.data[0].z
    assert figure.layout.shapes[0].xref == "x2"
