"""Token sequences made to tell heads apart, and losses position by position on them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge


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


def check_one_text(tokens: Tensor) -> None:
    """Raise ``ValueError`` unless ``tokens`` is ``[1, pos]``: the tokens of one text."""
    if tokens.ndim != 2 or len(tokens) != 1 or tokens.shape[1] == 0:
        raise ValueError(f"expected one text, tokens [1, pos], got {list(tokens.shape)}.")
