"""Tensors in, plotly figures out: one theme, legible on light and on dark pages.

A figure computes nothing but its own layout. Labels are tokens, heads, components: they are shown
as ``str(label)``. Every axis has a title with its unit. Up to three series are labelled where they
are drawn, more get a legend. Heatmaps are in heatmaps.py.
"""

import html
import math
from collections.abc import Callable, Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from helpers.page_data import MOST_TICKS, ticks, verbatim
from helpers.theme import BLUE, GREY, LINE, ORANGE, PALE, PALETTE, TEMPLATE

Labels = Sequence[object]
Reference = tuple[str, float]  # a dashed line: its name and value
MOST_LABELLED = 3  # series with names beside them, even where these are close
END_GAP = 0.06  # of the extent: between last points of curves whose names do not touch
TOUCHING = 0.005  # of the extent: last points of two curves that cannot be told apart
LEAST_GAP = 0.02  # of the extent: between last points of three curves whose names can be told apart
ROW_HEIGHT, LEAST_ROW_HEIGHT = 26, 5  # of a dot plot, in pixels


def bars(
    values: Float[Tensor, " bar"],
    names: Labels,
    title: str,
    x_title: str,
    y_title: str,
    highlight: int | None = None,
    reference: Reference | None = None,
) -> go.Figure:
    """One bar per name; ``highlight`` is the index of a bar in another colour, the others are pale.

    ``reference``: the name and the value of a dashed line, such as a random baseline.

    >>> bars(torch.tensor([1.0, -2.0]), ["a", "b"], "title", "head", "logits").data[0].y
    (1.0, -2.0)
    """
    figure = _figure("Bar chart", title, x_title, y_title, height=320)
    colours = [ORANGE if index == highlight else BLUE for index in range(len(names))]
    opacities = [1 if highlight in (None, index) else PALE for index in range(len(names))]
    figure.add_bar(
        y=_listed(values),
        marker=dict(color=colours, opacity=opacities),
        hovertext=[verbatim(name) for name in names],
        hovertemplate="%{hovertext}: %{y:.3f}<extra></extra>",
    )
    if reference:
        figure.add_hline(**_dashed(reference), y=reference[1])
    return figure.update_xaxes(**ticks(names))


def dots(
    series: dict[str, Float[Tensor, " row"]],
    names: Labels,
    title: str,
    name_title: str,
    value_title: str,
    reference: Reference | None = None,
) -> go.Figure:
    """One row per name, in each row one dot per series; ``reference`` as in ``bars``.

    >>> series = {"q": torch.ones(2), "k": torch.zeros(2)}
    >>> figure = dots(series, ["0.0", "0.1"], "title", "head", "score")
    >>> [(dots.name, dots.x) for dots in figure.data]
    [('q', (1.0, 1.0)), ('k', (0.0, 0.0))]
    """
    row_height = ROW_HEIGHT if len(names) <= MOST_TICKS else LEAST_ROW_HEIGHT
    figure = _figure("Dot plot", title, value_title, name_title, height=170 + row_height * len(names))
    for number, (label, values) in enumerate(series.items()):
        figure.add_scatter(
            x=_listed(values),
            y=list(range(len(names))),
            name=html.escape(label),
            mode="markers",
            marker=dict(
                size=max(15 - 3 * number, 7),
                symbol=number,
                color=PALETTE[number % len(PALETTE)],
                opacity=0.85,
            ),
            hovertext=[f"{verbatim(name)}, {html.escape(label)}" for name in names],
            hovertemplate="%{hovertext}: %{x:.3f}<extra></extra>",
        )
    if reference:
        figure.add_vline(**_dashed(reference), x=reference[1])
    grid = dict(showgrid=len(names) <= MOST_TICKS, gridwidth=1, ticklabelstandoff=4)
    figure.update_yaxes(**ticks(names) | grid)
    figure.update_yaxes(range=[len(names) - 0.5, -0.7]).update_layout(margin_t=80)
    return _label_dots(figure, series)


