"""Tensors in, plotly figures out: one theme, legible on light and dark pages, with colour-blind safe scales.

A figure computes nothing but its own layout. Token axes go by position, so that equal tokens stay apart.
"""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from IPython.display import clear_output, display
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from helpers.theme import BLUE, DIVERGING, GREEN, GREY, ORANGE, PALETTE, SEQUENTIAL, TEMPLATE


def _labels(tokens: Sequence[str]) -> dict:
    """Axis settings that name the positions 0, 1, … by their tokens, shown verbatim."""
    text = [html.escape(str(token), quote=False).replace("\n", "⏎") for token in tokens]
    shown = dict(showgrid=False, zeroline=False, ticklabeloverflow="allow")
    return dict(tickvals=list(range(len(text))), ticktext=text, **shown)


def heatmap(
    matrix: Float[Tensor, "row column"],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    row_title: str = "",
    column_title: str = "",
    diverging: bool = False,
    largest: float | None = None,
    texts: Sequence[Sequence[str]] | None = None,
) -> go.Figure:
    """A matrix as colours: blues from 0, or orange–white–blue centred at 0 when ``diverging``. Row 0 is on top.

    ``texts``, a word a cell, are written into the cells.
    """
    matrix = matrix.detach().float().cpu()
    largest = largest or matrix.abs().max().item()
    scale = DIVERGING if diverging else SEQUENTIAL
    trace = go.Heatmap(
        z=matrix.round(decimals=4).tolist(),
        zmin=-largest if diverging else 0,
        zmax=largest,
        colorscale=scale,
        hovertemplate=f"{row_title} %{{y}} · {column_title} %{{x}}: %{{z:.3f}}<extra></extra>",
        colorbar=dict(thickness=10, orientation="h", lenmode="pixels", len=220, x=0, xanchor="left", y=1, yanchor="bottom"),
    )  # fmt: skip
    if texts is not None:
        shown = [[html.escape(text[:10], quote=False).replace("\n", "⏎") for text in row] for row in texts]
        trace.update(text=shown, texttemplate="%{text}", textfont=dict(size=10))
    figure = go.Figure(trace, dict(template=TEMPLATE, title=title))
    figure.update_xaxes(title=dict(text=column_title, standoff=8), **_labels(columns), tickangle=-60)
    figure.update_yaxes(title=row_title, **_labels(rows), autorange="reversed")
    wide = max(26 if texts is None else 60, 260 / len(columns))
    high = max(22, 120 / len(rows))
    if wide * len(columns) < 500:  # a small one keeps its shape, a larger one is as wide as the page
        figure.update_xaxes(
            scaleanchor="y", scaleratio=wide / high, constrain="domain", constraintoward="left"
        )
        figure.update_yaxes(constrain="domain", constraintoward="top")
    return figure.update_layout(height=200 + high * len(rows), margin_t=80)


def attention(pattern: Float[Tensor, "query key"], tokens: Sequence[str], title: str) -> go.Figure:
    """One attention pattern: each row is a query and shows how it shares its attention among the keys."""
    return heatmap(pattern, tokens, tokens, title, "query", "key", largest=1.0)


def attention_slider(
    patterns: dict[str, Float[Tensor, "query key"]], tokens: Sequence[str], title: str, slider_title: str
) -> go.Figure:
    """Several attention patterns of one text, with a slider to go from one to the next; the first is shown at the start."""
    figure = attention(next(iter(patterns.values())), tokens, title)
    steps = [
        dict(label=label, method="restyle", args=[{"z": [pattern.detach().cpu().round(decimals=4).tolist()]}])
        for label, pattern in patterns.items()
    ]
    figure.update_layout(
        sliders=[dict(steps=steps, currentvalue=dict(prefix=slider_title + ": "), pad=dict(t=70))]
    )
    return figure.update_layout(height=figure.layout.height + 90)


