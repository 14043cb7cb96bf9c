"""The only place with a colour: palette and figure template of all figures, views and cards.

Colours are Okabe and Ito's, which most colour-blind people can tell apart. They are legible on
light and on dark pages.

>>> TEMPLATE.layout.font.color == GREY
True
"""

import html
from collections.abc import Sequence

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
MOST_TICKS = 60  # labels that an axis has room for
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


def verbatim(label: object) -> str:
    """A label that plotly, which reads some HTML, shows verbatim and in one line.

    >>> verbatim("<b>")
    '&lt;b&gt;'
    """
    return html.escape(str(label), quote=False).replace("\n", "⏎")


def ticks(labels: Sequence[object]) -> dict:
    """Axis settings that name the positions 0, 1, … by their labels.

    Of more than ``MOST_TICKS`` labels those of each layer's head 0 are shown, or where there are
    no heads, some at equal distances.

    >>> ticks([f"{layer}.{head}" for layer in range(12) for head in range(12)])["ticktext"][:3]
    ['0.0', '1.0', '2.0']
    """
    shown = range(len(labels))
    if len(labels) > MOST_TICKS:
        first_heads = [place for place in shown if str(labels[place]).endswith(".0")]
        shown = first_heads or shown[:: 1 + len(labels) // MOST_TICKS]
    named = dict(tickvals=list(shown), ticktext=[verbatim(labels[place]) for place in shown])
    return dict(**named, showgrid=False, zeroline=False, ticklabeloverflow="allow")
