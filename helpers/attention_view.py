"""The attention view: attention patterns and coloured tokens, as HTML that needs no network.

It is drawn by circuitsvis (https://github.com/TransformerLensOrg/CircuitsVis), with the bundle of
that package. The first view of a notebook carries the bundle, later views hold their data only. On
Colab every output is a page of its own, so every view carries it. A static picture inside each view
serves print, GitHub and notebooks that are not trusted. Tokens are shown as text and never run.
attention_view.js draws the arcs of all heads.
"""

import base64
import functools
import gzip
import html
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import circuitsvis
from IPython import get_ipython
from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from helpers.page_data import VERBATIM_CLASSES, check_drawable, fresh_id, rounded, safe_json, view_script
from helpers.theme import BLUE, GREY, INK, ORANGE, WHITE, WIDTH, shade

BUNDLE = Path(circuitsvis.__file__).parent / "dist/cdn/iife.js"
WORDS = {  # in the bundle → the course's
    b"Source Token": b"key",
    b"Destination Token": b"query",
    b"`Src: ": b"`key: ",
    b"`Dest: ": b"`query: ",
    b"`Val: ": b"`attention: ",
}
LEAST_ARC = 0.05  # attention that is drawn as an arc
# The selector at the left, the chosen head at the right, in the course's colours. circuitsvis knows
# light pages only: on a dark page all is inverted, and hues are turned back.
LAYOUT = f"""<style>
:is([data-jp-theme-light=false], [theme=dark]) :is(.attention-heads, .circuits-view) {{
  filter: invert(0.933) hue-rotate(180deg); }}
.circuits-view {{ background: {WHITE}; color: {INK}; width: fit-content; max-width: 100%; }}
.attention-heads {{ background: {WHITE}; color: {INK}; max-width: {WIDTH}px; }}
.attention-heads > div {{ display: grid; grid-template: auto 1fr / 270px 410px; height: 410px; gap: 0 10px;
  margin: 0 !important; padding: 5px !important; }}
.attention-heads h3 {{ margin: 0 !important; font-size: 13px; color: {INK}; }}
.attention-heads > div > div:nth-of-type(1) {{ margin: 0 !important; overflow-y: auto; align-content: start; }}
.attention-heads > div > div:nth-of-type(1) > div {{ flex: 0 0 33% !important; max-width: 33% !important; }}
.attention-heads > div > div:nth-of-type(2) {{ grid-area: 1 / 2 / 3; margin: 0 !important; }}
.attention-heads > div > div:nth-of-type(2) h3 {{ display: none; }}
.attention-heads :is(h2, h4) {{ background: {GREY} !important; font-size: 12px; }}
.attention-heads [style*="border-style"] {{ border-color: {GREY} !important; }}
.attention-heads [style*="box-shadow"] {{ box-shadow: 0 0 0 3px {ORANGE} !important; }}
</style>"""
SCALE = dict(minValue=0, maxValue=1, positiveColor=BLUE, maskUpperTri=False)  # zero is white, masked or not
# cell id and execution count of the output that holds this kernel's bundle
_bundle_sent_by: tuple[str | None, int] | None = None


def attention_heads(
    patterns: Float[Tensor, "head query key"], tokens: Sequence[str], names: Sequence[str] | None = None
) -> HTML:
    """Attention patterns of several heads, all of them small and the chosen head large.

    Below stand the arcs of all heads (``attention_arcs``). Hover over a token to see the keys that
    it attends to.

    >>> import torch
    >>> attention_heads(torch.eye(2)[None], ["a", "b"], names=["0.1"])
    <IPython.core.display.HTML object>
    """
    names = list(names or [f"head {head}" for head in range(len(patterns))])
    _check_patterns(patterns, tokens, len(names))
    static = "".join(_picture(pattern, name) for pattern, name in zip(patterns, names))
    data = dict(attention=rounded(patterns), tokens=list(tokens), attentionHeadNames=names)
    view = _view("AttentionHeads", static, "attention-heads", **data, **SCALE)
    return HTML(view.data + attention_arcs(patterns, tokens, names, still=False).data)


def attention_arcs(
    patterns: Float[Tensor, "head query key"],
    tokens: Sequence[str],
    names: Sequence[str],
    position: int | None = None,
    still: bool = True,
) -> HTML:
    """Small multiples: each head's arcs from one query to the keys that it attends to.

    The query is the token that the pointer is over, at the start ``position``, the last unless
    given. A page that runs no script keeps a ``still`` image of the start.

    >>> import torch
    >>> attention_arcs(torch.eye(2)[None], ["a", "b"], names=["0.1"])
    <IPython.core.display.HTML object>
    """
    _check_patterns(patterns, tokens, len(names))
    query = len(tokens) - 1 if position is None else position
    if not 0 <= query < len(tokens):
        raise ValueError(f"expected a position from 0 to {len(tokens) - 1}, got {position}.")
    edges = [
        [[(key, weight) for key, weight in enumerate(row) if weight >= LEAST_ARC] for row in head]
        for head in rounded(patterns)
    ]
    content = safe_json(
        dict(tokens=list(tokens), names=list(names), edges=edges, position=query, colour=BLUE)
    )
    view_id = fresh_id(content)
    name = f"each head (row) from {query} “{tokens[query]}” to each key (column)"
    picture = f"<p>Run this cell to explore the picture.</p>{_picture(patterns[:, query], name, 240)}"
    return HTML(
        f'<div id="{view_id}" class="{VERBATIM_CLASSES}">{picture * still}</div>'
        + view_script("attention_view", view_id, content)
    )


