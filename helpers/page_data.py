"""Data on its way into a page: what views and figures share.

Tokens are text that nobody has checked. They travel as JSON in which HTML finds no markup, and
elements that show them are exempt from TeX.
"""

import hashlib
import html
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

MOST_TICKS = 60  # labels that an axis has room for
MAX_VALUES = 2_000_000  # numbers in one view: some 10 MB of text in the page
VERBATIM_CLASSES = "tex2jax_ignore mathjax_ignore"  # for elements with tokens: a "$" there starts no TeX
_view_numbers = itertools.count()


def check_drawable(values: Tensor) -> None:
    """Raise ``ValueError`` for no numbers, for more than a page can hold, and for NaN."""
    if not 1 <= values.numel() <= MAX_VALUES:
        raise ValueError(
            f"expected 1 to {MAX_VALUES:,} numbers to draw, got {values.numel():,}: "
            "show fewer heads, or a part of the text."
        )
    if not values.isfinite().all():
        raise ValueError("expected finite numbers to draw, got NaN or infinity: check what a hook changed.")


def rounded(values: Tensor) -> list:
    """Nested lists of the values with three decimals; zeros, the most frequent value, as 0.

    >>> import torch
    >>> rounded(torch.tensor([[0.0, 0.12345]]))
    [[0, 0.123]]
    """
    text = json.dumps(values.detach().cpu().double().tolist())  # MPS has no float64
    return json.loads(text, parse_float=lambda digits: round(float(digits), 3) or 0)


def safe_json(data: Any) -> str:
    r"""JSON for the inside of a script element, without a character that HTML could read.

    >>> print(safe_json({"token": "</script>"}))
    {"token":"\u003c/script\u003e"}
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def fresh_id(data: str) -> str:
    """An element id: unique in its page, and the same in every run of a notebook."""
    return f"view-{hashlib.sha1(data.encode()).hexdigest()[:8]}-{next(_view_numbers)}"


def view_script(name: str, view_id: str, data: str) -> str:
    """Return the script element that draws ``data`` by NAME.js into the element ``view_id``."""
    shared, script = (
        Path(__file__).with_name(f"{part}.js").read_text(encoding="utf-8") for part in ("views", name)
    )
    script = script.replace("(ROOT, DATA)", f"(document.getElementById('{view_id}'), {data})")
    return f"<script>(() => {{\n{shared}{script}}})();</script>"


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
