"""Steering: a direction is added to the stream while the model generates, and side effects."""

from functools import lru_cache
from html import escape

import torch
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.explorer.subject import token_of, tokens_of
from helpers.forward import Forward
from helpers.ioi import make_prompts
from helpers.page_data import VERBATIM_CLASSES
from helpers.run import Run
from helpers.steering import compare_predictions, contrast_vector, generate, sample, steering_hook

GENERATED_TOKENS = 12
MAX_TEXTS = 8  # of each kind


@torch.no_grad()
def show_steering(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    kind: str,
    positive: str,
    negative: str,
    word: str,
    layer: int,
    strength: float,
) -> list[HTML]:
    """Generated text and perplexity as they are, and under  strength × mean norm × direction.

    ``kind`` of direction: "contrast", the mean stream of ``positive`` minus that of ``negative``
    texts (one per line); or "word", the unembedding of ``word`` minus the mean unembedding.
    """
    direction = _direction(model, layer, kind, positive, negative, word)
    length = _length(model, tokens, layer)
    _, add = steering_hook(length * direction, layer, strength)
    (forward, prompts, logits), (plain, longest) = _prompts(model), _plain_text(model, tokens)

    def steered_logits(stream: Tensor, run: Run) -> Tensor:  # from the layer on: nothing changes before it
        return forward.logits(add(stream, None), (layer, "resid_pre"), run)

    def next_logits(text: Tensor) -> Tensor:
        return steered_logits(model(text, stop_at_layer=layer), longest)[0, -1]

    steered = sample(next_logits, tokens, plain.shape[1] - tokens.shape[1])
    effects = compare_predictions(logits, steered_logits(prompts.resid_pre[layer], prompts), prompts.tokens)
    added, perplexity = abs(strength) * length, effects["perplexity, steered"]
    rows = [
        _row(model, "as it is", plain, 0.0, effects["perplexity"], 0.0),
        _row(model, "steered", steered, added, perplexity, effects["KL"]),
    ]
    head = (
        "<tr><th></th><th style='text-align: left'>text</th>"
        f"<th>length added (the stream's: {length:.1f})</th>"
        "<th>perplexity of eight IOI prompts</th><th>KL, nats per token</th></tr>"
    )
    return [HTML(f'<table class="{VERBATIM_CLASSES}">{head}{"".join(rows)}</table>')]


@lru_cache(maxsize=1)  # the strength changes more often
def _direction(
    model: TransformerBridge, layer: int, kind: str, positive: str, negative: str, word: str
) -> Float[Tensor, " d_model"]:
    """A direction of length 1."""
    if kind == "word":
        direction = model.W_U[:, token_of(model, word)] - model.W_U.mean(dim=1)
    else:
        direction = contrast_vector(model, _texts(model, positive), _texts(model, negative), layer)
    if direction.norm() < 1e-6:
        raise ValueError(
            f"expected a difference between the texts before layer {layer}, got none: choose a later layer, "
            "or write other texts."
        )
    return direction / direction.norm()


def _texts(model: TransformerBridge, lines: str) -> list[str]:
    """The texts of one kind, one per line."""
    texts = [line.strip() for line in lines.splitlines() if line.strip()]
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise ValueError(f"expected 1 to {MAX_TEXTS} texts of each kind, one per line, got {len(texts)}.")
    for text in texts:
        tokens_of(model, text)  # refuses a text that is too long
    return texts


@lru_cache(maxsize=1)
def _length(model: TransformerBridge, tokens: Int[Tensor, "1 pos"], layer: int) -> float:
    """Mean norm of the stream before a layer, the first token aside."""
    return model(tokens, stop_at_layer=layer)[0, 1:].norm(dim=-1).mean().item()


@lru_cache(maxsize=1)
def _prompts(model: TransformerBridge) -> tuple[Forward, Run, Float[Tensor, "text pos d_vocab"]]:
    """A forward pass that begins anywhere, eight IOI prompts in it, and their logits."""
    forward = Forward(model, every_position=True)
    run = forward.run(make_prompts(model.tokenizer, 8).tokens)
    return forward, run, forward.logits(run.resid_pre[-1], forward.end, run)


@lru_cache(maxsize=1)
def _plain_text(model: TransformerBridge, tokens: Int[Tensor, "1 pos"]) -> tuple[Tensor, Run]:
    """The generated text [1, longer] as it is, and the run on it."""
    plain = generate(model, tokens, GENERATED_TOKENS)
    return plain, _prompts(model)[0].run(plain)


def _row(
    model: TransformerBridge,
    name: str,
    tokens: Int[Tensor, "1 pos"],
    added: float,
    perplexity: float,
    kl_divergence: float,
) -> str:
    """A row of the table, as HTML."""
    text = escape(model.tokenizer.decode(tokens[0, 1:]))
    return (
        f"<tr><th>{name}</th><td style='text-align: left; max-width: 420px; white-space: pre-wrap'>{text}…</td>"
        f"<td>{added:.1f}</td><td>{perplexity:.1f}</td><td>{kl_divergence:.2f}</td></tr>"
    )
