"""The circuit view: heads above a text, what each reads, and what changes when it is ablated.

``helpers.circuit_graph.read_circuit`` makes the data. circuit_view.js draws them, with no kernel
and no network. A page that runs no script keeps a still image. In the explorer the view also tells
the kernel what is chosen in it, and hears what is chosen elsewhere.
"""

import base64
import html
from dataclasses import dataclass
from typing import NamedTuple

from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from helpers.page_data import VERBATIM_CLASSES, check_drawable, fresh_id, rounded, safe_json, view_script
from helpers.theme import BLUE, GREY, INK, ORANGE, WHITE

LEAST_WEIGHT = 0.1  # of attention that is drawn
MEASURES = ("attention", "attention × output norm", "effect on the prediction")
WIDTH, LAYER_HEIGHT = 1000, 84  # of the still image, in pixels


class Edge(NamedTuple):
    """An edge, and how far the log-probability of the likeliest token falls without it.

    ``head`` counts the shown heads; ``effects`` are those at the query's position and after it, and
    empty if they were not measured.
    """

    head: int
    query: int
    key: int
    effects: list[float]


class Read(NamedTuple):
    """What one shown head reads of an earlier one through a port, on one edge."""

    receiver: int
    sender: int
    port: str
    query: int
    key: int
    strength: float


@dataclass(frozen=True)
class Circuit:
    """One text in a model: everything that the circuit view shows.

    - ``heads``: names such as "1.2"; ``roles``: what a measure calls them, or "".
    - ``sizes``: attention × the norm of what the head moves from the key.
    - ``logit_lens[layer][pos]``: the likeliest token before each layer, and at the end.
    - ``candidates[pos]``: the likeliest next tokens; ``without[head]``: their probabilities without
      the head; ``likeliest_without[head][pos]``: the likeliest token without it.
    """

    tokens: list[str]
    heads: list[str]
    roles: list[str]
    attention: Float[Tensor, "head query key"]
    sizes: Float[Tensor, "head query key"]
    edges: list[Edge]
    reads: list[Read]
    logit_lens: list[list[str]]
    lens_probabilities: Float[Tensor, "layer pos"]
    candidates: list[list[str]]
    probabilities: Float[Tensor, "pos candidate"]
    without: Float[Tensor, "head pos candidate"]
    likeliest_without: list[list[str]]
    probability_without: Float[Tensor, "head pos"]


def circuit_view(
    circuit: Circuit,
    position: int | None = None,
    measure: str = "attention",
    head: str | None = None,
    ablated: str | None = None,
) -> HTML:
    """Draw a circuit; clicks, the pointer and keys choose a position, a head and an ablation.

    ``position``: the query position whose edges are drawn, the last unless given. ``measure``: what
    the width of an edge means, "attention", "attention × output norm" or "effect on the
    prediction". ``head`` and ``ablated``: names of the chosen head and of the ablated one.

    >>> import torch
    >>> one, p, b = torch.ones(1, 1, 1), torch.ones(1, 1), [["b"]]
    >>> circuit_view(Circuit(["a"], ["0.0"], [""], one, one, [], [], 2 * b, p, b, p, one, b, p))
    <IPython.core.display.HTML object>
    """
    length = len(circuit.tokens)
    position = length - 1 if position is None else position
    if measure not in MEASURES:
        raise ValueError(f"expected a measure among {', '.join(MEASURES)}, got {measure!r}.")
    if not 0 <= position < length:
        raise ValueError(f"expected a position from 0 to {length - 1}, got {position}.")
    for name in (head, ablated):
        if name is not None and name not in circuit.heads:
            raise ValueError(f"expected a head among {', '.join(circuit.heads)}, got {name!r}.")
    check_drawable(circuit.attention)
    start = dict(position=position, measure=MEASURES.index(measure), head=head, ablated=ablated)
    colours = dict(above=BLUE, below=ORANGE)
    data = safe_json(_data(circuit) | start | dict(measures=MEASURES, colours=colours))
    view_id = fresh_id(data)
    still = base64.b64encode(_still(circuit, position).encode()).decode()
    description = html.escape(_description(circuit, position))
    return HTML(
        f'<div id="{view_id}" class="{VERBATIM_CLASSES}"><p>Run this cell to explore the picture.</p>'
        f'<img alt="{description}" style="max-width: 100%" src="data:image/svg+xml;base64,{still}"></div>'
        + view_script("circuit_view", view_id, data)
    )


