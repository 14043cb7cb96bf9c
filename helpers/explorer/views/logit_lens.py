"""The logit lens: the likeliest next token after each layer at every position."""

import plotly.graph_objects as go
import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.line import read_line
from helpers.plots import heatmap


def show_logit_lens(model: TransformerBridge, tokens: Int[Tensor, "1 pos"]) -> list[go.Figure]:
    """Heatmap of the probabilities, with the tokens in the cells."""
    line = read_line(model, tokens)
    probabilities = torch.tensor([[probability for _, probability in layer] for layer in line.logit_lens])
    likeliest = [[token for token, _ in layer] for layer in line.logit_lens]
    rows = ["embedding", *(f"after layer {layer}" for layer in range(model.cfg.n_layers))]
    title = "Logit lens: the likeliest next token after each layer"
    return [heatmap(probabilities, rows, line.tokens, title, largest=1.0, texts=likeliest)]
