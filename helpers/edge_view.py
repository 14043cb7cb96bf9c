"""The edge view: components of a model, and the connections that a circuit of edges keeps.

Automatic circuit discovery scores every edge (Conmy et al. 2023, "Towards Automated Circuit
Discovery"). edge_view.js draws them; a page that runs no script keeps a still image.
"""

import base64
import html
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from IPython.display import HTML

from helpers.page_data import VERBATIM_CLASSES, check_drawable, fresh_id, safe_json, view_script
from helpers.theme import BLUE, INK, ORANGE, WHITE

PORTS = {"q": -0.12, "k": 0.0, "v": 0.12, "": 0.0}  # where an edge enters a node, in columns
ENOUGH = 0.8  # of the metric: the smallest circuit that keeps so much is drawn at the start
WIDTH, ROW = 1000, 100  # of the still image, in pixels


class Connection(NamedTuple):
    """An edge from a sender to a receiver's port ("" of an MLP or the logits), with its score."""

    sender: int
    receiver: int
    port: str
    score: float


@dataclass(frozen=True)
class EdgeGraph:
    """A model's components and the strongest edges between them: all that the edge view shows.

    - ``nodes``: "embedding", "0.1", "mlp 0", "logits"; ``roles``: what a measure calls them, or "".
    - ``heights``: row of each node, from 0 upward; nodes of one row stand beside each other.
    - ``connections``: the largest |score| first.
    - ``kept[i]``, ``removed[i]``: faithfulness when only the first ``sizes[i]`` connections are
      kept, and when exactly these are removed; 0 for corrupted prompts, 1 for clean ones.
    - ``without[node]``: faithfulness of the full model without the node; None if not measured.
    """

    nodes: list[str]
    heights: list[int | float]
    roles: list[str]
    connections: list[Connection]
    sizes: list[int]
    kept: list[int | float]
    removed: list[int | float]
    without: list[int | float | None]


def edge_view(
    graph: EdgeGraph,
    size: int | None = None,
    ablated: str | None = None,
    value_title: str = "logit difference",
) -> HTML:
    """Draw a graph of edges; a slider chooses how many are kept, a click or Enter ablates a node.

    ``size``: the number of connections kept at the start; unless given, the smallest measured one
    that keeps 80 % of the metric, or else all. ``ablated``: name of the node that starts ablated.
    Raises ``ValueError`` for lists that do not fit together and for numbers that are not finite.

    >>> edges = [Connection(0, 1, "v", 0.9), Connection(1, 2, "", -0.4)]
    >>> names, without = ["embedding", "0.0", "logits"], [None, 0.1, None]
    >>> edge_view(EdgeGraph(names, [0, 1, 2], [""] * 3, edges, [2], [0.9], [0.1], without))
    <IPython.core.display.HTML object>
    """
    without = [None if value is None or value != value else value for value in graph.without]  # no NaN
    _check(graph := replace(graph, without=without))
    count = len(graph.connections)
    enough = [n for n, kept in zip(graph.sizes, graph.kept) if kept >= ENOUGH and n <= count]
    size = [*enough, count][0] if size is None else size
    if size not in range(count + 1):
        raise ValueError(f"expected a size from 0 to {count}, the number of edges, got {size}.")
    if ablated is not None and ablated not in graph.nodes:
        raise ValueError(f"expected a node among {', '.join(graph.nodes)}, got {ablated!r}.")
    node = None if ablated is None else graph.nodes.index(ablated)
    start = dict(size=int(size), ablated=node, title=value_title, colours=dict(above=BLUE, below=ORANGE))
    places = _places(graph)
    curves = [(*edge[:3], float(f"{edge.score:.3g}"), *_curve(places, edge)) for edge in graph.connections]
    data = safe_json(vars(graph) | dict(places=places, connections=curves) | start)
    view_id = fresh_id(data)
    edges = [edge for edge in graph.connections[:size] if node not in edge[:2]]
    still = base64.b64encode(_still(graph, edges).encode()).decode()
    return HTML(
        f'<div id="{view_id}" class="{VERBATIM_CLASSES}"><p>Run this cell to explore the picture.</p>'
        f'<img alt="{html.escape(_description(graph, edges, start))}" style="max-width: 100%" '
        f'src="data:image/svg+xml;base64,{still}"></div>' + view_script("edge_view", view_id, data)
    )