def bars(
    values: Float[Tensor, " bar"],
    names: Sequence[str],
    title: str,
    value_title: str,
    highlight: int | None = None,
) -> go.Figure:
    """One bar a name; ``highlight`` is the index of a bar in another colour."""
    colours = [ORANGE if index == highlight else BLUE for index in range(len(names))]
    trace = go.Bar(
        y=values.detach().cpu().tolist(), marker_color=colours, hovertemplate="%{x}: %{y:.3f}<extra></extra>"
    )
    figure = go.Figure(trace, dict(template=TEMPLATE, title=title, height=320))
    figure.update_xaxes(**_labels(names))
    return figure.update_yaxes(title=value_title)


def lines(
    series: dict[str, Float[Tensor, " point"]],
    title: str,
    x_title: str,
    y_title: str,
    x: Sequence | None = None,
) -> go.Figure:
    """One curve a name, over ``x`` (by default 1, 2, 3, …); told apart by dash and marker as well as by colour."""
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=380))
    for number, (name, values) in enumerate(series.items()):
        values = values.detach().cpu()
        figure.add_scatter(
            x=list(x or range(1, len(values) + 1)),
            y=values.tolist(),
            name=html.escape(name),
            mode="lines" if len(values) > 20 else "lines+markers",
            line=dict(
                color=PALETTE[number % len(PALETTE)], dash=("solid", "dash", "dot", "dashdot")[number % 4]
            ),
            marker=dict(symbol=number),
        )
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


def scatter(
    x: Float[Tensor, " point"],
    y: Float[Tensor, " point"],
    names: Sequence[str],
    title: str,
    x_title: str,
    y_title: str,
) -> go.Figure:
    """One named point for each pair of values; in a crowd the names show on hovering only."""
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=420))
    points = torch.stack([x, y], dim=1).detach().cpu()
    extent = (points.amax(dim=0) - points.amin(dim=0)).clamp_min(1e-9)
    apart = torch.cdist(points / extent, points / extent).fill_diagonal_(torch.inf).amin(dim=1)
    escaped = [html.escape(name) for name in names]
    figure.add_scatter(
        x=points[:, 0].tolist(), y=points[:, 1].tolist(), mode="markers+text", textposition="top center",
        text=[name if free else "" for name, free in zip(escaped, apart > 0.04)], hovertext=escaped,
        marker=dict(size=9, color=BLUE), hovertemplate="%{hovertext}: %{x:.3f}, %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


def grouped_bars(
    series: dict[str, Float[Tensor, " bar"]],
    names: Sequence[str],
    title: str,
    value_title: str,
    level: float | None = None,
) -> go.Figure:
    """Bars side by side, one group a name, told apart by hatching as well as colour; ``level`` is drawn as a dashed line."""
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=360, barmode="group"))
    for number, (label, values) in enumerate(series.items()):
        pattern = dict(
            shape=("", "-", "|", ".", "x", "+", "/")[number % 7], fillmode="overlay", fgcolor="white"
        )
        colour = PALETTE[number % len(PALETTE)]
        figure.add_bar(
            y=values.detach().cpu().tolist(), name=label, marker=dict(color=colour, pattern=pattern)
        )
    if level is not None:
        figure.add_hline(y=level, line=dict(color=GREY, dash="dash"))
    figure.update_xaxes(**_labels(names))
    return figure.update_yaxes(title=value_title)


def diagram(places: Sequence[str], questions: dict[str, tuple[int, int]], title: str) -> go.Figure:
    """People in a line and, for each job, an arrow from the place that asks to the place that is asked."""
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, height=420))
    for number, (job, (asker, asked)) in enumerate(questions.items()):
        colour, top = PALETTE[number % len(PALETTE)], 0.35 + 0.25 * number
        path = f"M {asker} 0.1 Q {(asker + asked) / 2} {2 * top} {asked} 0.1"
        figure.add_shape(type="path", path=path, line=dict(color=colour, width=3))
        arrow = dict(x=asked, y=0.08, ax=asked + 0.12 * (1 if asker > asked else -1), ay=0.08 + 0.12 * top)
        figure.add_annotation(
            **arrow, axref="x", ayref="y", text="", arrowhead=2, arrowwidth=3, arrowcolor=colour
        )
        label = dict(text=job, showarrow=False, font=dict(color=colour))
        figure.add_annotation(x=(asker + asked) / 2, y=top + 0.12, **label)
    named = [index for index, place in enumerate(places) if place]
    figure.add_scatter(
        x=named, y=[0] * len(named), mode="markers", marker=dict(size=22, color=GREY), hoverinfo="skip"
    )
    figure.update_xaxes(**_labels(places), range=[-0.7, len(places) - 0.3])
    return figure.update_yaxes(visible=False, range=[-0.2, 1.75])


