"""The only place with a colour: palette and figure template of all figures, views and cards.

Colours are Okabe and Ito's, which most colour-blind people can tell apart. Zero is transparent, so
it has the colour of the page. The strongest colours are translucent too: dark text is legible on
them on a light page, and light text on a dark one. page.css gives figures the page's text colour.

>>> TEMPLATE.layout.font.color == GREY
True
"""

import sys

import plotly.graph_objects as go

GREY = "#767676"  # where no stylesheet sets the colour of text: 4.5:1 on white, 4.2:1 on a dark page
INK = "#333333"  # text of figures on paper
WHITE = "#ffffff"
ORANGE, BLUE, GREEN = "#d55e00", "#0072b2", "#009e73"
PALETTE = (BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
LINE = "rgba(127,127,127,0.35)"  # borders of cells, guides
STRONGEST = 0.75  # opacity of the ends of colour scales
PALE = 0.35  # opacity of what the text does not discuss
COLORBAR = dict(
    thickness=10,
    orientation="h",
    lenmode="pixels",
    x=0,
    xanchor="left",
    yref="container",  # a bar placed by the axes moves the figure's title out of sight
    yanchor="top",
    title_side="right",
    title_font_size=13,
    tickangle=0,
    nticks=4,
)
PASSED, FAILED, NOT_ATTEMPTED, NOTE = "#1b8a5a", "#c2571a", "#7a7a7a", "#3a78b8"  # edges of cards
WIDTH = 700  # of a figure, in pixels: that of a column of text
_PAGE = WHITE if "google.colab" in sys.modules else "rgba(0,0,0,0)"  # Colab's outputs get no stylesheet
_AXIS = dict(
    automargin=True,
    gridcolor="rgba(127,127,127,0.25)",
    zerolinecolor="rgba(127,127,127,0.5)",
    title_standoff=8,  # without it the title may stand on labels
)
_SPACE_AXIS = dict(gridcolor=GREY, gridwidth=1, zeroline=False, showbackground=False, tickfont_size=10)
_BUTTON = "rgba(127,127,127,0.15)"


def faded(colour: str, opacity: float | int) -> str:
    """Return a colour with an opacity from 0 to 1.

    >>> faded("#0072b2", 0.5)
    'rgba(0,114,178,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


SEQUENTIAL = [[0, faded(BLUE, 0)], [1, faded(BLUE, STRONGEST)]]
DIVERGING = [
    [0, faded(ORANGE, STRONGEST)],
    [0.5, faded(ORANGE, 0)],
    [0.5, faded(BLUE, 0)],
    [1, faded(BLUE, STRONGEST)],
]
ORDER = [[0, "#56b4e9"], [0.5, "#cc79a7"], [1, ORANGE]]  # of points: no colour is that of a page
TEMPLATE = go.layout.Template(
    layout=dict(
        autosize=False,
        width=WIDTH,
        font=dict(color=GREY, size=13),
        paper_bgcolor=_PAGE,
        plot_bgcolor="rgba(0,0,0,0)",
        margin=dict(l=70, r=20, t=50, b=60),
        title=dict(x=0.02, y=1, yanchor="top", pad=dict(t=14), font=dict(size=15)),
        legend=dict(orientation="h", x=0, y=1, yanchor="bottom"),
        xaxis=_AXIS,
        yaxis=_AXIS,
        scene=dict(xaxis=_SPACE_AXIS, yaxis=_SPACE_AXIS, zaxis=_SPACE_AXIS),
        updatemenudefaults=dict(bgcolor=_BUTTON),
        sliderdefaults=dict(bgcolor=_BUTTON),
    )
)


def shade(value: float, largest: float) -> str:
    """Blue for a value above 0, orange for a value below; opacity grows with |value| / largest.

    >>> shade(-0.5, largest=1.0)
    '#d55e0064'
    """
    return f"{BLUE if value >= 0 else ORANGE}{round(200 * abs(value) / largest):02x}"
