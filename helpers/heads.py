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


def current_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention that a query pays to its own position, over i ≥ 1 (position 0 has no choice)."""
    return pattern.diagonal(dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def first_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention to position 0, over i ≥ 1: the resting place of a head that finds nothing to do."""
    return pattern[..., 1:, 0].mean(dim=-1)


def duplicate_token_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention, on a sequence that repeats after ``period`` tokens, to the earlier copy of the query's own token."""
    return pattern.diagonal(-period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def induction_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention, on a sequence that repeats after ``period`` tokens, to the token after the query's earlier copy.

    Query i looks ``period - 1`` back: the first copy of its own token stands ``period`` back, and the token that followed
    it one further on. The mean is over the queries whose token has stood before: those after beginning-of-text and one copy.
    """
    return pattern.diagonal(1 - period, dim1=-2, dim2=-1)[..., 2:].mean(dim=-1)


def repeated_sequences(
    batch: int, length: int, d_vocab: int, bos: int, generator: torch.Generator
) -> Int[Tensor, "batch pos"]:
    """Beginning-of-text, ``length`` random tokens (never ``bos``), and the same tokens again: ``[batch, 1 + 2 length]``."""
    half = torch.randint(d_vocab - 1, (batch, length), generator=generator)
    half = half + (half >= bos)
    return torch.cat([torch.full((batch, 1), bos), half, half], dim=1)


def repeated_tokens(
    model: TransformerBridge, length: int = 50, batch: int = 8, seed: int = 0
) -> Int[Tensor, "batch pos"]:
    """``repeated_sequences`` for a model: its vocabulary, its beginning-of-text token, its device."""
    generator = torch.Generator().manual_seed(seed)
    bos = model.tokenizer.bos_token_id
    return repeated_sequences(batch, length, model.cfg.d_vocab, bos, generator).to(model.cfg.device)


def loss_by_position(
    logits: Float[Tensor, "batch pos d_vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, " predicted"]:
    """Mean over the batch of  -log p(token i + 1 | tokens up to i)  in nats: entry i, ``pos - 1`` entries."""
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(2, tokens[:, 1:, None])[..., 0].mean(dim=0)


def second_copy_gain(model: TransformerBridge, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, ""]:
    """Loss on the first copy minus loss on the second (nats a token), on the sequences of ``repeated_tokens``."""
    length = (tokens.shape[1] - 1) // 2
    loss = loss_by_position(model(tokens), tokens)
    return loss[:length].mean() - loss[length:].mean()


def in_context_score(
    loss: Float[Tensor, " predicted"], early: tuple[int, int], late: tuple[int, int]
) -> Float[Tensor, ""]:
    """Loss late minus loss early in a text, each averaged over positions [start, stop); negative when context helps.

    Olsson et al. 2022 take the single tokens 500 and 50; windows need fewer texts.
    """
    return loss[slice(*late)].mean() - loss[slice(*early)].mean()


def phase_change(steps: Float[Tensor, " record"], values: Float[Tensor, " record"]) -> Float[Tensor, ""]:
    """The first recorded step at which ``values`` has come half of the way from its first to its last entry."""
    half = (values[0] + values[-1]) / 2
    passed = (values - half) * (values[-1] - half) >= 0
    return steps[passed.int().argmax()]
