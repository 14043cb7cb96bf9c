"""Attention-head detectors: what a head does, read from its attention pattern on sequences built to tell.

Each score is a mean attention weight, between 0 and 1. The last two axes of a pattern are ``query key``; axes before them
(layer, head, batch) are kept. A head is called by its job when its score is high on sequences made for that job (Elhage et
al. 2021; Olsson et al. 2022, "In-context Learning and Induction Heads").
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge


def previous_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention that a query at position i pays to position i - 1, over i ≥ 1.

    >>> previous_token_score(torch.eye(5).roll(-1, dims=1))
    tensor(1.)
    """
    return pattern.diagonal(-1, dim1=-2, dim2=-1).mean(dim=-1)


def induction_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention, on a sequence that repeats after ``period`` tokens, to the token after the query's earlier copy.

    Query i looks ``period - 1`` back: the first copy of its own token stands ``period`` back, and the token that followed
    it one further on. The mean is over the queries whose token has stood before: those after beginning-of-text and one copy.
    """
    return pattern.diagonal(1 - period, dim1=-2, dim2=-1)[..., 2:].mean(dim=-1)


def repeated_tokens(
    model: TransformerBridge, length: int = 50, batch: int = 8, seed: int = 0
) -> Int[Tensor, "batch pos"]:
    """Beginning-of-text, ``length`` random tokens, and the same ``length`` tokens again: ``[batch, 1 + 2 length]``."""
    generator = torch.Generator().manual_seed(seed)
    bos = model.tokenizer.bos_token_id
    half = torch.randint(model.cfg.d_vocab - 1, (batch, length), generator=generator)
    half = half + (half >= bos)  # every token but beginning-of-text
    return torch.cat([torch.full((batch, 1), bos), half, half], dim=1).to(model.cfg.device)


def second_copy_gain(model: TransformerBridge, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, ""]:
    """Loss on the first copy minus loss on the second (nats a token), on the sequences of ``repeated_tokens``."""
    length = (tokens.shape[1] - 1) // 2
    loss = model(tokens, return_type="loss", loss_per_token=True)  # entry i: the prediction of token i + 1
    return loss[:, :length].mean() - loss[:, length:].mean()
