"""The circuit diagram: roles above the positions where they work, and arrows of measured width.

Positions stand from left to right, each with its residual stream as a vertical line. A role is a
box on the stream to which its heads write. The figure follows Wang et al. 2022, "Interpretability
in the Wild", figure 2.
"""

import inspect
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from helpers.page_data import ticks, verbatim
from helpers.theme import BLUE, GREY, LINE, ORANGE, TEMPLATE, WIDTH

ANSWER = "logits"  # where arrows that leave the last role end
ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN = 104, 90, 58, 70  # pixels
LETTER = 7  # width of a label's letter, in pixels
MOST_NAMED = 3  # heads that a box names; of more it gives their number

Point = tuple[int | float, int | float]


class Role(NamedTuple):
    """A box: the position where its heads work, their layer, and their names."""

    position: str
    layer: int
    heads: Sequence[object] = ()


class Arrow(NamedTuple):
    """An arrow from a position, whose stream is read, or from a role, to a role or to ``ANSWER``.

    ``size`` is the width as a fraction of the widest arrow's. ``colour``, such as that of a sign,
    replaces the colour of its kind.
    """

    start: str
    end: str
    size: float = 0.3
    label: str = ""
    unsupported: bool = False
    colour: str = ""


def circuit_diagram(
    positions: Sequence[str],
    roles: Mapping[str, Role],
    arrows: Sequence[Arrow],
    title: str,
    layers: bool = True,
    note: str = "",
) -> go.Figure:
    """Roles as boxes over positions; arrows from positions in blue, from roles in orange.

    Arrows that the measures do not show are grey and dashed. ``layers`` names the layers at the
    vertical axis. ``note`` is a sentence above, for a diagram without arrows.

    >>> roles = {"induction": Role("B", 1, ["1.0"])}
    >>> figure = circuit_diagram(["A", "B"], roles, [Arrow("A", "induction", 0.9)], "Induction")
    >>> figure.data[0].meta
    'A → induction'
    """
    layout = _Layout(positions, roles, arrows)
    figure = go.Figure(
        layout=dict(
            template=TEMPLATE, title=title, meta=_kind(arrows), margin=dict(l=MARGIN, t=75 if note else 50)
        )
    )
    for position in positions:
        for low, high in layout.stream(position):
            x = layout.x(position)
            figure.add_shape(type="path", path=f"M {x} {low} L {x} {high}", line_color=LINE, layer="below")
    for arrow in arrows:
        figure.add_trace(_trace(arrow, layout.path(arrow), arrow.start in roles))
        if arrow.label:
            x, y = layout.label(arrow)
            side = "middle right" if arrow.start in roles else "bottom right"
            text = dict(text=[verbatim(arrow.label)], textposition=side, textfont_size=12, cliponaxis=False)
            figure.add_scatter(x=[x], y=[y], mode="text", hoverinfo="skip", showlegend=False, **text)
    for name, center in layout.boxes.items():
        heads = roles[name].heads if name in roles else ()
        figure.add_annotation(x=center[0], y=center[1], text=_box_text(name, heads), **_box())
    if note:
        above = dict(x=(len(positions) - 1) / 2, y=layout.top, yanchor="bottom", font_size=15)
        figure.add_annotation(text=verbatim(note), showarrow=False, **above)
    figure.add_scatter(x=list(range(len(positions))), y=[0] * len(positions), mode="markers")
    figure.data[-1].update(marker=dict(size=14, color=GREY), hoverinfo="skip", showlegend=False)
    named = {row: f"layer {layer}" for layer, row in layout.rows.items()} if layers else {}
    figure.update_xaxes(**ticks(positions), title="position", range=layout.x_range)
    figure.update_yaxes(tickvals=list(named), ticktext=list(named.values()), showgrid=False, zeroline=False)
    figure.update_yaxes(range=[-0.2, layout.top])
    return figure.update_layout(height=round(ROW * (layout.top + 0.2)) + 135)


