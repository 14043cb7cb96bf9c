"""Pictures you can walk into: attention and line views, as HTML that needs no network.

Attention views are circuitsvis's, drawn by the bundle that its own package ships: the first view of a notebook carries it,
later ones hold their data only (on Colab, where every output is a page of its own, each carries it). Every view has a static
picture inside, for print, GitHub and notebooks that are not trusted. Tokens are shown as they are and never run.
"""

import base64
import functools
import gzip
import hashlib
import html
import itertools
import json
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

from helpers.theme import BLUE, ORANGE

BUNDLE = Path(circuitsvis.__file__).parent / "dist/cdn/iife.js"
MAX_VALUES = 2_000_000  # numbers in one view: some 10 MB of text in the page
_sent = None  # where this kernel has put the bundle into an output: cell id and execution count
_numbers = itertools.count()


@functools.cache
def loader() -> str:
    """A script that unpacks the bundle into the page, once a page."""
    packed = base64.b64encode(gzip.compress(BUNDLE.read_bytes(), 9, mtime=0)).decode()
    return (
        "<script>(() => { if (window.circuitsViews) return; window.circuitsViews = (async () => {"
        f"const bytes = Uint8Array.from(atob('{packed}'), c => c.charCodeAt(0));"
        "const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));"
        "const script = document.createElement('script'); script.textContent = await new Response(stream).text();"
        "document.head.append(script); document.dispatchEvent(new Event('circuits-views')); })() })()</script>"
    )


def fresh_id(data: str) -> str:
    """An id for a view: the same in every run of a notebook, another for every view of a page."""
    return f"view-{hashlib.sha1(data.encode()).hexdigest()[:8]}-{next(_numbers)}"


def safe_json(data) -> str:
    """JSON that can stand inside a script element: no character that HTML could read."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rounded(values: Tensor) -> list:
    """Nested lists of numbers with three decimals, whole ones as integers."""
    text = json.dumps(values.detach().double().cpu().tolist())
    return json.loads(text, parse_float=lambda digits: round(float(digits), 3) or 0)


def _here() -> tuple[str | None, int]:
    """Id of the cell that runs, where the front end tells it, and the execution count."""
    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent.get("metadata", {}).get("cellId"), getattr(shell, "execution_count", 0)


def _view(element: str, static: str, **data) -> HTML:
    """A circuitsvis element with ``static`` as the picture that stands there until, or unless, it is drawn."""
    global _sent
    alone = "google.colab" in sys.modules
    cell, count = _here()
    # run again, the cell that brought the bundle replaces its output
    again = _sent and cell and _sent[0] == cell and _sent[1] != count
    bundle = ""
    if alone or again or not _sent:
        bundle, _sent = loader(), (cell, count)
    content = safe_json(data)
    id = fresh_id(content)
    draw = (
        f"(() => {{ const draw = () => document.getElementById('{id}') && "
        f"CircuitsVis.render('{id}', CircuitsVis.{element}, {content});"
        "if (window.CircuitsVis) draw(); else document.addEventListener('circuits-views', draw, {once: true}) })()"
    )
    return HTML(
        f'{bundle}<div id="{id}" class="tex2jax_ignore mathjax_ignore" style="margin: 15px 0">{static}</div><script>{draw}</script>'
    )


def _picture(pattern: Float[Tensor, "query key"], name: str, size: int = 96) -> str:
    """A pattern as a small picture, white at 0 and blue at 1."""
    blue = [int(BLUE[i : i + 2], 16) for i in (1, 3, 5)]
    shades = pattern.detach().cpu().clamp(0, 1).tolist()
    rows = b"".join(
        b"\0" + bytes(round(255 + (colour - 255) * value) for value in row for colour in blue)
        for row in shades
    )

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", len(shades[0]), len(shades), 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )
    return (
        f'<figure style="display: inline-block; margin: 4px"><img alt="attention of {html.escape(name)}" width="{size}" height="{size}" '
        f'style="image-rendering: pixelated" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
    )


def attention_heads(
    patterns: Float[Tensor, "head query key"], tokens: Sequence[str], names: Sequence[str] | None = None
) -> HTML:
    """All heads small, the chosen one large; hover over a token to see whom it asks."""
    names = list(names or [f"head {i}" for i in range(len(patterns))])
    _checked(patterns, tokens, len(names))
    static = "".join(_picture(pattern, name) for pattern, name in zip(patterns, names))
    return _view(
        "AttentionHeads",
        static,
        attention=_rounded(patterns),
        tokens=list(tokens),
        attentionHeadNames=names,
        minValue=0,
        maxValue=1,
    )


def attention_pattern(
    pattern: Float[Tensor, "query key"], tokens: Sequence[str], name: str = "one head"
) -> HTML:
    """One attention pattern."""
    _checked(pattern[None], tokens, 1)
    return _view(
        "AttentionPattern",
        _picture(pattern, name, 240),
        attention=_rounded(pattern),
        tokens=list(tokens),
        minValue=0,
        maxValue=1,
    )


def colored_tokens(tokens: Sequence[str], values: Float[Tensor, " pos"]) -> HTML:
    """A text whose tokens are coloured by a value: blue above 0, orange below."""
    if len(values) != len(tokens):
        raise ValueError(f"expected one value a token, got {len(values)} values and {len(tokens)} tokens")
    drawable(values)
    largest = max(values.abs().max().item(), 1e-9)
    spans = [
        f'<span title="{value:.3f}" style="background: {BLUE if value >= 0 else ORANGE}{round(200 * abs(value) / largest):02x}">'
        f"{html.escape(token)}</span>"
        for token, value in zip(tokens, values.tolist())
    ]
    shown = [html.escape(token) for token in tokens]  # this element sets HTML, not text
    colours = dict(negativeColor=ORANGE, positiveColor=BLUE)
    return _view("ColoredTokens", "".join(spans), tokens=shown, values=_rounded(values), **colours)


def _checked(patterns: Tensor, tokens: Sequence[str], names: int) -> None:
    """Refuse patterns that do not fit the tokens or names, or that can not be drawn."""
    if tuple(patterns.shape) != (names, len(tokens), len(tokens)):
        raise ValueError(
            f"expected patterns [head query key] = {[names, len(tokens), len(tokens)]}, got {list(patterns.shape)}"
        )
    drawable(patterns)


def drawable(values: Tensor) -> None:
    """Refuse no numbers at all, more than a page can hold, and NaN."""
    if not 1 <= values.numel() <= MAX_VALUES:
        raise ValueError(
            f"expected 1 to {MAX_VALUES:,} numbers to draw, got {values.numel():,}: show fewer heads, or a part of the text."
        )
    if not values.isfinite().all():
        raise ValueError("expected finite numbers to draw, got NaN or infinity: what did a hook change?")