def _check(graph: EdgeGraph) -> None:
    """Refuse lists of unequal lengths, numbers that are not finite, and edges that lead nowhere."""
    nodes, heights, sizes = len(graph.nodes), graph.heights, graph.sizes
    lengths = [len(values) for values in (heights, graph.roles, graph.without)]
    if lengths != [nodes] * 3:
        raise ValueError(f"expected heights, roles and without for {nodes} nodes, got lengths {lengths}.")
    if not len(sizes) == len(graph.kept) == len(graph.removed) or sizes != sorted(sizes):
        found = f"{sizes}, {graph.kept} and {graph.removed}"
        raise ValueError(f"expected ascending sizes, and a kept and a removed value of each, got {found}.")
    scores = [edge.score for edge in graph.connections]
    numbers = [*scores, *heights, *graph.kept, *graph.removed, *filter(None, graph.without)]
    check_drawable(torch.tensor(numbers, dtype=torch.double))
    for edge in graph.connections:
        known = {edge.sender, edge.receiver} <= {*range(nodes)} and edge.port in PORTS
        if not known or heights[edge.sender] >= heights[edge.receiver]:
            raise ValueError(f"expected edges to a higher node, with port q, k, v or none, got {edge}.")


def _places(graph: EdgeGraph) -> list[tuple]:
    """Height of each node in rows, its centre in columns, and the number of columns that it spans.

    The lowest and the highest row are bars, so that every node stands right above or below them.
    MLPs have a column of their own at the right, between the rows of heads.
    """
    nodes = range(len(graph.nodes))
    rows = [[i for i in nodes if graph.heights[i] == height] for height in sorted(set(graph.heights))]
    inner = [[i for i in row if not graph.nodes[i].startswith("mlp")] for row in rows[1:-1]]
    columns = max([1, *map(len, inner)])
    total = columns + (inner != rows[1:-1])
    heads, places, at = [[], *inner, []], {}, 0.0
    for k, row in enumerate(rows):
        is_bar = k in (0, len(rows) - 1)
        at += 0 if k == 0 else 1 if is_bar or k == 1 or bool(heads[k]) == bool(heads[k - 1]) else 0.5
        for i, node in enumerate(row):
            x = (columns - len(heads[k])) / 2 + heads[k].index(node) if node in heads[k] else columns
            span = total / len(row)
            places[node] = (at, span * (i + 0.5), span) if is_bar else (at, x + 0.5, 0.0)
    return [places[i] for i in nodes]


def _curve(places: list[tuple], edge: Connection) -> tuple[float, float, float]:
    """Where an edge starts and ends, and how far it bends aside of nodes between, in columns."""
    (low, start, start_span), (high, end, end_span) = places[edge.sender], places[edge.receiver]
    if end_span:  # a bar is entered above the sender, and left below the receiver
        aim = 0 if start_span else start
        end += min(max(aim - end, 0.1 - end_span / 2), end_span / 2 - 0.1)
    end += PORTS[edge.port]
    if start_span:
        start += min(max(end - start, 0.1 - start_span / 2), start_span / 2 - 0.1)
    bends = abs(end - start) < 0.5 and high - low > 1 and not (start_span and end_span)
    side = 1 if end_span or edge.port == "v" else -1
    return round(start, 2), round(end, 2), round(bends * side * (0.35 + 0.03 * (high - low)), 2)