def attention_pattern(
    pattern: Float[Tensor, "query key"], tokens: Sequence[str], name: str = "one head"
) -> HTML:
    """One attention pattern.

    >>> import torch
    >>> attention_pattern(torch.eye(2), ["a", "b"])
    <IPython.core.display.HTML object>
    """
    _check_patterns(pattern[None], tokens, 1)
    data = dict(attention=rounded(pattern), tokens=list(tokens))
    return _view("AttentionPattern", _picture(pattern, name, 240), **data, **SCALE)


def colored_tokens(tokens: Sequence[str], values: Float[Tensor, " pos"]) -> HTML:
    """A text whose tokens are coloured by a value: blue above 0, orange below.

    >>> import torch
    >>> colored_tokens(["a", "b"], torch.tensor([1.0, -0.5]))
    <IPython.core.display.HTML object>
    """
    if len(values) != len(tokens):
        raise ValueError(
            f"expected one value per token, got {len(values)} values and {len(tokens)} tokens: "
            "pass values [pos] of these tokens."
        )
    check_drawable(values)
    largest = max(values.abs().max().item(), 1e-9)
    escaped = [html.escape(token) for token in tokens]  # circuitsvis reads these tokens as HTML
    static = "".join(
        f'<span title="{value:.3f}" style="background: {shade(value, largest)}">{token}</span>'
        for token, value in zip(escaped, values.tolist())
    )
    colours = dict(negativeColor=ORANGE, positiveColor=BLUE)
    return _view("ColoredTokens", static, tokens=escaped, values=rounded(values), **colours)


def _check_patterns(patterns: Tensor, tokens: Sequence[str], n_heads: int) -> None:
    """Refuse patterns that do not fit the tokens or names, or that cannot be drawn."""
    if tuple(patterns.shape) != (n_heads, len(tokens), len(tokens)):
        expected = [n_heads, len(tokens), len(tokens)]
        raise ValueError(
            f"expected patterns [head query key] = {expected}, got {list(patterns.shape)}: "
            "pass one row and one column per token, and one name per head."
        )
    check_drawable(patterns)


def _view(element: str, static: str, style_class: str = "circuits-view", **data) -> HTML:
    """A circuitsvis element; ``static`` is the picture in its place until it is drawn."""
    content = safe_json(data)
    view_id = fresh_id(content)
    draw = (
        f"(() => {{ const draw = () => document.getElementById('{view_id}') && "
        f"CircuitsVis.render('{view_id}', CircuitsVis.{element}, {content});"
        "if (window.CircuitsVis) draw(); "
        "else document.addEventListener('circuits-views', draw, {once: true}) })()"
    )
    return HTML(
        f'{_bundle_if_needed()}<div id="{view_id}" class="{VERBATIM_CLASSES} {style_class}" '
        f'style="margin: 15px 0">{static}</div><script>{draw}</script>'
    )


def _bundle_if_needed() -> str:
    """The loader, unless another output on the page holds it."""
    global _bundle_sent_by
    alone = "google.colab" in sys.modules
    cell, count = _running_cell()
    # a second run of the cell that brought the bundle replaces its output
    replaced = _bundle_sent_by and cell and _bundle_sent_by[0] == cell and _bundle_sent_by[1] != count
    if _bundle_sent_by and not alone and not replaced:
        return ""
    _bundle_sent_by = (cell, count)
    return loader()


def _running_cell() -> tuple[str | None, int]:
    """Id of the running cell, if the front end sends it, and the execution count."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent.get("metadata", {}).get("cellId"), getattr(shell, "execution_count", 0)


@functools.cache
def loader() -> str:
    """A script that puts the layout and the unpacked bundle into the page, once per page."""
    bundle = functools.reduce(lambda code, word: code.replace(word, WORDS[word]), WORDS, BUNDLE.read_bytes())
    packed = base64.b64encode(gzip.compress(bundle, 9, mtime=0)).decode()
    return (
        "<script>(() => { if (window.circuitsViews) return; window.circuitsViews = (async () => {"
        f"document.head.insertAdjacentHTML('beforeend', `{LAYOUT}`);"
        f"const bytes = Uint8Array.from(atob('{packed}'), c => c.charCodeAt(0));"
        "const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));"
        "const script = document.createElement('script'); "
        "script.textContent = await new Response(stream).text();"
        "document.head.append(script); document.dispatchEvent(new Event('circuits-views')); })() })()"
        "</script>"
    )


def _picture(pattern: Float[Tensor, "query key"], name: str, size: int = 96) -> str:
    """A pattern as a small picture, white at 0 and blue at 1."""
    blue = [int(BLUE[i : i + 2], 16) for i in (1, 3, 5)]
    shades = pattern.detach().cpu().clamp(0, 1).tolist()
    rows = [bytes(round(255 + (colour - 255) * value) for value in row for colour in blue) for row in shades]
    image = base64.b64encode(_png(rows)).decode()
    name = html.escape(name)
    return (
        '<figure style="display: inline-block; margin: 4px">'
        f'<img alt="attention of {name}" width="{size}" height="{size}" '
        f'style="image-rendering: pixelated" src="data:image/png;base64,{image}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _png(rows: Sequence[bytes]) -> bytes:
    """Rows of RGB pixels as a PNG file; by hand, since no requirement brings an image library."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
