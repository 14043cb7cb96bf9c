"""The memory map of one text, with what one head reads and writes for one token."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
import torch
from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Head
from helpers.explorer.subject import token_of
from helpers.explorer.views.predictions import ablation_hooks, visible
from helpers.heatmaps import memory_map
from helpers.page_data import VERBATIM_CLASSES
from helpers.trace import Access, component_sizes, head_subspace_scores


@torch.no_grad()
def show_memory(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    position: int,
    layer: int,
    head: int,
    ablated: Sequence[tuple[int, int]],
    right: str,
    wrong: str,
    colour: str,
) -> list[go.Figure | HTML]:
    """The memory map of the run without ``ablated``, and the address that a head reads.

    ``colour``: "norm" of each component's output, or its part of the "logit difference".
    """
    direction = None
    if colour == "logit difference":
        direction = model.W_U[:, token_of(model, right)] - model.W_U[:, token_of(model, wrong)]
    pattern = f"blocks.{layer}.attn.hook_pattern"
    with model.hooks(fwd_hooks=ablation_hooks(model, ablated)):
        sizes, components = component_sizes(model, tokens, direction)
        _, cache = model.run_with_cache(tokens, names_filter=pattern)
    weight, key = cache[pattern][0, head, position].max(dim=-1)
    scores = head_subspace_scores(model, layer, head)
    best = {port: max(scores, key=lambda component: scores[component][i]) for i, port in enumerate(PORTS)}
    ports = {port: (best[port], scores[best[port]][i].item()) for i, port in enumerate(PORTS)}
    access = Access(Head(layer, head), position, int(key), weight.item(), ports)
    words = [visible(model.tokenizer.decode(token)) for token in tokens[0]]
    title = f"What components wrote, and the address that {access.head} reads for token {position}"
    figure = memory_map(
        sizes, words, components, title, access.cells(components), direction is not None, colour
    )
    style = "white-space: pre-wrap; font-family: monospace"
    sentence = (
        "Each port (q, k, v) has an address, position:component. The component is the one that the port's "
        "weights read most; the number after it is the composition score."
    )
    trace = f'<p class="{VERBATIM_CLASSES}" style="{style}">{escape(str(access))}</p>'
    return [figure, HTML(f"<p>{sentence}</p>{trace}")]
