"""Tensors in, plotly figures out: one theme, legible on light and on dark pages.

A figure computes nothing but its own layout. Axes of tokens go by position, so that equal tokens
stay apart. Labels are tokens, heads, components: they are shown as ``str(label)``.
"""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from IPython.display import clear_output, display
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from helpers.page_data import MOST_TICKS, ticks, verbatim
from helpers.theme import BLUE, COLORBAR, DIVERGING, GREEN, GREY, ORANGE, PALETTE, SEQUENTIAL, TEMPLATE, WHITE

Labels = Sequence[object]


def attention(pattern: Float[Tensor, "query key"], tokens: Labels, title: str) -> go.Figure:
    """Heatmap of one attention pattern: one row per query, one column per key, from 0 to 1.

    >>> attention(torch.eye(2), ["a", "b"], "title").data[0].z
    ([1.0, 0.0], [0.0, 1.0])
    """
    return heatmap(pattern, tokens, tokens, title, "query", "key", largest=1.0)


def attention_slider(
    patterns: dict[str, Float[Tensor, "query key"]], tokens: Labels, title: str, slider_title: str
) -> go.Figure:
    """Heatmap of several attention patterns of one text, with a slider that begins at the first.

    >>> patterns = {"soft": torch.ones(2, 2) / 2, "hard": torch.eye(2)}
    >>> figure = attention_slider(patterns, ["a", "b"], "title", "scores")
    >>> [step.label for step in figure.layout.sliders[0].steps]
    ['soft', 'hard']
    """
    figure = attention(next(iter(patterns.values())), tokens, title)
    steps = [
        dict(label=label, method="restyle", args=[{"z": [_four_decimals(pattern)]}])
        for label, pattern in patterns.items()
    ]
    slider = dict(steps=steps, currentvalue=dict(prefix=slider_title + ": "), pad=dict(t=70))
    return figure.update_layout(sliders=[slider], height=figure.layout.height + 90)


def heatmap(
    matrix: Float[Tensor, "row column"],
    rows: Labels,
    columns: Labels,
    title: str,
    row_title: str = "",
    column_title: str = "",
    diverging: bool = False,
    largest: float | None = None,
    texts: Sequence[Sequence[str]] | None = None,
) -> go.Figure:
    """A matrix as colours, row 0 on top; blues from 0, or orange to blue around 0 if ``diverging``.

    The scale ends at ``largest``, by default the largest absolute value. ``texts``: one per cell.

    >>> matrix = torch.tensor([[1.0, -2.0]])
    >>> heatmap(matrix, ["a"], ["b", "c"], "title", diverging=True).data[0].zmax
    2.0
    """
    largest = largest or matrix.abs().max().item()
    trace = go.Heatmap(
        z=_four_decimals(matrix),
        zmin=-largest if diverging else 0,
        zmax=largest,
        colorscale=DIVERGING if diverging else SEQUENTIAL,
        hovertemplate=f"{row_title} %{{y}} · {column_title} %{{x}}: %{{z:.3f}}<extra></extra>",
        colorbar=COLORBAR,
    )
    if texts is not None:
        trace.text = [[verbatim(text[:10]) for text in row] for row in texts]
        trace.update(texttemplate="%{text}", textfont=dict(size=10))
    if max(len(rows), len(columns)) > MOST_TICKS:
        named = [[f"{row_title} {row} · {column_title} {column}" for column in columns] for row in rows]
        hovertext = [[verbatim(name) for name in names] for names in named]
        trace.update(hovertext=hovertext, hovertemplate="%{hovertext}: %{z:.3f}<extra></extra>")
    figure = go.Figure(trace, dict(template=TEMPLATE, title=title))
    figure.update_xaxes(title=dict(text=column_title, standoff=8), **ticks(columns), tickangle=-60)
    figure.update_yaxes(title=row_title, **ticks(rows), autorange="reversed")
    width = max(26 if texts is None else 60, 260 / len(columns))  # pixels of a cell
    height = max(22 if len(rows) <= MOST_TICKS else 5, 120 / len(rows))
    if width * len(columns) < 500:  # a small one keeps its shape, a larger one is as wide as the page
        ratio = dict(scaleanchor="y", scaleratio=width / height)
        figure.update_xaxes(**ratio, constrain="domain", constraintoward="left")
        figure.update_yaxes(constrain="domain", constraintoward="top")
    return figure.update_layout(height=200 + height * len(rows), margin_t=80)


