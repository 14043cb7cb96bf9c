"""Matrices in, heatmaps out: attention patterns, scores by head, memory maps.

A figure computes nothing but its own layout. Axes of tokens go by position, so that equal tokens
stay apart. Labels are tokens, heads, components: they are shown as ``str(label)``. Zero has the
colour of the page; cells have borders, and what a query may not attend to is left out.
"""

import html
import math
from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from helpers.page_data import MOST_TICKS, ticks, verbatim
from helpers.theme import COLORBAR, DIVERGING, GREEN, LINE, ORANGE, SEQUENTIAL, TEMPLATE, WIDTH

Labels = Sequence[object]
LABEL_SPACE = 110  # pixels beside a heatmap for the labels of its rows
SMALLEST_CELL, LARGEST_CELL = 22, 60  # heights in pixels
SMALL_CELL, MANY_ROWS = 14, 20  # where there are many rows or panels
CELL_OF_MANY = 5  # where there are more rows than labels


def attention(pattern: Float[Tensor, "query key"], tokens: Labels, title: str) -> go.Figure:
    """Heatmap of one attention pattern, one row per query, from 0 to 1; the masked future is blank.

    >>> import torch
    >>> attention(torch.eye(2), ["a", "b"], "title").data[0].z
    ([1.0, None], [0.0, 1.0])
    """
    causal = pattern.shape[0] == pattern.shape[1] and not pattern.triu(1).any()
    return heatmap(pattern, tokens, tokens, title, "query", "key", "attention", largest=1.0, causal=causal)


def heatmap(
    matrix: Float[Tensor, "row column"],
    rows: Labels,
    columns: Labels,
    title: str,
    row_title: str,
    column_title: str,
    value_title: str = "",
    diverging: bool = False,
    largest: float | None = None,
    texts: Sequence[Sequence[str]] | None = None,
    causal: bool = False,
) -> go.Figure:
    """A matrix as colours, row 0 on top; blues from 0, or orange to blue around 0 if ``diverging``.

    The scale ends at ``largest``, by default the largest absolute value; ``value_title`` names it,
    with its unit. ``texts``: one per cell. ``causal``: cells right of the diagonal are left out.

    >>> import torch
    >>> matrix = torch.tensor([[1.0, -2.0]])
    >>> heatmap(matrix, ["a"], ["b", "c"], "title", "row", "column", diverging=True).data[0].zmax
    2.0
    """
    largest = largest or matrix.abs().max().item()
    trace = _trace(matrix, rows, columns, row_title, column_title, causal)
    trace.update(zmin=-largest if diverging else 0, zmax=largest)
    trace.update(colorscale=DIVERGING if diverging else SEQUENTIAL)
    if texts is not None:
        trace.text = [[verbatim(text[:10]) for text in row] for row in texts]
        trace.update(texttemplate="%{text}", textfont=dict(size=10))
    width, height = _cell(len(rows), len(columns), WIDTH - LABEL_SPACE, least_width=60 if texts else 0)
    total = 200 + round(height * len(rows))
    trace.colorbar = _colorbar(value_title, total)
    figure = go.Figure(trace, dict(template=TEMPLATE, title=title, margin_t=80, height=total))
    figure.update_xaxes(title=column_title, **ticks(columns), tickangle=_angle(columns, width))
    figure.update_yaxes(title=row_title, **ticks(rows), autorange="reversed")
    if height <= SMALL_CELL + 1:
        figure.update_yaxes(tickfont_size=10)
    _keep_shape(figure, width / height)
    return _add_borders(figure, len(rows), len(columns), causal)


