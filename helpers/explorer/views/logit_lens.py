"""The logit lens: the likeliest next token after each layer at every position."""

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.explorer.views.predictions import ablation_hooks, visible
from helpers.heatmaps import heatmap


@torch.no_grad()
def show_logit_lens(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], ablated: Sequence[tuple[int, int]]
) -> list[go.Figure]:
    """Heatmap of the probabilities in the run without ``ablated``, with the tokens in the cells."""
    layers = range(model.cfg.n_layers)
    names = [*(f"blocks.{layer}.hook_resid_pre" for layer in layers), f"blocks.{layers[-1]}.hook_resid_post"]
    with model.hooks(fwd_hooks=ablation_hooks(model, ablated)):
        _, cache = model.run_with_cache(tokens, names_filter=lambda name: name in names)
    streams = torch.cat([cache[name] for name in names])  # [layer pos d_model]
    best = model.unembed(model.ln_final(streams)).softmax(dim=-1).max(dim=-1)
    texts = [[visible(model.tokenizer.decode(token)) for token in row] for row in best.indices]
    words = [visible(model.tokenizer.decode(token)) for token in tokens[0]]
    rows = ["embedding", *(f"after layer {layer}" for layer in layers)]
    title = "Logit lens: the likeliest next token after each layer"
    labels = rows, words, title, "stream", "token", "probability"
    return [heatmap(best.values, *labels, largest=1.0, texts=texts)]
