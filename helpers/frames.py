"""Figures that change: recorded ones with a slider and a play button; live ones during training."""

from collections.abc import Iterable, Mapping

import plotly.graph_objects as go
from IPython.display import clear_output, display
from plotly.subplots import make_subplots

from helpers.theme import GREY, TEMPLATE

MILLISECONDS = 500  # that a frame stays


def play(figures: Mapping[str, go.Figure], slider_title: str, start: int = 0) -> go.Figure:
    """Return one figure that shows figures of the same form in turn, by a slider or a button.

    It begins at the one with the index ``start``. A frame holds only what differs between figures.

    >>> figures = {str(y): go.Figure(go.Scatter(y=[y]), dict(height=300)) for y in (1, 2)}
    >>> [frame.data[0].y for frame in play(figures, "training").frames]
    [(1,), (2,)]
    """
    shown = list(figures.values())[start]
    frames = [go.Frame(data=data, name=name) for name, data in zip(figures, _changing(figures.values()))]
    at_once = dict(mode="immediate", transition=dict(duration=0))
    steps = [
        dict(
            label=label, method="animate", args=[[label], at_once | dict(frame=dict(duration=0, redraw=True))]
        )
        for label in figures
    ]
    run = dict(fromcurrent=True, transition=dict(duration=0), frame=dict(duration=MILLISECONDS, redraw=True))
    buttons = [
        dict(label="▶ play", method="animate", args=[None, run]),
        dict(label="❚❚ stop", method="animate", args=[[None], at_once]),
    ]
    below = dict(yanchor="top", y=0, pad=dict(t=75))
    menu = dict(type="buttons", direction="left", showactive=False, buttons=buttons, x=0, xanchor="left")
    slider = dict(steps=steps, active=start % len(figures), x=0.3, len=0.7)
    slider["currentvalue"] = dict(prefix=f"{slider_title}: ")
    figure = go.Figure(shown.data, shown.layout, frames)
    figure.update_layout(updatemenus=[menu | below], sliders=[slider | below])
    return figure.update_layout(height=shown.layout.height + 110, margin_b=170)


def _changing(figures: Iterable[go.Figure]) -> list[list[dict]]:
    """Of the traces of every figure, all of one form, what is not the same in all figures."""
    traces = [[trace.to_plotly_json() for trace in figure.data] for figure in figures]
    changing = [
        {"type"}.union(key for trace in versions for key in trace if trace[key] != versions[0].get(key))
        for versions in zip(*traces, strict=True)
    ]
    return [
        [{key: trace[key] for key in trace if key in keys} for trace, keys in zip(of_one, changing)]
        for of_one in traces
    ]


def cursor(curves: go.Figure, x: float | int) -> go.Figure:
    """Return a line chart with a vertical line at ``x``, which ``play`` moves.

    >>> cursor(go.Figure(go.Scatter(y=[1, 3])), 1).data[1].y
    (1, 3)
    """
    heights = [y for curve in curves.data for y in curve.y]
    line = dict(x=[x, x], y=[min(heights), max(heights)], mode="lines", line=dict(color=GREY, width=2))
    return go.Figure(curves).add_scatter(**line, hoverinfo="skip", showlegend=False)


def beside(left: go.Figure, right: go.Figure, title: str) -> go.Figure:
    """Return one figure with two side by side.

    >>> line = go.Figure(go.Scatter(y=[1]), dict(title="loss", height=300))
    >>> len(beside(line, line, "two").data)
    2
    """
    titles = [part.layout.title.text for part in (left, right)]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.16)
    height = min(part.layout.height for part in (left, right)) + 60
    for column, part in enumerate((left, right), start=1):
        for trace in part.data:
            figure.add_trace(trace, row=1, col=column)
        for shape in part.layout.shapes:
            figure.add_shape(shape, row=1, col=column)
        figure.update_xaxes(part.layout.xaxis, col=column).update_yaxes(part.layout.yaxis, col=column)
        if part.layout.xaxis.scaleanchor:
            square = dict(scaleanchor=("y", "y2")[column - 1], scaleratio=1, tickangle=-60)
            figure.update_xaxes(**square, tickfont_size=11, col=column)
            figure.update_yaxes(tickfont_size=11, col=column)
        place = dict(x=figure.layout[("xaxis", "xaxis2")[column - 1]].domain[0], y=1 - 34 / height)
        figure.update_traces(colorbar=place, selector=dict(type="heatmap"), col=column)
    figure.update_layout(template=TEMPLATE, title=title, height=height, margin_t=120, showlegend=False)
    return figure.update_layout(meta=left.layout.meta)


def redraw(figure: go.Figure, fraction: float) -> None:
    """Draw a figure in place of the cell's output, under a bar for the ``fraction`` done, 0 to 1.

    The height of the output is reserved, so that nothing below it moves.
    """
    height = figure.layout.height + 60
    style = f"<style>.jp-OutputArea:has(progress) {{min-height: {height}px}}</style>"
    bar = (
        f'{style}<div><progress value="{fraction:.3f}" style="width: 300px"></progress> {fraction:.0%}</div>'
    )
    clear_output(wait=True)  # JupyterLab does not draw a plotly display again when it is updated
    display({"text/html": bar, "text/plain": f"{fraction:.0%}"}, raw=True)
    display(figure)