def _four_decimals(values: Float[Tensor, "row column"]) -> list[list[float]]:
    return values.detach().float().cpu().round(decimals=4).tolist()


def memory_map(
    sizes: Float[Tensor, "token component"],
    tokens: Labels,
    components: Labels,
    title: str,
    accesses: dict[str, tuple[int, int]] | None = None,
    diverging: bool = False,
) -> go.Figure:
    """Heatmap of what components wrote to the residual stream: one row per token, the *memory map*.

    ``accesses`` marks cells (row, column) by the names "q", "k", "v" and "write". The scale ends at
    the largest value after the first token, where models write much that means little.

    >>> memory_map(torch.ones(2, 1), ["a", "b"], ["embedding"], "norm", {"k": (0, 0)}).data[1].text
    ('k',)
    """
    largest = sizes[1:].abs().max().item() if len(sizes) > 1 else None
    figure = heatmap(sizes, tokens, components, title, "token", "component", diverging, largest)
    names_by_cell = {}
    for name, cell in (accesses or {}).items():
        names_by_cell.setdefault(cell, []).append(name)
    for (row, column), names in names_by_cell.items():
        name, colour = html.escape(", ".join(names)), ORANGE if names == ["write"] else GREEN
        marker = dict(symbol="square-open", size=18, color=colour, line=dict(width=3))
        text = dict(text=[name], textposition="middle right", hovertemplate=f"{name}<extra></extra>")
        figure.add_scatter(x=[column], y=[row], mode="markers+text", name=name, marker=marker, **text)
        figure.data[-1].update(cliponaxis=False, showlegend=False)
    return figure


def bars(
    values: Float[Tensor, " bar"], names: Labels, title: str, value_title: str, highlight: int | None = None
) -> go.Figure:
    """One bar per name; ``highlight`` is the index of a bar in another colour.

    >>> bars(torch.tensor([1.0, -2.0]), ["a", "b"], "title", "logits").data[0].y
    (1.0, -2.0)
    """
    colours = [ORANGE if index == highlight else BLUE for index in range(len(names))]
    hover = "%{x}: %{y:.3f}<extra></extra>"
    trace = go.Bar(y=values.detach().cpu().tolist(), marker_color=colours, hovertemplate=hover)
    figure = go.Figure(trace, dict(template=TEMPLATE, title=title, height=320))
    return _name_bars(figure, names).update_yaxes(title=value_title)


def grouped_bars(
    series: dict[str, Float[Tensor, " bar"]],
    names: Labels,
    title: str,
    value_title: str,
    level: float | None = None,
) -> go.Figure:
    """One group of bars per name, one bar per series; colour and hatching distinguish the series.

    ``level`` is a dashed line, such as the random baseline.

    >>> series = {"q": torch.ones(2), "k": torch.zeros(2)}
    >>> [bar.name for bar in grouped_bars(series, ["0.0", "0.1"], "title", "score").data]
    ['q', 'k']
    """
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=360, barmode="group"))
    hatches = ("", "-", "|", ".", "x", "+", "/") if len(names) <= MOST_TICKS else ("",)
    for number, (label, values) in enumerate(series.items()):
        hatch = dict(shape=hatches[number % len(hatches)], fillmode="overlay", fgcolor=WHITE)
        marker = dict(color=PALETTE[number % len(PALETTE)], pattern=hatch)
        figure.add_bar(y=values.detach().cpu().tolist(), name=label, marker=marker)
    if level is not None:
        figure.add_hline(y=level, line=dict(color=GREY, dash="dash"))
    return _name_bars(figure, names).update_yaxes(title=value_title)


def _name_bars(figure: go.Figure, names: Labels) -> go.Figure:
    """Name bars at the axis, and on hovering where they are too many for the axis."""
    if len(names) > MOST_TICKS:
        hover = [verbatim(name) for name in names]
        figure.update_traces(hovertext=hover, hovertemplate="%{hovertext}: %{y:.3f}")
    return figure.update_xaxes(**ticks(names))


