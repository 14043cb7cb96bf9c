"""Inputs for checks: seeded generators, and a random model whose axes all differ in length."""

import torch
from transformer_lens.model_bridge import TransformerBridge

from helpers.shortformer import ShortformerModel, config, wrap


def generator(seed: int) -> torch.Generator:
    """Return a random generator with a seed.

    >>> torch.equal(torch.rand(3, generator=generator(0)), torch.rand(3, generator=generator(0)))
    True
    """
    return torch.Generator().manual_seed(seed)


def small_model() -> TransformerBridge:
    """Return a random attention-only model: the same weights at each call, in an object of its own.

    >>> list(small_model().W_O.shape)  # layer, head, d_head, d_model
    [2, 3, 5, 20]
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ShortformerModel(config(n_layers=2, n_heads=3, d_model=20, d_head=5, n_ctx=16, d_vocab=11))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.4)
    return wrap(model, None, "small random model")