def _on_paths(graph: EdgeGraph, edges: list[Connection]) -> list[bool]:
    """For each edge: True if a path from the lowest row to the highest uses it."""
    row = graph.heights
    reached, used = ({i for i, height in enumerate(row) if height == end(row)} for end in (min, max))
    for edge in sorted(edges, key=lambda edge: row[edge.sender]):
        reached |= {edge.receiver} if edge.sender in reached else set()
    for edge in sorted(edges, key=lambda edge: -row[edge.receiver]):
        used |= {edge.sender} if edge.receiver in used else set()
    return [edge.sender in reached and edge.receiver in used for edge in edges]


def _description(graph: EdgeGraph, edges: list[Connection], start: dict) -> str:
    """The state of the view at the start, in words: the text for readers who see no picture."""
    names, size, title = graph.nodes, start["size"], start["title"]
    aside = len(edges) - sum(_on_paths(graph, edges))
    words = f"{len(names)} components and the {size} strongest of {len(graph.connections)} edges. "
    words += f"{aside} of those drawn lie on no path from the lowest row to the highest. "
    if graph.sizes:
        n, kept, removed = min(zip(graph.sizes, graph.kept, graph.removed), key=lambda m: abs(m[0] - size))
        words += f"Faithfulness ({title}) with only {n}: {kept:.0%}, without them {removed:.0%}. "
    if start["ablated"] is not None:
        value = graph.without[start["ablated"]]
        words += f"The full model without {names[start['ablated']]}: {'not measured' if value is None else f'{value:.0%}'}. "
    strongest = ", ".join(f"{names[s]} → {names[r]} {port} {score:.2g}" for s, r, port, score in edges[:5])
    return f"{words}The strongest: {strongest or 'none'}.".replace("  ", " ")


def _still(graph: EdgeGraph, edges: list[Connection]) -> str:
    """The view at the start as an SVG image: nodes, and the connections that are kept."""
    places, lines, parts = _places(graph), {}, []  # lines: the paths of each look
    step = WIDTH / sum(span for row, _, span in places if row == 0)
    heights = [round(40 + ROW * (max(places)[0] - row)) for row, _, _ in places]  # y grows downward
    largest = max((abs(edge.score) for edge in graph.connections), default=0) or 1
    for edge, on_path in zip(edges, _on_paths(graph, edges)):
        start, end, bend = (round(step * x) for x in _curve(places, edge))
        low, high = heights[edge.sender] - 13, heights[edge.receiver] + 13
        width, third = round(1 + 6 * abs(edge.score) / largest), (low - high) // 3
        look = f'stroke="{BLUE if edge.score >= 0 else ORANGE}" stroke-width="{width}"'
        look += "" if on_path else ' stroke-dasharray="4"'
        path = f"M{start} {low}C{start + bend} {low - third} {end + bend} {high + third} {end} {high}"
        lines[look] = path + lines.get(look, "")
    active = {node for edge in edges for node in edge[:2]}
    for node, (_, center, span) in enumerate(places):
        half, y, name = step * span / 2 - 4 if span else 21, heights[node], graph.nodes[node][:10]
        box = f'x="{step * center - half:.0f}" y="{y - 13}" width="{2 * half:.0f}" height="26"'
        look = f'fill="{WHITE}" stroke="{INK}" stroke-opacity="{1 if node in active else 0.3}"'
        parts += [f'<rect {box} {look}/><text x="{step * center:.0f}" y="{y + 4}">{html.escape(name)}</text>']
    parts[:0] = [f'<path d="{path}" {look}/>' for look, path in reversed(lines.items())]
    size = f'viewBox="0 0 {WIDTH} {max(heights) + 40}" width="{WIDTH}" height="{max(heights) + 40}"'
    style = f"path{{fill:none;opacity:.6}}text{{font:12px sans-serif;text-anchor:middle;fill:{INK}}}"
    page = f'<style>{style}</style><rect width="100%" height="100%" fill="{WHITE}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{page}{"".join(parts)}</svg>'