def heatmaps(
    matrices: dict[str, Float[Tensor, "row column"]],
    rows: Labels,
    columns: Labels,
    title: str,
    row_title: str,
    column_title: str,
    value_title: str = "",
    diverging: bool = False,
    largest: float | None = None,
    panels_per_row: int | None = None,
) -> go.Figure:
    """Several matrices with the same rows and columns, side by side and on one scale.

    By default there are three panels per row, or as many as fit into two rows.

    >>> import torch
    >>> matrices = {"q": torch.eye(2), "k": 3 * torch.eye(2)}
    >>> figure = heatmaps(matrices, "ab", "ab", "title", "row", "column")
    >>> len(figure.data), figure.layout.coloraxis.cmax
    (2, 3.0)
    """
    largest = largest or max(matrix.abs().max().item() for matrix in matrices.values())
    across = min(panels_per_row or max(3, math.ceil(len(matrices) / 2)), len(matrices))
    down = math.ceil(len(matrices) / across)
    width, height = _cell(len(rows), len(columns), (WIDTH - LABEL_SPACE) / across)
    height = min(height, max(width, SMALL_CELL))
    total = 200 + round((height * len(rows) + 40) * down)
    figure = make_subplots(
        down, across, shared_yaxes=True, shared_xaxes=True, subplot_titles=list(map(verbatim, matrices)),
        horizontal_spacing=0.04, vertical_spacing=40 / (total - 160),
    )  # fmt: skip
    for place, matrix in enumerate(matrices.values()):
        causal = row_title == "query" and matrix.shape[0] == matrix.shape[1] and not matrix.triu(1).any()
        trace = _trace(matrix, rows, columns, row_title, column_title, causal)
        panel = dict(row=place // across + 1, col=place % across + 1)
        figure.add_trace(trace.update(coloraxis="coloraxis"), **panel)
        _add_borders(figure, len(rows), len(columns), causal, **panel)
    figure.update_xaxes(**ticks(columns), tickangle=_angle(columns, width))
    figure.update_yaxes(**ticks(rows), autorange="reversed")
    if height < SMALL_CELL + 1:
        figure.update_xaxes(tickfont_size=10).update_yaxes(tickfont_size=10)
    figure.update_xaxes(title=column_title, row=down).update_yaxes(title=row_title, col=1)
    colours = dict(cmin=-largest if diverging else 0, cmax=largest, colorbar=_colorbar(value_title, total))
    figure.update_layout(coloraxis=colours | dict(colorscale=DIVERGING if diverging else SEQUENTIAL))
    return figure.update_layout(template=TEMPLATE, title=title, margin_t=100, height=total)


def memory_map(
    sizes: Float[Tensor, "token component"],
    tokens: Labels,
    components: Labels,
    title: str,
    accesses: dict[str, tuple[int, int]] | None = None,
    diverging: bool = False,
    value_title: str = "",
) -> go.Figure:
    """Heatmap of what components wrote to the residual stream: one row per token, the *memory map*.

    ``accesses`` marks cells (row, column) by the names "q", "k", "v" and "write". The scale ends at
    the largest value after the first token, where models write much that means little.

    >>> import torch
    >>> memory_map(torch.ones(2, 1), ["a", "b"], ["embedding"], "norm", {"k": (0, 0)}).data[1].text
    ('k',)
    """
    largest = sizes[1:].abs().max().item() if len(sizes) > 1 else None
    names = tokens, components, title, "token", "component", value_title
    figure = heatmap(sizes, *names, diverging, largest)
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


def _trace(
    matrix: Float[Tensor, "row column"],
    rows: Labels,
    columns: Labels,
    row_title: str,
    column_title: str,
    causal: bool,
) -> go.Heatmap:
    """The cells, and what hovering says of them."""
    cells = matrix.detach().float().cpu().round(decimals=4).tolist()
    if causal:
        cells = [[*row[: query + 1], *[None] * (len(row) - query - 1)] for query, row in enumerate(cells)]
    hover = f"{row_title} %{{y}} · {column_title} %{{x}}: %{{z:.3f}}<extra></extra>"
    trace = go.Heatmap(z=cells, hovertemplate=hover, hoverongaps=False)
    if max(len(rows), len(columns)) > MOST_TICKS:
        named = [[f"{row_title} {row} · {column_title} {column}" for column in columns] for row in rows]
        hovertext = [[verbatim(name) for name in names] for names in named]
        trace.update(hovertext=hovertext, hovertemplate="%{hovertext}: %{z:.3f}<extra></extra>")
    return trace


def _colorbar(value_title: str, height: int) -> dict:
    """A colour bar below the title of a figure, long enough for its own title."""
    return COLORBAR | dict(title_text=value_title, len=140 + 8 * len(value_title), y=1 - 30 / height)


def _angle(labels: Labels, width: float) -> int:
    """Angle of labels below cells, in degrees: level if all fit."""
    return 0 if 9 * max(len(str(label)) for label in labels) < width else -60


def _cell(rows: int, columns: int, space: float | int, least_width: int = 0) -> tuple[float, float]:
    """Width and height of a cell, in pixels."""
    width = max(least_width, min(LARGEST_CELL, space / columns))
    least = SMALL_CELL if rows > MANY_ROWS else SMALLEST_CELL
    height = CELL_OF_MANY if rows > MOST_TICKS else min(LARGEST_CELL, max(least, 120 / rows))
    return float(width), float(height)


def _keep_shape(figure: go.Figure, ratio: float) -> None:
    """Keep the ratio of a cell's width to its height, in the upper left corner."""
    figure.update_xaxes(scaleanchor="y", scaleratio=ratio, constrain="domain", constraintoward="left")
    figure.update_yaxes(constrain="domain", constraintoward="top")


def _add_borders(figure: go.Figure, rows: int, columns: int, causal: bool, **panel: int) -> go.Figure:
    """Draw the borders of all cells, or of those up to the diagonal, as one path."""
    if max(rows, columns) > MOST_TICKS:
        return figure
    path = []
    for row in range(rows + 1):
        end = min(row + 1, columns) if causal else columns
        path.append(f"M-0.5,{row - 0.5}H{end - 0.5}")
    for column in range(columns + 1):
        start = max(column - 1, 0) if causal else 0
        path.append(f"M{column - 0.5},{start - 0.5}V{rows - 0.5}")
    return figure.add_shape(type="path", path="".join(path), line=dict(width=1, color=LINE), **panel)
