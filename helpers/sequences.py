"""Token sequences built to tell heads apart, and losses by position on them.

A random sequence that repeats can only be predicted from context: the loss falls on the second copy
where a model has induction heads (Olsson et al. 2022, https://arxiv.org/abs/2209.11895).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge


def repeated_tokens(
    model: TransformerBridge, length: int = 50, batch: int = 8, seed: int = 0
) -> Int[Tensor, "batch pos"]:
    """``repeated_sequences`` in a model's vocabulary, after its beginning-of-text token.

    >>> from helpers.models import load_model
    >>> repeated_tokens(load_model("attn-only-1l"), length=3, batch=4).shape
    torch.Size([4, 7])
    """
    generator = torch.Generator().manual_seed(seed)
    n_tokens = min(model.cfg.d_vocab, len(model.tokenizer))  # the last rows may have no token
    bos = model.tokenizer.bos_token_id
    return repeated_sequences(batch, length, n_tokens, bos, generator).to(model.cfg.device)


def repeated_sequences(
    batch: int, length: int, d_vocab: int, bos: int, generator: torch.Generator
) -> Int[Tensor, "batch pos"]:
    """Beginning-of-text, ``length`` random tokens (never ``bos``), and the same tokens again.

    Each row has  1 + 2 length  tokens.

    >>> repeated_sequences(1, 2, d_vocab=2, bos=0, generator=torch.Generator())
    tensor([[0, 1, 1, 1, 1]])
    """
    half = torch.randint(d_vocab - 1, (batch, length), generator=generator)
    half = half + (half >= bos)
    return torch.cat([torch.full((batch, 1), bos), half, half], dim=1)


def loss_by_position(
    logits: Float[Tensor, "batch pos d_vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, " predicted"]:
    """Mean over the batch of  -log p(token i + 1 | tokens up to i), in nats, for each i.

    One entry per predicted token, ``pos - 1`` in all; log d_vocab for uniform predictions.

    >>> loss_by_position(torch.zeros(1, 3, 2), torch.tensor([[0, 1, 1]]))
    tensor([0.6931, 0.6931])
    """
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(2, tokens[:, 1:, None])[..., 0].mean(dim=0)


def second_copy_gain(model: TransformerBridge, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, ""]:
    """Loss on the first copy minus loss on the second, in nats per token.

    ``tokens`` are those of ``repeated_tokens``. About 0 for a model without induction heads.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> second_copy_gain(model, repeated_tokens(model)) > 2
    tensor(True)
    """
    length = (tokens.shape[1] - 1) // 2
    loss = loss_by_position(model(tokens), tokens)
    return loss[:length].mean() - loss[length:].mean()


def in_context_score(
    loss: Float[Tensor, " predicted"], early: tuple[int, int], late: tuple[int, int]
) -> Float[Tensor, ""]:
    """Mean loss at ``late`` positions minus mean loss at ``early`` ones.

    Negative when context helps. Both are windows [start, stop). Olsson et al. 2022 take the single
    tokens 500 and 50; windows need fewer texts.

    >>> in_context_score(torch.tensor([3.0, 3.0, 1.0, 1.0]), early=(0, 2), late=(2, 4))
    tensor(-2.)
    """
    return loss[slice(*late)].mean() - loss[slice(*early)].mean()


def phase_change(steps: Float[Tensor, " record"], values: Float[Tensor, " record"]) -> Float[Tensor, ""]:
    """First recorded step at which ``values`` has come half of the way to its last entry, or more.

    >>> phase_change(torch.tensor([0.0, 10.0, 20.0]), torch.tensor([0.0, 7.0, 8.0]))
    tensor(10.)
    """
    half = (values[0] + values[-1]) / 2
    passed = (values - half) * (values[-1] - half) >= 0
    return steps[passed.int().argmax()]


def check_one_text(tokens: Tensor) -> None:
    """Raise ``ValueError`` unless ``tokens`` has the shape ``[1, pos]`` of one text.

    >>> check_one_text(torch.tensor([[3, 1, 4]]))
    """
    if tokens.ndim != 2 or len(tokens) != 1 or tokens.shape[1] == 0:
        raise ValueError(
            f"expected one text, tokens [1, pos], got {list(tokens.shape)}: pass model.to_tokens(text)."
        )