def lines(
    series: dict[str, Float[Tensor, " point"]],
    title: str,
    x_title: str,
    y_title: str,
    x: Sequence | None = None,
) -> go.Figure:
    """One curve per series, told apart by colour, dash and marker; ``x`` is 1, 2, 3, … by default.

    >>> lines({"loss": torch.tensor([3.0, 2.0])}, "title", "step", "nats").data[0].x
    (1, 2)
    """
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=380))
    dashes = ("solid", "dash", "dot", "dashdot")
    for number, (name, values) in enumerate(series.items()):
        values = values.detach().cpu()
        figure.add_scatter(
            x=list(x or range(1, len(values) + 1)),
            y=values.tolist(),
            name=html.escape(name),
            mode="lines" if len(values) > 20 else "lines+markers",
            line=dict(color=PALETTE[number % len(PALETTE)], dash=dashes[number % len(dashes)]),
            marker=dict(symbol=number),
        )
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


def scatter(
    x: Float[Tensor, " point"],
    y: Float[Tensor, " point"],
    names: Labels,
    title: str,
    x_title: str,
    y_title: str,
) -> go.Figure:
    """One named point per pair of values; where points crowd, names show on hovering only.

    >>> x = torch.tensor([0.0, 1.0])
    >>> scatter(x, x, ["a", "b"], "title", "x", "y").data[0].text
    ('a', 'b')
    """
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=420))
    points = torch.stack([x, y], dim=1).detach().cpu()
    extent = (points.amax(dim=0) - points.amin(dim=0)).clamp_min(1e-9)
    nearest = torch.cdist(points / extent, points / extent).fill_diagonal_(torch.inf).amin(dim=1)
    escaped = [html.escape(str(name)) for name in names]
    text = [name if distance > 0.04 else "" for name, distance in zip(escaped, nearest)]
    hover = dict(hovertext=escaped, hovertemplate="%{hovertext}: %{x:.3f}, %{y:.3f}<extra></extra>")
    look = dict(mode="markers+text", textposition="top center", marker=dict(size=9, color=BLUE))
    figure.add_scatter(x=points[:, 0].tolist(), y=points[:, 1].tolist(), text=text, **hover, **look)
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


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
    figure.update_xaxes(range=[-reach, reach], dtick=1)
    figure.update_yaxes(range=[-reach, reach], dtick=1)
    for column in range(1, len(planes) + 1):  # planes come out square
        figure.update_yaxes(scaleanchor="x" if column == 1 else f"x{column}", col=column)
    figure.update_layout(template=TEMPLATE, title=title, margin_t=80, height=400)
    return figure.update_xaxes(constrain="domain").update_yaxes(constrain="domain")


def diagram(positions: Labels, queries: dict[str, tuple[int, int]], title: str) -> go.Figure:
    """Positions in a row, and an arrow from query to key position for each job; "" leaves a gap.

    >>> len(diagram(["A", "B", "A"], {"induction": (2, 1)}, "title").layout.shapes)
    1
    """
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=420))
    for number, (job, (query, key)) in enumerate(queries.items()):
        colour, top, middle = PALETTE[number % len(PALETTE)], 0.35 + 0.25 * number, (query + key) / 2
        path = f"M {query} 0.1 Q {middle} {2 * top} {key} 0.1"
        figure.add_shape(type="path", path=path, line=dict(color=colour, width=3))
        start = dict(ax=key + 0.12 * (1 if query > key else -1), ay=0.08 + 0.12 * top, axref="x", ayref="y")
        arrow = dict(text="", arrowhead=2, arrowwidth=3, arrowcolor=colour)
        figure.add_annotation(x=key, y=0.08, **start, **arrow)
        figure.add_annotation(x=middle, y=top + 0.12, text=job, showarrow=False, font=dict(color=colour))
    named = [index for index, label in enumerate(positions) if label]
    marker = dict(size=22, color=GREY)
    figure.add_scatter(x=named, y=[0] * len(named), mode="markers", marker=marker, hoverinfo="skip")
    figure.update_xaxes(**ticks(positions), range=[-0.7, len(positions) - 0.3])
    return figure.update_yaxes(visible=False, range=[-0.2, 1.75])


def redraw(figure: go.Figure, fraction: float) -> None:
    """Draw a figure in place of the cell's output, under a bar for the ``fraction`` done, 0 to 1.

    The height of the output is reserved, so that nothing below it moves.
    """
    height = figure.layout.height + 60
    style = f"<style>.jp-OutputArea:has(progress) {{min-height: {height}px}}</style>"
    bar = f'{style}<progress value="{fraction:.3f}" style="width: 300px"></progress> {fraction:.0%}'
    clear_output(wait=True)  # JupyterLab does not draw a plotly display again when it is updated
    display({"text/html": bar, "text/plain": f"{fraction:.0%}"}, raw=True)
    display(figure)
