"""Activation patching between two texts: the effect of every patch, and one patch."""

import torch
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.subject import token_of, tokens_of
from helpers.explorer.views.predictions import next_logits, prediction_bars
from helpers.hooks import patch_hooks
from helpers.patching import patch_heads, patch_residual
from helpers.run import LogitDiff


def logit_difference(model: TransformerBridge, right: str, wrong: str) -> LogitDiff:
    """The logit of the answer minus that of the other answer, for one text."""
    return LogitDiff(*(torch.tensor([token_of(model, word)]) for word in (right, wrong)))


def show_effects(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], source: str, right: str, wrong: str, part: str
) -> Float[Tensor, "layer index"]:
    """The logit difference at the end of the text after each patch of one part.

    ``part``: "resid", one patch per position; or "q", "k", "v" or "out" (z), one patch per head.
    Keys and values that several query heads share count as one head.
    """
    metric = logit_difference(model, right, wrong)
    arguments = (model, tokens, tokens_of(model, source, length=tokens.shape[1]), metric)
    if part == "resid":
        return patch_residual(*arguments)[..., 0]
    return patch_heads(*arguments, part=part, shared=part in ("k", "v"))[..., 0]


@torch.no_grad()
def show_patch(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    source: str,
    right: str,
    wrong: str,
    part: str,
    position: int,
    layer: int,
    head: int,
) -> list[HTML]:
    """The prediction after the last token under one patch.

    It patches the stream at ``position`` before ``layer`` if ``part`` is "resid", else a head.
    """
    index, name = head, f"{part} of head {Head(layer, head)}"
    if part == "resid":
        index, name = position, f"stream at {position} before layer {layer}"
    elif part in ("k", "v"):
        index = head * model.W_K.shape[1] // model.cfg.n_heads
    source_tokens = tokens_of(model, source, length=tokens.shape[1])
    with model.hooks(fwd_hooks=patch_hooks(model, source_tokens, layer, part, index)):
        patched = model(tokens)[0, -1]
    series = {"all heads": next_logits(model, tokens, -1), f"patched: {name}": patched}
    metric = logit_difference(model, right, wrong)
    before, after = (metric(logits[None]).item() for logits in series.values())
    title = f"next token after the last position; logit of {right} over {wrong}: {before:+.2f} → {after:+.2f}"
    return [prediction_bars(model, series, title)]
