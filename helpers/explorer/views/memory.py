"""The memory map of one text, with the address trace of one destination token."""

from functools import lru_cache
from html import escape

import plotly.graph_objects as go
from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.subject import token_of
from helpers.page_data import VERBATIM_CLASSES
from helpers.plots import memory_map
from helpers.trace import address_trace, component_sizes, subspace_scores

_scores = lru_cache(maxsize=1)(subspace_scores)  # of a model: the text changes more often


def show_memory(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    right: str,
    wrong: str,
    destination: int,
    head: tuple[int, int],
    colour: str,
) -> list[go.Figure | HTML]:
    """The memory map with the accesses of one head, and the address trace of all heads.

    ``colour``: "length" of each component's output, or its part of the "logit difference".
    """
    direction = None
    if colour == "logit difference":
        direction = model.W_U[:, token_of(model, right)] - model.W_U[:, token_of(model, wrong)]
    sizes, components = component_sizes(model, tokens, direction)
    trace = address_trace(model, tokens, destination, _scores(model))
    cells = next(access for access in trace if access.head == head).cells(components)
    words = [model.tokenizer.decode(token) for token in tokens[0]]
    title = f"Component outputs ({colour}), and what {Head(*head)} reads and writes for token {destination}"
    figure = memory_map(sizes, words, components, title, cells, diverging=direction is not None)
    lines = escape("\n".join(map(str, trace)))
    style = "white-space: pre-wrap; font-family: monospace"
    return [figure, HTML(f'<pre class="{VERBATIM_CLASSES}" style="{style}">{lines}</pre>')]
