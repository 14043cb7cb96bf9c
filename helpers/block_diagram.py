"""The block diagram: the residual stream, and the parts that read it and add to it.

Several models stand beside each other, so that one sees where they differ: where positions enter,
where the stream is normalized, what follows attention. The drawing follows Elhage et al. 2021, "A
Mathematical Framework for Transformer Circuits".
"""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from helpers.components import Part
from helpers.page_data import verbatim
from helpers.theme import BLUE, GREY, ORANGE, TEMPLATE, WIDTH

ROW, BOX_HEIGHT, MARGIN = 118, 90, 20  # pixels
STREAM, BESIDE = 24, 94  # from a column's left edge to its stream, and to the boxes beside it


def block_diagram(models: Mapping[str, Sequence[Part]], title: str) -> go.Figure:
    """One column per model, from the embedding at the bottom to the unembedding at the top.

    Blue arrows leave the stream where a part reads it, and return where its output is added. An
    orange frame marks where positions enter. Coordinates are pixels.

    >>> parts = [Part("embedding", ["W_E"]), Part("unembedding", ["W_U"])]
    >>> figure = block_diagram({"toy": parts}, "A block")
    >>> [note.text for note in figure.layout.annotations if note.text][:2]
    ['<b>toy</b>', '<b>embedding</b><br>W_E']
    """
    if not models:
        raise ValueError('expected one model or more, got none: give {"name": block_parts(model)}.')
    width = min((WIDTH - 2 * MARGIN) // len(models), 300)
    height = ROW * max(len(parts) for parts in models.values())
    figure = go.Figure(layout=dict(template=TEMPLATE, title=title, meta="Diagram"))
    for column, (name, parts) in enumerate(models.items()):
        _add_column(figure, name, parts, column * width, width - 16)
    figure.add_scatter(x=[0], y=[0], mode="markers", opacity=0, hoverinfo="skip", showlegend=False)
    figure.update_xaxes(range=[-2, WIDTH - 2 * MARGIN], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-2, height + 20], visible=False, fixedrange=True)
    return figure.update_layout(height=height + 70, margin=dict(l=MARGIN, r=MARGIN, t=45, b=5))


def _add_column(figure: go.Figure, name: str, parts: Sequence[Part], left: int, width: int) -> None:
    stream, top = left + STREAM, ROW * (len(parts) - 1)
    figure.add_annotation(
        text=f"<b>{verbatim(name)}</b>", x=left, y=top + BOX_HEIGHT + 14, **_text(), font_size=14
    )
    figure.add_annotation(x=stream, ax=stream, y=top, ay=BOX_HEIGHT, **_arrow(GREY, 4))
    rows = [row for row, part in enumerate(parts) if part.layers]
    if rows:
        frame = dict(x0=left, x1=left + width, y0=ROW * rows[0] - 20, y1=ROW * rows[-1] + BOX_HEIGHT + 4)
        figure.add_shape(type="rect", **frame, line=dict(color=GREY, dash="dot", width=1))
        inside = dict(x=left + width - 4, y=ROW * rows[0] - 11, xanchor="right", font_size=12)
        figure.add_annotation(text=f"{parts[rows[0]].layers} layers", **_text() | inside)
    for row, part in enumerate(parts):
        start = left + (BESIDE if part.layers else 0)
        _add_box(figure, part, start, ROW * row, left + width - (8 if part.layers else 0))
        if part.layers:
            low, high = ROW * row + 12, ROW * row + BOX_HEIGHT - 14
            figure.add_annotation(x=start, ax=stream, y=low, ay=low, **_arrow(BLUE, 2))
            figure.add_annotation(x=stream + 3, ax=start, y=high, ay=high, **_arrow(BLUE, 2))
            figure.add_annotation(text="+", x=stream - 18, y=high, **_text(), font_size=18)
            figure.add_annotation(text=part.reads, x=stream + 4, y=low + 10, **_text(), font_size=11)


def _add_box(figure: go.Figure, part: Part, left: int, bottom: int, right: int) -> None:
    corners = dict(x0=left, x1=right, y0=bottom, y1=bottom + BOX_HEIGHT)
    figure.add_shape(type="rect", **corners, line_color=GREY, fillcolor="rgba(127,127,127,0.12)")
    lines = [f"<b>{verbatim(part.name)}</b>", *map(verbatim, part.lines)]
    figure.add_annotation(
        text="<br>".join(lines),
        x=left + 4,
        y=bottom + BOX_HEIGHT,
        **_text() | dict(yanchor="top"),
        font_size=12,
    )
    if part.position:
        below = dict(x=left + 2, y=bottom + 2, yanchor="bottom", font_size=11)
        below |= dict(bordercolor=ORANGE, borderwidth=2, borderpad=1)
        figure.add_annotation(text=verbatim(part.position), **_text() | below)


def _text() -> dict:
    return dict(showarrow=False, xanchor="left", yanchor="middle", align="left")


def _arrow(colour: str, width: int) -> dict:
    axes = dict(xref="x", yref="y", axref="x", ayref="y")
    return axes | dict(
        text="", showarrow=True, arrowcolor=colour, arrowwidth=width, arrowhead=2, arrowsize=0.8
    )