def memory_map(
    sizes: Float[Tensor, "token subspace"],
    tokens: Sequence[str],
    subspaces: Sequence[str],
    title: str,
    accesses: dict[str, tuple[int, int]] | None = None,
    diverging: bool = False,
) -> go.Figure:
    """The residual stream as a memory: a row a token, a column each store. ``accesses`` marks cells by name: q, k, v, store.

    Colours go as far as the largest value after the first token, where models store much that means little.
    """
    largest = sizes[1:].abs().max().item() if len(sizes) > 1 else None
    figure = heatmap(
        sizes, tokens, subspaces, title, "token", "who stored it", diverging=diverging, largest=largest
    )
    marked = {}
    for name, cell in (accesses or {}).items():
        marked.setdefault(cell, []).append(name)
    for (row, column), found in marked.items():
        name, colour = ", ".join(found), ORANGE if found == ["store"] else GREEN
        figure.add_scatter(
            x=[column], y=[row], mode="markers+text", text=[name], name=name, textposition="middle right", showlegend=False,
            marker=dict(symbol="square-open", size=18, color=colour, line=dict(width=3)), cliponaxis=False,
            hovertemplate=f"{html.escape(name)}<extra></extra>",
        )  # fmt: skip
    return figure


def redraw(figure: go.Figure, share: float) -> None:
    """Draw ``figure`` in place of all that the cell has shown, under a bar for the ``share`` of the work done, 0 to 1."""
    room = f"<style>.jp-OutputArea:has(progress) {{min-height: {figure.layout.height + 60}px}}</style>"  # so that nothing below moves
    bar = f'{room}<progress value="{share:.3f}" style="width: 300px"></progress> {share:.0%}'
    clear_output(wait=True)  # JupyterLab does not draw a plotly display again when it is updated
    display({"text/html": bar, "text/plain": f"{share:.0%}"}, raw=True)
    display(figure)


def arrows(pictures: dict[str, Float[Tensor, "2 feature"]], names: Sequence[str], title: str) -> go.Figure:
    """Directions in a plane as arrows from the origin, one plane a picture, side by side, all on one scale."""
    figure = make_subplots(
        rows=1, cols=len(pictures), subplot_titles=[html.escape(name) for name in pictures]
    )
    reach = 1.25 * max(directions.norm(dim=0).max().item() for directions in pictures.values())
    for column, directions in enumerate(pictures.values(), start=1):
        for number, (name, (x, y)) in enumerate(zip(names, directions.detach().cpu().T.tolist())):
            colour = PALETTE[number % len(PALETTE)]
            figure.add_scatter(
                x=[0, x], y=[0, y], row=1, col=column, mode="lines+markers+text", text=["", html.escape(name)],
                textposition="top center", line=dict(color=colour, width=3), marker=dict(color=colour, size=[0, 9]), showlegend=False,
                hovertemplate=f"{html.escape(name)}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(range=[-reach, reach], dtick=1)
    figure.update_yaxes(range=[-reach, reach], dtick=1)
    for column in range(1, len(pictures) + 1):  # planes come out square
        figure.update_yaxes(scaleanchor="x" if column == 1 else f"x{column}", col=column)
    figure.update_layout(template=TEMPLATE, title=title, margin_t=80, height=400)
    return figure.update_xaxes(constrain="domain").update_yaxes(constrain="domain")
