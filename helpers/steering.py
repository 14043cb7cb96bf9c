"""Steering: a direction is added to the residual stream while the model writes, and what that does besides is measured.

A direction from contrast pairs is the mean difference of the streams on two kinds of text (Turner et al. 2023,
https://arxiv.org/abs/2308.10248; Rimsky et al. 2023, https://arxiv.org/abs/2312.06681).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.sequences import check_one_text


@torch.no_grad()
def contrast_vector(
    model: TransformerBridge, positive: Sequence[str], negative: Sequence[str], layer: int
) -> Float[Tensor, " d_model"]:
    """Mean stream before ``layer`` at the last token of the positive texts minus that of the negative ones."""
    if not positive or not negative or isinstance(positive, str) or isinstance(negative, str):
        raise ValueError("expected lists of texts of both kinds: a contrast needs two sides.")
    name = f"blocks.{layer}.hook_resid_pre"

    def mean_stream(texts: Sequence[str]) -> Tensor:
        runs = [
            model.run_with_cache(model.to_tokens(text), names_filter=name)[1][name][0, -1] for text in texts
        ]
        return torch.stack(runs).mean(dim=0)

    return mean_stream(positive) - mean_stream(negative)


def steering_hook(direction: Float[Tensor, " d_model"], layer: int, strength: float) -> tuple:
    """A hook that adds ``strength`` × ``direction`` to the stream before ``layer`` at every position but the first."""
    if direction.ndim != 1 or not torch.isfinite(direction).all():
        raise ValueError("expected a direction [d_model] of finite numbers.")
    if not abs(strength) < float("inf"):  # nor NaN
        raise ValueError(f"expected a strength that is a finite number, got {strength}.")

    def add(resid, hook):
        if len(direction) != resid.shape[-1]:
            raise ValueError(
                f"expected a direction [d_model] = [{resid.shape[-1]}], got {list(direction.shape)}."
            )
        resid = resid.clone()
        resid[:, 1:] += strength * direction
        return resid

    return f"blocks.{layer}.hook_resid_pre", add


@torch.no_grad()
def generate(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    count: int,
    hooks: Sequence[tuple] = (),
    temperature: float = 0.8,
    seed: int = 0,
) -> Int[Tensor, "1 longer"]:
    """``count`` more tokens, drawn one by one under the hooks; the likeliest each time when ``temperature`` is 0."""
    check_one_text(tokens)
    generator = torch.Generator().manual_seed(seed)
    room = model.cfg.n_ctx - tokens.shape[1]
    for _ in range(
        count if room < 0 else min(count, room)
    ):  # a text that is too long is refused by the model
        with model.hooks(fwd_hooks=list(hooks)):
            logits = model(tokens)[0, -1]
        drawn = (
            torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator)
            if temperature > 0
            else logits.argmax()[None]
        )
        tokens = torch.cat([tokens, drawn[None]], dim=1)
    return tokens


def kl_divergence(
    plain: Float[Tensor, "text pos d_vocab"], steered: Float[Tensor, "text pos d_vocab"]
) -> Float[Tensor, ""]:
    """Mean KL divergence of the steered predictions from the plain ones, given as logits:  Σ p (log p - log q) , in nats a token."""
    log_p, log_q = plain.log_softmax(dim=-1), steered.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@torch.no_grad()
def side_effects(
    model: TransformerBridge, tokens: Int[Tensor, "text pos"], hooks: Sequence[tuple]
) -> dict[str, float]:
    """What hooks do to the prediction of other text: perplexity without and with them, and the mean KL divergence (nats a token)."""
    plain = model(tokens)[:, :-1]
    with model.hooks(fwd_hooks=list(hooks)):
        steered = model(tokens)[:, :-1]
    following = tokens[:, 1:].flatten()
    losses = [
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), following) for logits in (plain, steered)
    ]
    return {
        "perplexity": losses[0].exp().item(),
        "perplexity, steered": losses[1].exp().item(),
        "KL": kl_divergence(plain, steered).item(),
    }
