"""Attention of one head on the whole text, and of all heads of its layer from one token."""

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.views.predictions import ablation_hooks
from helpers.heatmaps import attention, heatmap


@torch.no_grad()
def show_attention(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    position: int,
    layer: int,
    head: int,
    ablated: Sequence[tuple[int, int]],
) -> list[go.Figure]:
    """Heatmaps of the attention patterns in the run without ``ablated``."""
    name = f"blocks.{layer}.attn.hook_pattern"
    with model.hooks(fwd_hooks=ablation_hooks(model, ablated)):
        _, cache = model.run_with_cache(tokens, names_filter=name)
    patterns = cache[name][0]  # [head query key]
    words = [model.tokenizer.decode(token) for token in tokens[0]]
    names = [str(Head(layer, index)) for index in range(model.cfg.n_heads)]
    title = f"Attention from position {position} in layer {layer}"
    by_head = heatmap(patterns[:, position], names, words, title, "head", "key", "attention", largest=1.0)
    return [attention(patterns[head], words, f"Attention of head {names[head]}"), by_head]
