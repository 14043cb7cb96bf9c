"""Clouds: every point is drawn once, in the panel and the class that it belongs to."""

import torch

from helpers.build.static_images import alternative_text
from helpers.clouds import cloud_3d, clouds

NAMES = ["'a'", "<b>", "'c'", "'d'"]
CLASSES = ["word", "word", "digit", "word"]
POINTS = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])


def test_panels_share_the_classes_and_one_legend():
    panels = {"one": POINTS, "<two>": -POINTS}
    figure = clouds(panels, NAMES, CLASSES, "title", {"one": ["PC 1", "PC 2"], "<two>": ["PC 3", "PC 4"]})
    assert [(t.name, t.x, t.y, t.text) for t in figure.data[:2]] == [
        ("word", (0, 2, 6), (1, 3, 7), ("'a'", "&lt;b&gt;", "'d'")),
        ("digit", (4,), (5,), ("'c'",)),
    ]
    assert figure.data[3].x == (-4,) and figure.data[3].xaxis == "x2"
    assert [t.showlegend for t in figure.data] == [True, True, False, False]
    assert figure.layout.xaxis2.title.text == "PC 3" and figure.layout.yaxis.title.text == "PC 2"
    assert len({t.marker.color for t in figure.data}) == len({t.marker.symbol for t in figure.data}) == 2
    text = alternative_text(figure.to_plotly_json())
    assert text.startswith("Scatter plot: title. Horizontal axis: PC 1; PC 3. Vertical axis: PC 2; PC 4.")
    assert "Series: word; digit" in text


def test_a_rare_class_has_larger_points_and_lies_on_top():
    classes = ["rare"] + ["frequent"] * 99
    figure = clouds({"": torch.randn(100, 2)}, range(100), classes, "title", {"": "xy"})
    assert [t.name for t in figure.data] == ["frequent", "rare"]
    assert figure.data[1].marker.size > figure.data[0].marker.size


def test_numbers_colour_the_points_in_their_order():
    figure = clouds({"": POINTS}, NAMES, {"position": [3, 1, 2, 0]}, "title", {"": "xy"})
    assert figure.data[0].marker.color == (3, 1, 2, 0) and figure.data[0].mode == "lines+markers"
    assert figure.layout.coloraxis.colorbar.title.text == "position" and not figure.layout.showlegend


def test_a_cloud_in_space_has_three_named_axes():
    points = torch.cat([POINTS, POINTS[:, :1] + 9], dim=1)
    figure = cloud_3d(points, NAMES, CLASSES, "title", ["PC 1", "PC 2", "PC 3"])
    assert [t.type for t in figure.data] == ["scatter3d"] * 2 and figure.data[0].z == (9, 11, 15)
    assert figure.layout.scene.zaxis.title.text == "PC 3"
    assert alternative_text(figure.to_plotly_json()) == "Scatter plot in 3-D: title. Series: word; digit."
