"""The line view ("people in a line"): one text in a model, as HTML that needs no network.

Choose a layer, a head and a query position: arcs show the attention of that query, boxes the logit
lens after that layer. ``helpers.line.read_line`` makes the data, line_view.js draws them.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from helpers.page_data import VERBATIM_CLASSES, check_drawable, fresh_id, rounded, safe_json, view_script
from helpers.theme import BLUE, ORANGE


@dataclass(frozen=True)
class Line:
    """One text in a model: everything that the line view draws.

    - ``logit_lens[layer + 1][pos]``: the likeliest next token after a layer, and its probability;
      ``logit_lens[0]`` belongs to the stream before the first layer.
    - ``top_outputs[layer][head][pos]``: the two tokens whose logits the head raises most when it
      attends to the position, and the token whose logit it lowers most.
    """

    title: str
    tokens: list[str]
    patterns: Float[Tensor, "layer head query key"]
    logit_lens: list[list[tuple[str, float]]]
    top_outputs: list[list[list[list[str]]]]


def line_view(*lines: Line, layer: int = -1, head: int = 0, query_position: int | None = None) -> HTML:
    """Draw one line, or two with their differences marked; controls and arrow keys choose the view.

    ``layer=-1`` is before the first layer. ``query_position`` is the last position by default.

    >>> import torch
    >>> lens, top = [[("b", 0.5)], [("a", 0.9)]], [[[["a", "b", "c"]]]]
    >>> line_view(Line("a text", ["a"], torch.ones(1, 1, 1, 1), lens, top), layer=0)
    <IPython.core.display.HTML object>
    """
    _check_lines(lines)
    n_layers, n_heads, length, _ = lines[0].patterns.shape
    query = length - 1 if query_position is None else query_position
    if not (-1 <= layer < n_layers and 0 <= head < n_heads and 0 <= query < length):
        raise ValueError(
            f"expected a layer from -1 to {n_layers - 1}, a head below {n_heads} and a query position "
            f"below {length}, got {layer}, {head} and {query}."
        )
    drawn = [_line_data(line) for line in lines]
    colours = dict(chosen=ORANGE, person=BLUE)
    data = safe_json(dict(layer=layer, head=head, query=query, colours=colours, lines=drawn))
    view_id = fresh_id(data)
    static = "".join(_table(line, layer, head, query) for line in lines)
    return HTML(
        f'<div id="{view_id}" class="{VERBATIM_CLASSES}" role="group" '
        f'aria-label="line view: people in a line">{static}</div>' + view_script("line_view", view_id, data)
    )


def _check_lines(lines: Sequence[Line]) -> None:
    """Refuse no line, lines of different shapes, and lines that cannot be drawn."""
    if not lines:
        raise ValueError("expected one line or two, got none: make one with read_line(model, tokens).")
    shapes = [list(line.patterns.shape) for line in lines]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(
            f"expected lines of one shape, got {shapes}: compare texts of equal length in one model."
        )
    for line in lines:
        check_drawable(line.patterns)


def _line_data(line: Line) -> dict:
    """A line as JSON's types; of each query the attention to itself and to earlier positions."""
    patterns = [
        [[row[: query + 1] for query, row in enumerate(head)] for head in layer]
        for layer in rounded(line.patterns)
    ]
    lens = [[[token, round(probability, 3)] for token, probability in layer] for layer in line.logit_lens]
    return dict(
        title=line.title,
        tokens=line.tokens,
        patterns=patterns,
        logit_lens=lens,
        top_outputs=line.top_outputs,
    )


def _table(line: Line, layer: int, head: int, query: int) -> str:
    """The line as a static table, for pages that run no script."""
    weights = line.patterns[layer, head, query].tolist() if layer >= 0 else [0.0] * len(line.tokens)
    attention = f"attention of {layer}.{head}, query {query}" if layer >= 0 else ""
    rows = {
        "token": [html.escape(token) for token in line.tokens],
        attention: [f"{weight:.2f}" if weight >= 0.02 else "" for weight in weights],
        "logit lens": [html.escape(token) for token, _ in line.logit_lens[layer + 1]],
    }
    body = "".join(
        f'<tr><th style="text-align: left">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
    )
    return f"<table><caption>{html.escape(line.title)}</caption>{body}</table>"