def _label_dots(figure: go.Figure, series: dict[str, Float[Tensor, " row"]]) -> go.Figure:
    """Name up to three series in the row where they are farthest apart; more get the legend.

    A name stands between two rows: no dot of another series may be right above it.
    """
    figure.update_layout(showlegend=len(series) > 1)
    if not 2 <= len(series) <= MOST_LABELLED:
        return figure
    values = torch.stack([values.detach().float().cpu() for values in series.values()])
    extent = (values.max() - values.min()).clamp_min(1e-9)
    gaps = values.sort(dim=0).values.diff(dim=0).amin(dim=0) / extent  # [row]
    width = 0.03 * max(map(len, series))  # of a name
    to_others_above = (values[:, None, 1:] - values[None, :, :-1]).abs() / extent  # [series other row]
    to_others_above[range(len(values)), range(len(values))] = torch.inf
    gaps[1:][to_others_above.amin(dim=(0, 1)) < width / 2] = 0
    row = gaps.argmax().item()
    if gaps[row] < width:  # the names would touch
        return figure
    for trace, value in zip(figure.data, values[:, row].tolist()):
        figure.add_annotation(x=value, y=row, text=trace.name, showarrow=False, yshift=14)
    return figure.update_layout(showlegend=False, margin_t=50, height=figure.layout.height - 30)


def lines(
    series: dict[str, Float[Tensor, " point"]],
    title: str,
    x_title: str,
    y_title: str,
    x: Sequence | None = None,
    reference: Reference | None = None,
    log_y: bool = False,
    spans: dict[str, tuple[float | int, float | int]] | None = None,
) -> go.Figure:
    """One curve per series, distinguished by colour, dash and marker.

    ``x`` is 1, 2, 3, … by default; ``reference`` as in ``bars``. ``spans`` shades parts of the
    horizontal axis: name → first and last x.

    >>> lines({"loss": torch.tensor([3.0, 2.0])}, "title", "step", "nats").data[0].x
    (1, 2)
    """
    figure = _figure("Line chart", title, x_title, y_title, height=380)
    dashes = ("solid", "dash", "dot", "dashdot")
    for number, (name, values) in enumerate(series.items()):
        figure.add_scatter(
            x=list(x or range(1, len(values) + 1)),
            y=_listed(values),
            name=html.escape(name),
            mode="lines" if len(values) > 20 else "lines+markers",
            line=dict(color=PALETTE[number % len(PALETTE)], dash=dashes[number % len(dashes)]),
            marker=dict(symbol=number),
        )
    if reference:
        figure.add_hline(**_dashed(reference), y=reference[1])
    if log_y:
        figure.update_yaxes(type="log").update_annotations(y=math.log10(reference[1]) if reference else 0)
    for name, (start, end) in (spans or {}).items():
        text = dict(annotation_text=verbatim(name), annotation_position="inside top left")
        figure.add_vrect(x0=start, x1=end, fillcolor=LINE, opacity=0.3, line_width=0, layer="below", **text)
    return _label_lines(figure, math.log if log_y else float)


def _label_lines(figure: go.Figure, height: Callable[[float], float]) -> go.Figure:
    """Name two curves, or more that end apart, at their last points; else add a legend."""
    heights = [[height(y) for y in curve.y] for curve in figure.data]
    ends = sorted(of_curve[-1] for of_curve in heights if of_curve)
    drawn = [y for of_curve in heights for y in of_curve]
    extent = max(drawn, default=0) - min(drawn, default=0)
    least = {2: TOUCHING, 3: LEAST_GAP}.get(len(ends), END_GAP)
    apart = all(high - low > least * extent for low, high in zip(ends, ends[1:]))
    if not apart:
        return figure.update_layout(showlegend=True, margin_t=100, height=figure.layout.height + 50)
    figure.update_layout(showlegend=False)
    if len(ends) < 2:
        return figure
    by_height = sorted((curve for curve in figure.data if curve.y), key=lambda curve: curve.y[-1])
    for curve, place in zip(
        by_height, ("bottom right", *["middle right"] * (len(by_height) - 2), "top right")
    ):
        text = [*[""] * (len(curve.y) - 1), curve.name]
        curve.update(mode=f"{curve.mode}+text", text=text, textposition=place, cliponaxis=False)
    return figure.update_layout(margin_r=30 + 7 * max(len(curve.name) for curve in by_height))


