"""Attention of one head on the whole text, and of all heads from one token."""

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.attention_view import attention_arcs
from helpers.components import Head
from helpers.explorer.views.predictions import ablation_hooks, visible
from helpers.heatmaps import attention


@torch.no_grad()
def show_attention(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    position: int,
    layer: int,
    head: int,
    ablated: Sequence[tuple[int, int]],
) -> list[go.Figure | HTML]:
    """Arcs of all heads from ``position``, and a head's pattern, in the run without ``ablated``."""
    names = [f"blocks.{index}.attn.hook_pattern" for index in range(model.cfg.n_layers)]
    with model.hooks(fwd_hooks=ablation_hooks(model, ablated)):
        _, cache = model.run_with_cache(tokens, names_filter=lambda name: name in names)
    patterns = torch.cat([cache[name][0] for name in names])  # [layer*head query key]
    words = [visible(model.tokenizer.decode(token)) for token in tokens[0]]
    n_heads = model.cfg.n_heads
    heads = [str(Head(*divmod(index, n_heads))) for index in range(len(patterns))]
    arcs = attention_arcs(patterns, words, heads, position)
    title = f"Attention of head {Head(layer, head)}"
    return [arcs, attention(patterns[layer * n_heads + head], words, title)]
