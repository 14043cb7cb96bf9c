"""The memory map of one text, with what one head reads and writes for one token."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
import torch
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Component, Head, has_positions, head_weights
from helpers.composition import thin_readers
from helpers.explorer.subject import token_of
from helpers.explorer.views.predictions import ablation_hooks
from helpers.heatmaps import memory_map
from helpers.page_data import VERBATIM_CLASSES
from helpers.trace import Access, component_sizes


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
    scores = read_scores(model, layer, head)
    best = {port: max(scores, key=lambda component: scores[component][i]) for i, port in enumerate(PORTS)}
    ports = {port: (best[port], scores[best[port]][i].item()) for i, port in enumerate(PORTS)}
    access = Access(Head(layer, head), position, int(key), weight.item(), ports)
    words = [model.tokenizer.decode(token) for token in tokens[0]]
    title = f"What components wrote, and the address that {access.head} reads for token {position}"
    figure = memory_map(
        sizes, words, components, title, access.cells(components), direction is not None, colour
    )
    style = "white-space: pre-wrap; font-family: monospace"
    return [figure, HTML(f'<p class="{VERBATIM_CLASSES}" style="{style}">{escape(str(access))}</p>')]


def read_scores(model: TransformerBridge, layer: int, head: int) -> dict[Component, Float[Tensor, " port"]]:
    """Composition score of each component that writes before a layer with the ports of one head."""
    readers = torch.stack([thin_readers(model, port)[layer, head] for port in PORTS])
    _, _, W_V, W_O = head_weights(model)
    writers = {Component("embedding"): model.W_E}
    if has_positions(model):
        writers[Component("position")] = model.W_pos
    if not model.cfg.attn_only:
        writers |= {Component("mlp", sender): W_out for sender, W_out in enumerate(model.W_out[:layer])}
    for sender in range(layer):
        for index in range(model.cfg.n_heads):  # a matrix with the norms of W_V W_O
            R = torch.linalg.qr(W_V[sender, index], mode="r").R
            writers[Component("head", sender, index)] = R @ W_O[sender, index]
    scores = {writer: (W @ readers).norm(dim=(1, 2)) / W.norm() for writer, W in writers.items()}
    if model.cfg.attn_only:  # shortformer: positions never reach V
        scores[Component("position")][2] = 0
    return scores
