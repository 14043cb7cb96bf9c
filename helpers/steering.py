"""Steering: add a direction to the residual stream during generation, and measure side effects.

A direction from contrast pairs is the mean difference of the streams on two kinds of text (Turner
et al. 2023, https://arxiv.org/abs/2308.10248; Rimsky et al. 2023,
https://arxiv.org/abs/2312.06681).
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Hook
from helpers.sequences import check_one_text


@torch.no_grad()
def contrast_vector(
    model: TransformerBridge, positive: Sequence[str], negative: Sequence[str], layer: int
) -> Float[Tensor, " d_model"]:
    """Difference of the mean streams before ``layer`` at the last token, positive minus negative.

    Raises ``ValueError`` unless both are lists with at least one text.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> contrast_vector(model, ["the cat"], ["the dog", "the cat"], layer=0).shape
    torch.Size([384])
    """
    if not positive or not negative or isinstance(positive, str) or isinstance(negative, str):
        raise ValueError(
            "expected lists of texts of both kinds, got an empty list or a single text: "
            "pass at least one text of each kind, in a list."
        )

    def mean_stream(texts: Sequence[str]) -> Float[Tensor, " d_model"]:
        streams = [model(model.to_tokens(text), stop_at_layer=layer)[0, -1] for text in texts]
        return torch.stack(streams).mean(dim=0)

    return mean_stream(positive) - mean_stream(negative)


def steering_hook(direction: Tensor, layer: int, strength: float) -> Hook:
    """Hook that adds ``strength · direction`` to the stream before ``layer``, not at position 0.

    ``direction`` is ``[d_model]``. Raises ``ValueError`` for another shape, and for numbers that
    are not finite.

    >>> name, hook = steering_hook(torch.ones(1), layer=3, strength=2.0)
    >>> name, hook(torch.zeros(1, 3, 1), None).flatten()
    ('blocks.3.hook_resid_pre', tensor([0., 2., 2.]))
    """
    if direction.ndim != 1 or not torch.isfinite(direction).all():
        raise ValueError(
            f"expected a direction [d_model] of finite numbers, got {list(direction.shape)} with "
            f"{(~torch.isfinite(direction)).sum()} that are not finite: check how it was computed."
        )
    if not abs(strength) < float("inf"):  # false for NaN, too
        raise ValueError(f"expected a strength that is a finite number, got {strength}: choose another.")

    def add(resid, hook):
        if len(direction) != resid.shape[-1]:
            raise ValueError(
                f"expected a direction [d_model] = [{resid.shape[-1]}], got {list(direction.shape)}: "
                "take it from the model that you steer."
            )
        resid = resid.clone()
        resid[:, 1:] += strength * direction
        return resid

    return f"blocks.{layer}.hook_resid_pre", add


@torch.no_grad()
def generate(
    model: TransformerBridge,
    tokens: Tensor,
    count: int,
    hooks: Sequence[Hook] = (),
    temperature: float = 0.8,
    seed: int = 0,
) -> Int[Tensor, "1 longer"]:
    """``tokens`` [1, pos] and ``count`` more, sampled one by one under the hooks.

    The likeliest token each time when ``temperature`` is 0. Stops where the model's context ends.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> generate(model, model.to_tokens("the cat"), count=5).shape
    torch.Size([1, 8])
    """
    check_one_text(tokens)
    free_positions = model.cfg.n_ctx - tokens.shape[1]
    if free_positions >= 0:  # the model itself refuses a text that is too long
        count = min(count, free_positions)

    def next_logits(tokens: Tensor) -> Tensor:
        with model.hooks(fwd_hooks=list(hooks)):
            return model(tokens)[0, -1]

    return sample(next_logits, tokens, count, temperature, seed)


@torch.no_grad()
def sample(
    next_logits: Callable[[Tensor], Tensor],
    tokens: Int[Tensor, "1 pos"],
    count: int,
    temperature: float = 0.8,
    seed: int = 0,
) -> Int[Tensor, "1 longer"]:
    """``tokens`` and ``count`` more; ``next_logits`` of a text are those [d_vocab] after its end.

    >>> sample(lambda tokens: torch.arange(3.0), torch.tensor([[1]]), count=2, temperature=0.0)
    tensor([[1, 2, 2]])
    """
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        logits = next_logits(tokens)
        following = (
            torch.multinomial((logits / temperature).softmax(dim=-1).cpu(), 1, generator=generator)
            if temperature > 0
            else logits.argmax()[None]
        )
        tokens = torch.cat([tokens, following[None].to(tokens.device)], dim=1)
    return tokens


def kl_divergence(
    plain: Float[Tensor, "text pos d_vocab"], steered: Float[Tensor, "text pos d_vocab"]
) -> Float[Tensor, ""]:
    """Mean KL divergence of steered from plain predictions, in nats per token.

    The formula is  Σ p (log p - log q). Both are given as logits: p is the softmax of ``plain``, q
    that of ``steered``.

    >>> kl_divergence(torch.zeros(1, 1, 2), torch.tensor([[[9.0, -9.0]]]))
    tensor(8.3069)
    """
    log_p, log_q = plain.log_softmax(dim=-1), steered.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@torch.no_grad()
def side_effects(
    model: TransformerBridge, tokens: Int[Tensor, "text pos"], hooks: Sequence[Hook]
) -> dict[str, float]:
    """Perplexity without and with hooks on some text, and the mean KL divergence in nats per token.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> effects = side_effects(model, model.to_tokens("the cat sat"), hooks=[])
    >>> list(effects), effects["KL"]
    (['perplexity', 'perplexity, steered', 'KL'], 0.0)
    """
    plain = model(tokens)
    with model.hooks(fwd_hooks=list(hooks)):
        return compare_predictions(plain, model(tokens), tokens)


def compare_predictions(
    plain: Float[Tensor, "text pos d_vocab"],
    steered: Float[Tensor, "text pos d_vocab"],
    tokens: Int[Tensor, "text pos"],
) -> dict[str, float]:
    """Perplexities of a text under both logits, and the mean KL divergence in nats per token.

    >>> logits = torch.zeros(1, 3, 2)
    >>> compare_predictions(logits, logits, torch.tensor([[0, 1, 1]]))["perplexity"]
    2.0
    """
    plain, steered = plain[:, :-1], steered[:, :-1]
    following = tokens[:, 1:].flatten().to(plain.device)
    losses = [cross_entropy(logits.flatten(0, 1), following) for logits in (plain, steered)]
    return {
        "perplexity": losses[0].exp().item(),
        "perplexity, steered": losses[1].exp().item(),
        "KL": kl_divergence(plain, steered).item(),
    }