def answered_pairs(answer: Callable, positions: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Pairs of positions that a learner's function returns, right or wrong; none if it raises.

    The function may stand under an @exercise line, which would call the solution in its place.

    >>> answered_pairs(lambda: {"name mover": ("END", "IO"), "induction": ("", "")}, ["IO", "END"])
    {'name mover': ('END', 'IO')}
    """
    try:
        returned = inspect.unwrap(answer)()
    except Exception:
        return {}
    pairs = returned.items() if isinstance(returned, dict) else ()
    return {job: tuple(pair) for job, pair in pairs if _is_pair(pair, positions)}


def _is_pair(pair: object, positions: Sequence[str]) -> bool:
    is_long_enough = isinstance(pair, tuple | list) and len(pair) == 2
    return is_long_enough and all(isinstance(end, str) and end in positions for end in pair)


class _Layout:
    """Where boxes and arrows are: columns of positions, rows of layers, one unit apart."""

    def __init__(self, positions: Sequence[str], roles: Mapping[str, Role], arrows: Sequence[Arrow]):
        self.positions, self.roles, self.arrows = list(positions), roles, arrows
        for name, role in roles.items():
            if role.position not in self.positions:
                raise ValueError(
                    f"expected a position among {', '.join(positions)} for {name}, got {role.position!r}."
                )
        self.boxes: dict[str, Point] = {}
        self.rows: dict[int, float] = {}
        row = 0
        for layer in sorted({role.layer for role in roles.values()}):
            count = Counter()  # roles of one layer at one position stand above each other
            for name, role in roles.items():
                if role.layer == layer:
                    count[role.position] += 1
                    self.boxes[name] = (self.x(role.position), row + count[role.position])
            self.rows[layer] = row + (1 + max(count.values())) / 2
            row += max(count.values())
        answered = any(arrow.end == ANSWER for arrow in arrows)
        if answered:
            row += 1
            self.boxes[ANSWER] = (len(self.positions) - 1, row)
        self.top = max(row + 0.4, 1)
        self.x_range = [-0.6, len(self.positions) + (0.75 if answered else -0.4)]
        self.pixels = (WIDTH - MARGIN - 20) / (self.x_range[1] - self.x_range[0])  # between two streams
        self.half_width, self.half_height = BOX_WIDTH / self.pixels / 2, BOX_HEIGHT / ROW / 2
        self.lanes: dict[Arrow, float] = {}  # heights at which reads cross the streams, below their boxes
        reads = [arrow for arrow in arrows if arrow.start in self.positions and arrow.end in self.boxes]
        of_row, count = Counter(self.boxes[read.end][1] for read in reads), Counter()
        for arrow in sorted(reads, key=lambda read: -abs(self.x(read.start) - self.boxes[read.end][0])):
            _, y = self.boxes[arrow.end]
            self.lanes[arrow] = y - 0.43 - min(0.2, 0.4 / of_row[y]) * count[y]
            count[y] += 1
        between = [arrow for arrow in arrows if arrow.start in self.boxes and arrow.end in self.boxes]
        self.leaves = self._spread(between, lambda arrow: arrow.start, lambda arrow: arrow.end)
        self.enters = self._spread(between, lambda arrow: arrow.end, lambda arrow: arrow.start)

    def _spread(self, arrows: Sequence[Arrow], own: Callable, other: Callable) -> dict[Arrow, float]:
        """Height of each arrow at a box's side, from its middle, in the order of the other ends."""
        heights = {}
        for box in self.boxes:
            at_box = sorted(
                (arrow for arrow in arrows if own(arrow) == box),
                key=lambda arrow: self.boxes[other(arrow)][1],
            )
            gap = 1.2 * self.half_height / max(len(at_box), 3)
            heights |= {arrow: gap * (i - (len(at_box) - 1) / 2) for i, arrow in enumerate(at_box)}
        return heights

    def x(self, position: str) -> int:
        return self.positions.index(position)

    def stream(self, position: str) -> list[Point]:
        """Lower and upper ends of a position's stream, which boxes interrupt."""
        heights = sorted(y for x, y in self.boxes.values() if x == self.x(position))
        lows = [0, *(y + self.half_height for y in heights)]
        highs = [*(y - self.half_height for y in heights), self.top]
        is_last = ANSWER in self.boxes and self.x(position) == len(self.positions) - 1
        return list(zip(lows, highs))[: -1 if is_last else None]

    def path(self, arrow: Arrow) -> list[Point]:
        """Points of an arrow, along a cubic curve."""
        start, controls, end = self._curve(arrow)
        steps = [i / 24 for i in range(25)]
        weights = [((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3) for t in steps]
        corners = (start, *controls, end)
        return [tuple(sum(w * c[axis] for w, c in zip(row, corners)) for axis in (0, 1)) for row in weights]

    def label(self, arrow: Arrow) -> Point:
        """Left end of an arrow's label: below a read's start, beside a path near its sender."""
        path = self.path(arrow)
        if arrow.start in self.roles:
            middle = path[len(path) // 4]
            places = [(x + 0.1, y) for x, y in sorted(path, key=lambda point: math.dist(point, middle))]
            crossing = [point for other in self.arrows if other != arrow for point in self.path(other)]
            free = [place for place in places if self._is_free(place, arrow.label, [])]
            clear = [place for place in free if self._is_free(place, arrow.label, crossing)]
            return [*clear, *free, *places][0]
        return min(path[0][0], path[-1][0]) + 0.06, path[0][1] - 0.05 - 0.03 * arrow.size

    def _is_free(self, place: Point, label: str, points: Sequence[Point]) -> bool:
        """Whether a label at a place touches no box, no read and none of the points."""
        left, y = place
        right = left + LETTER * len(label) / self.pixels
        spans = [
            (at - self.half_width, at + self.half_width, up, self.half_height)
            for at, up in self.boxes.values()
        ]
        for read, lane in self.lanes.items():
            low, high = sorted([self.x(read.start), self.boxes[read.end][0]])
            spans.append((low, high, lane, 0.03))
        spans += [(at - 0.05, at + 0.05, up, 0.03) for at, up in points]
        return all(
            right < low or high < left or abs(y - up) > half_height + 0.09
            for low, high, up, half_height in spans
        )

    def _curve(self, arrow: Arrow) -> tuple[Point, tuple[Point, Point], Point]:
        """Start, both control points and end of an arrow."""
        for name, known in ((arrow.start, [*self.positions, *self.boxes]), (arrow.end, [*self.boxes])):
            if name not in known:
                raise ValueError(f"expected a position or a role among {', '.join(known)}, got {name!r}.")
        x, y = self.boxes[arrow.end]
        if arrow.start not in self.roles:  # leaves the stream below the box, and enters it from there
            key, lane = self.x(arrow.start), self.lanes[arrow]
            if key == x:
                return (key, lane - 0.15), ((key, lane), (key, lane)), (x, y - self.half_height)
            side = self.half_width if key > x else -self.half_width
            return (key, lane), ((x + side, lane), (x + side / 2, lane)), (x + side / 2, y - self.half_height)
        from_x, from_y = self.boxes[arrow.start]
        between = [name for name, (at, up) in self.boxes.items() if at == x and from_y < up < y]
        if from_x == x and not between:
            at = x + self.half_width / 2
            return (
                (at, from_y + self.half_height),
                ((at, from_y + 0.4), (at, y - 0.4)),
                (at, y - self.half_height),
            )
        out = max(x, from_x) + self.half_width + 0.95
        side = self.half_width if from_x >= x else -self.half_width
        turn = out if from_x == x else (from_x + x) / 2
        from_y, y = from_y + self.leaves[arrow], y + self.enters[arrow]
        return (from_x + self.half_width, from_y), ((turn, from_y), (turn, y)), (x + side, y)


def _trace(arrow: Arrow, path: Sequence[Point], from_role: bool) -> go.Scatter:
    """An arrow with a dot at its start; hovering shows its label."""
    colour = GREY if arrow.unsupported else arrow.colour or (ORANGE if from_role else BLUE)
    width, inner = 1.5 + 6.5 * min(1.0, arrow.size), len(path) - 2
    line = dict(color=colour, width=width, simplify=False, dash="dash" if arrow.unsupported else "solid")
    symbols, sizes = ["circle", *["arrow"] * (inner + 1)], [width + 5, *[0] * inner, 9 + 1.5 * width]
    marker = dict(symbol=symbols, size=sizes, angleref="previous", color=colour, opacity=1, line_width=0)
    name = verbatim(f"{arrow.start} → {arrow.end}")
    remark = " (not shown by the measures)" if arrow.unsupported else ""
    hover = f"{name} {verbatim(arrow.label)}{remark}<extra></extra>"
    x, y = zip(*path)
    return go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        line=line,
        marker=marker,
        meta=name,
        hovertemplate=hover,
        showlegend=False,
    )


def _kind(arrows: Sequence[Arrow]) -> str:
    """What the figure's alternative text says of its arrows."""
    widest = max(arrows, key=lambda arrow: arrow.size, default=None)
    if widest is None:
        return "Diagram without arrows"
    grey = sum(arrow.unsupported for arrow in arrows)
    return (
        f"Diagram of {len(arrows)} arrows{f', {grey} of them unsupported' if grey else ''}, "
        f"the widest from {widest.start} to {widest.end}"
    )


def _box_text(name: str, heads: Sequence[object]) -> str:
    """The name of a role, in several lines if it is long, and its heads."""
    lines = textwrap.wrap(name, 13)
    few = ", ".join(map(str, heads)) if len(heads) <= MOST_NAMED else f"{len(heads)} heads"
    return "<br>".join(verbatim(line) for line in (*lines, few) if line)


def _box() -> dict:
    """Looks of a box."""
    size = dict(width=BOX_WIDTH - 8, height=BOX_HEIGHT - 8, borderpad=3, font_size=12)
    return dict(showarrow=False, bordercolor=GREY, bgcolor="rgba(127,127,127,0.12)", **size)
