"""The only place with a colour: palette and figure template of all figures, views and cards.

Colours are Okabe and Ito's, which most colour-blind people can tell apart. They are legible on
light and on dark pages.

>>> TEMPLATE.layout.font.color == GREY
True
"""

import plotly.graph_objects as go

GREY = "#7f7f7f"  # text and axes: legible on white and on black
INK = "#333333"  # text of figures on paper
WHITE = "#ffffff"
ORANGE, BLUE, GREEN = "#d55e00", "#0072b2", "#009e73"
PALETTE = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
SEQUENTIAL = "Blues"
DIVERGING = [[0, ORANGE], [0.5, WHITE], [1, BLUE]]
COLORBAR = dict(
    thickness=10, orientation="h", lenmode="pixels", len=220, x=0, xanchor="left", y=1, yanchor="bottom"
)
PASSED, FAILED, NOT_ATTEMPTED, NOTE = "#1b8a5a", "#c2571a", "#7a7a7a", "#3a78b8"  # edges of cards
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


def shade(value: float, largest: float) -> str:
    """Blue for a value above 0, orange for a value below; opacity grows with |value| / largest.

    >>> shade(-0.5, largest=1.0)
    '#d55e0064'
    """
    return f"{BLUE if value >= 0 else ORANGE}{round(200 * abs(value) / largest):02x}"
