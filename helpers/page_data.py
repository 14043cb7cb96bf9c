"""Data on its way into a page: what the attention view and the line view share.

Tokens are text that nobody has checked. They travel as JSON in which HTML finds no markup, and
elements that show them are exempt from TeX.
"""

import hashlib
import itertools
import json
from typing import Any

from torch import Tensor

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