def scatter(
    x: Float[Tensor, " point"],
    y: Float[Tensor, " point"],
    names: Labels,
    title: str,
    x_title: str,
    y_title: str,
    diagonal: bool = False,
) -> go.Figure:
    """One named point per pair of values; where points crowd, names show on hovering only.

    ``diagonal`` draws the line y = x.

    >>> x = torch.tensor([0.0, 1.0])
    >>> scatter(x, x, ["a", "b"], "title", "x", "y").data[0].text
    ('a', 'b')
    """
    figure = _figure("Scatter plot", title, x_title, y_title, height=420)
    points = torch.stack([x, y], dim=1).detach().float().cpu()
    extent = (points.amax(dim=0) - points.amin(dim=0)).clamp_min(1e-9)
    pixels = points / extent * torch.tensor([550.0, 280.0])
    across, up = (pixels[:, None] - pixels).abs().unbind(dim=-1)
    lengths = torch.tensor([len(str(name)) for name in names])
    touching = (across < 3.5 * (lengths[:, None] + lengths)) & (up < 18)
    crowded = touching.fill_diagonal_(False).any(dim=1).tolist()
    escaped = [html.escape(str(name)) for name in names]
    text = ["" if hidden else name for name, hidden in zip(escaped, crowded)]
    hover = dict(hovertext=escaped, hovertemplate="%{hovertext}: %{x:.3f}, %{y:.3f}<extra></extra>")
    along = ((points[:, 0] - points[:, 0].min()) / extent[0]).tolist()  # names at the edges point inwards
    sides = ["right" if share < 0.1 else "left" if share > 0.9 else "center" for share in along]
    look = dict(mode="markers+text", textposition=[f"top {side}" for side in sides])
    look["marker"] = dict(size=9, color=BLUE)
    figure.add_scatter(x=_listed(points[:, 0]), y=_listed(points[:, 1]), text=text, **hover, **look)
    if diagonal:
        low, high = points.min().item(), points.max().item()
        figure.add_shape(type="line", x0=low, y0=low, x1=high, y1=high, line=dict(color=GREY, dash="dash"))
        figure.add_annotation(x=high, y=high, text="y = x", showarrow=False, xanchor="left", xshift=6)
    return figure


def arrows(planes: dict[str, Float[Tensor, "2 feature"]], names: Labels, title: str) -> go.Figure:
    """Directions as arrows from the origin, one plane beside the other, all on one scale.

    >>> figure = arrows({"dense": torch.eye(2), "sparse": torch.eye(2)}, ["x", "y"], "title")
    >>> figure.data[0].x, figure.data[0].y
    ((0, 1.0), (0, 0.0))
    """
    titles = [html.escape(name) for name in planes]
    figure = make_subplots(rows=1, cols=len(planes), subplot_titles=titles)
    reach = 1.25 * max(directions.norm(dim=0).max().item() for directions in planes.values())
    for column, directions in enumerate(planes.values(), start=1):
        for number, (name, (x, y)) in enumerate(zip(names, directions.detach().cpu().T.tolist())):
            colour, name = PALETTE[number % len(PALETTE)], html.escape(str(name))
            look = dict(line=dict(color=colour, width=3), marker=dict(color=colour, size=[0, 9]))
            hover = f"{name}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>"
            text = dict(text=["", name], textposition="top center", hovertemplate=hover)
            arrow = go.Scatter(
                x=[0, x], y=[0, y], mode="lines+markers+text", showlegend=False, **look, **text
            )
            figure.add_trace(arrow, row=1, col=column)
    figure.update_xaxes(range=[-reach, reach], dtick=1, title="first dimension")
    figure.update_yaxes(range=[-reach, reach], dtick=1).update_yaxes(title="second dimension", col=1)
    for column in range(1, len(planes) + 1):  # planes come out square
        figure.update_yaxes(scaleanchor="x" if column == 1 else f"x{column}", col=column)
    figure.update_layout(template=TEMPLATE, title=title, margin_t=80, height=400, meta="Arrows")
    return figure.update_xaxes(constrain="domain").update_yaxes(constrain="domain")


def _figure(kind: str, title: str, x_title: str, y_title: str, height: int) -> go.Figure:
    """An empty figure with named axes; its alternative text begins with its kind."""
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=height, meta=kind))
    return figure.update_xaxes(title=x_title).update_yaxes(title=y_title)


def _listed(values: Float[Tensor, " value"]) -> list[float]:
    return values.detach().cpu().tolist()


def _dashed(reference: Reference) -> dict:
    """The look of a reference line, with its name beside it."""
    name = dict(annotation_text=verbatim(reference[0]), annotation_position="top right")
    return dict(line=dict(color=GREY, dash="dash"), **name)