def _data(circuit: Circuit) -> dict:
    """The circuit as JSON's types; of each query the numbers up to its own position."""

    def triangular(values: Float[Tensor, "head query key"]) -> list:
        return [[row[: query + 1] for query, row in enumerate(head)] for head in rounded(values)]

    return dict(
        tokens=circuit.tokens,
        heads=circuit.heads,
        roles=circuit.roles,
        attention=triangular(circuit.attention),
        sizes=triangular(circuit.sizes),
        edges=[(*edge[:3], [round(effect, 3) for effect in edge.effects]) for edge in circuit.edges],
        reads=[(*read[:5], round(read.strength, 2)) for read in circuit.reads],
        lens=circuit.logit_lens,
        lensProbabilities=rounded(circuit.lens_probabilities),
        candidates=circuit.candidates,
        probabilities=rounded(circuit.probabilities),
        without=rounded(circuit.without),
        likeliestWithout=circuit.likeliest_without,
        probabilityWithout=rounded(circuit.probability_without),
    )


def _description(circuit: Circuit, position: int) -> str:
    """The state of the view at the start, in words: the text for readers who see no picture."""
    token, best = circuit.tokens[position], circuit.candidates[position][0]
    words = [
        f"Circuit of the text “{''.join(circuit.tokens)}”. After position {position}, “{token}”, the likeliest "
        f"next token is “{best}” ({circuit.probabilities[position, 0]:.2f})."
    ]
    for name, role, row in zip(circuit.heads, circuit.roles, circuit.attention[:, position]):
        key = int(row.argmax())
        words.append(
            f"Head {name}{role and f' ({role})'} attends most to {key}, “{circuit.tokens[key]}” ({row[key]:.2f})."
        )
    return " ".join(words)


def _still(circuit: Circuit, position: int) -> str:
    """The view at the start as an SVG image: nodes, and the attention of one query position."""
    n, layers = len(circuit.tokens), sorted({int(name.split(".")[0]) for name in circuit.heads})
    rows = {layer: [name for name in circuit.heads if name.startswith(f"{layer}.")] for layer in layers}
    height, step = 80 + LAYER_HEIGHT * len(layers), (WIDTH - 20) / n

    def x(i: int) -> float:
        return 10 + step * (i + 0.5)

    def text(at: float, y: int | float, content: str, size: int = 12) -> str:
        style = f'text-anchor="middle" font-family="sans-serif" font-size="{size}" fill="{INK}"'
        return f'<text x="{at:.0f}" y="{y:.0f}" {style}>{html.escape(content[:12])}</text>'

    parts = [f'<rect width="{WIDTH}" height="{height}" fill="{WHITE}"/>']
    parts += [text(x(i), height - 12, token) for i, token in enumerate(circuit.tokens)]
    parts += [text(x(i), 18, token) for i, token in enumerate(circuit.logit_lens[-1])]
    for index, name in enumerate(circuit.heads):
        layer = int(name.split(".")[0])
        row, y = rows[layer], height - 78 - LAYER_HEIGHT * layers.index(layer)
        shift = (row.index(name) - (len(row) - 1) / 2) * min(12, (step - 10) / len(row))
        for i in range(n):
            colour = BLUE if i == position else GREY
            parts.append(f'<circle cx="{x(i) + shift:.1f}" cy="{y}" r="3" fill="{colour}"/>')
        for key, weight in enumerate(circuit.attention[index, position].tolist()):
            if weight >= LEAST_WEIGHT:
                start, end = x(position) + shift, x(key)
                path = f"M{start:.1f} {y + 4} C{start:.1f} {y + 34} {end:.1f} {y + 4} {end:.1f} {y + 38}"
                parts.append(
                    f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="{1 + 4 * weight:.1f}"/>'
                )
        parts.append(text(x(position) + shift, y - 8, name.split(".")[1], 9))
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
