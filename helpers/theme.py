"""The only place with a colour: palette, ink and figure template of all figures, views and cards.

Colours are Okabe and Ito's, which most colour-blind people can tell apart, and legible on light and on dark pages.
"""

import plotly.graph_objects as go

GREY = "#7f7f7f"  # legible on white and on black
ORANGE, BLUE, GREEN = "#d55e00", "#0072b2", "#009e73"
PALETTE = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
SEQUENTIAL = "Blues"
DIVERGING = [[0, ORANGE], [0.5, "#ffffff"], [1, BLUE]]
PASSED, FAILED, NOT_ATTEMPTED, NOTE = "#1b8a5a", "#c2571a", "#7a7a7a", "#3a78b8"  # the edge of a card
_AXIS = dict(automargin=True, gridcolor="rgba(127,127,127,0.25)", zerolinecolor="rgba(127,127,127,0.5)")
TEMPLATE = go.layout.Template(
    layout=dict(
        font=dict(color=GREY, size=13),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin=dict(l=70, r=20, t=50, b=60),
        title=dict(x=0.02, font=dict(size=15)),
        xaxis=_AXIS,
        yaxis=_AXIS,
    )
)
