"""The line view ("people in a line"): a drawing of one text in a model, as HTML that needs no network.

Choose a layer, a head and a query position: arcs show the attention of that query, boxes the logit lens after that layer.
"""

import html
from dataclasses import dataclass
from pathlib import Path

from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from helpers.attention_view import drawable, fresh_id, safe_json
from helpers.theme import GREY

SCRIPT = (Path(__file__).parent / "line_view.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Line:
    """One text in a model: everything that the line view draws."""

    title: str
    tokens: list[str]
    patterns: Float[Tensor, "layer head query key"]
    thoughts: list[
        list[tuple[str, float]]
    ]  # [layer + 1][pos]: likeliest next token so far, and its probability
    answers: list[
        list[list[list[str]]]
    ]  # [layer][head][pos]: the tokens that a head raises most when it attends there


def line_view(*lines: Line, layer: int = -1, head: int = 0, asker: int | None = None) -> HTML:
    """People in a line: choose a layer, a head and who asks; two lines show what differs. Arrow keys walk.

    Each person's box is what they think comes next after that layer. ``layer=-1`` is before the first one.
    """
    if not lines:
        raise ValueError("expected one line or two, got none: make one with read_line(model, tokens).")
    n_layers, n_heads, length, _ = lines[0].patterns.shape
    asker = length - 1 if asker is None else asker
    if not (-1 <= layer < n_layers and 0 <= head < n_heads and 0 <= asker < length):
        raise ValueError(
            f"expected a layer from -1 to {n_layers - 1}, a head below {n_heads} and an asker below {length}, got {layer}, {head} and {asker}."
        )
    for one in lines:
        drawable(one.patterns)
        if one.patterns.shape != lines[0].patterns.shape:
            raise ValueError(
                f"expected lines of one shape, got {[list(other.patterns.shape) for other in lines]}: "
                "compare texts of equal length in one model."
            )
    data = safe_json(dict(layer=layer, head=head, asker=asker, lines=[_line_data(one) for one in lines]))
    id = fresh_id(data)
    script = SCRIPT.replace("(ROOT, DATA)", f"(document.getElementById('{id}'), {data})")
    static = "".join(_still(one, layer, head, asker) for one in lines)
    return HTML(
        f'<div id="{id}" class="tex2jax_ignore mathjax_ignore" role="group" aria-label="people in a line">{static}</div>'
        f"<script>{script}</script>"
    )


def _line_data(one: Line) -> dict:
    rows = [
        [[[round(w, 3) for w in row[: i + 1]] for i, row in enumerate(head)] for head in layer]
        for layer in one.patterns.tolist()
    ]
    thoughts = [[[token, round(p, 3)] for token, p in layer] for layer in one.thoughts]
    return dict(title=one.title, tokens=one.tokens, patterns=rows, thoughts=thoughts, answers=one.answers)


def _still(one: Line, layer: int, head: int, asker: int) -> str:
    """The line as a table: who is asked how much, and what everybody thinks. What stands there without scripts."""
    weights = one.patterns[layer, head, asker].tolist() if layer >= 0 else [0.0] * len(one.tokens)
    rows = [
        [html.escape(token) for token in one.tokens],
        [f"{weight:.2f}" if weight >= 0.02 else "" for weight in weights],
        [html.escape(thought) for thought, _ in one.thoughts[layer + 1]],
    ]
    names = ["", f"asked by {asker} in {layer}.{head}" if layer >= 0 else "", "thinks of"]
    body = "".join(
        f'<tr><th style="text-align: left">{name}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row)
        + "</tr>"
        for name, row in zip(names, rows)
    )
    return f'<table style="color: {GREY}"><caption>{html.escape(one.title)}</caption>{body}</table>'
