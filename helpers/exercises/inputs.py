"""Inputs for checks: seeded generators, and a small random model in which no two axes have the same length."""

import torch
from transformer_lens.model_bridge import TransformerBridge

from helpers.shortformer import ShortformerModel, config, wrap


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_model() -> TransformerBridge:
    """A random model in which no two axes have the same length: a new one at each call, whatever became of the last."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ShortformerModel(config(n_layers=2, n_heads=3, d_model=20, d_head=5, n_ctx=16, d_vocab=11))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.4)
    return wrap(model, None, "small random model")
