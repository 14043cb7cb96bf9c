"""Rows of a matrix as points: 2-D panels side by side, or one cloud in 3-D.

Points are coloured by class, with a legend, or by a number such as their position. Their names
show on hovering.
"""

from collections import Counter
from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from helpers.page_data import verbatim
from helpers.theme import COLORBAR, LINE, ORDER, PALETTE, TEMPLATE

Labels = Sequence[object]
Groups = Sequence[str] | dict[str, Sequence[float | int]]
SYMBOLS = ("circle", "diamond", "square", "circle-open", "cross", "diamond-open")  # of 2-D and 3-D
FEW = 0.05  # of the points: a class of fewer has larger points
HEIGHT, HEIGHT_3D = 400, 520


def clouds(
    panels: dict[str, Float[Tensor, "row 2"]],
    names: Labels,
    groups: Groups,
    title: str,
    axes: dict[str, Labels],
) -> go.Figure:
    """Points in the plane, one panel per matrix; all have the same rows.

    ``axes``: panel → titles of its two axes. ``groups``: the class of each row; or one number per
    row under a name, and a line joins the rows in their order.

    >>> import torch
    >>> figure = clouds({"a": torch.eye(2)}, ["x", "y"], ["digit", "word"], "title", {"a": "xy"})
    >>> [(points.name, points.x) for points in figure.data]
    [('digit', (1.0,)), ('word', (0.0,))]
    """
    figure = make_subplots(1, len(panels), subplot_titles=list(map(verbatim, panels)), horizontal_spacing=0.1)
    for column, (panel, coordinates) in enumerate(panels.items(), start=1):
        for trace in _traces(coordinates, names, groups):
            figure.add_trace(go.Scatter(trace, showlegend=column == 1), row=1, col=column)
        for update, text in zip((figure.update_xaxes, figure.update_yaxes), axes[panel]):
            update(title=text, col=column)
    figure.update_layout(meta="Scatter plot", height=HEIGHT, margin_t=120)
    return _finished(figure, title, groups, HEIGHT)


def cloud_3d(
    coordinates: Float[Tensor, "row 3"], names: Labels, groups: Groups, title: str, axes: Labels
) -> go.Figure:
    """Points in space, to be turned with the mouse; ``groups`` as in ``clouds``.

    >>> import torch
    >>> figure = cloud_3d(torch.eye(3), "abc", {"position": [0, 1, 2]}, "title", "xyz")
    >>> figure.data[0].z, figure.data[0].marker.color
    ((0.0, 0.0, 1.0), (0, 1, 2))
    """
    figure = go.Figure([go.Scatter3d(trace) for trace in _traces(coordinates, names, groups)])
    for direction, text in zip("xyz", axes):
        figure.layout.scene[f"{direction}axis"].title = text
    figure.update_layout(meta="Scatter plot in 3-D", height=HEIGHT_3D, margin=dict(t=80, l=0, r=0, b=0))
    figure.update_scenes(aspectmode="cube", camera_eye=dict(x=1.7, y=1.5, z=0.9))
    return _finished(figure, title, groups, HEIGHT_3D)


def _traces(coordinates: Float[Tensor, "row k"], names: Labels, groups: Groups) -> list[dict]:
    """The points as one trace per class, the rarest on top, or as one trace in their order."""
    rows = coordinates.detach().cpu().tolist()
    size = 4 if coordinates.shape[1] == 2 else 2.5
    if isinstance(groups, dict):
        [values] = groups.values()
        marker = dict(color=list(values), coloraxis="coloraxis", size=size)
        return [
            _trace(rows, names) | dict(mode="lines+markers", marker=marker, line=dict(color=LINE, width=1))
        ]
    traces = []
    for number, (group, _) in enumerate(Counter(groups).most_common()):
        members = [place for place, of_row in enumerate(groups) if of_row == group]
        marker = dict(color=PALETTE[number % len(PALETTE)], symbol=SYMBOLS[number % len(SYMBOLS)])
        marker["size"] = size if len(members) > FEW * len(rows) else 2 * size
        trace = _trace([rows[place] for place in members], [names[place] for place in members])
        traces.append(trace | dict(name=verbatim(group), mode="markers", marker=marker, opacity=0.8))
    return traces


def _trace(rows: list[list[float]], names: Labels) -> dict:
    text = [verbatim(name) for name in names]
    return dict(zip("xyz", zip(*rows))) | dict(text=text, hovertemplate="%{text}<extra></extra>")


def _finished(figure: go.Figure, title: str, groups: Groups, height: int) -> go.Figure:
    """Add what tells the colours: a legend of classes, or a bar of numbers."""
    figure.update_layout(template=TEMPLATE, title=title, showlegend=not isinstance(groups, dict))
    figure.update_layout(
        legend=dict(itemsizing="constant", y=1 - 34 / height, yref="container", yanchor="top")
    )
    if isinstance(groups, dict):
        bar = COLORBAR | dict(len=200, y=1 - 34 / height, title_text=next(iter(groups)))
        figure.update_layout(coloraxis=dict(colorscale=ORDER, colorbar=bar), showlegend=False)
    return figure
