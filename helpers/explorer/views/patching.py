"""Activation patching between two texts: the effect of every patch, and one patch drawn."""

from functools import lru_cache, partial

import torch
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.subject import logit_diff, prediction, tokens_of
from helpers.hooks import patch_hooks
from helpers.line import read_line
from helpers.line_view import line_view
from helpers.patching import patch_heads, patch_residual

_line = lru_cache(maxsize=1)(read_line)  # of the text as it is: another patch leaves it


def show_effects(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], source: str, right: str, wrong: str, part: str
) -> list[Float[Tensor, "layer index"]]:
    """The logit difference after each patch of one part.

    ``part``: "resid", one patch per position; or "q", "k", "v" or "out" (z), one patch per head.
    """
    metric = partial(logit_diff, model, right=right, wrong=wrong)
    arguments = (model, tokens, tokens_of(model, source, length=tokens.shape[1]), metric)
    effects = patch_residual(*arguments) if part == "resid" else patch_heads(*arguments, part=part)
    return [effects[..., 0]]


@torch.no_grad()
def show_patch(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    prompt: str,
    source: str,
    right: str,
    wrong: str,
    part: str,
    layer: int,
    index: int,
) -> list[HTML]:
    """The prediction under one patch, and the line view without and with the patch.

    ``index`` is a position if ``part`` is "resid", else a head.
    """
    hooks = patch_hooks(model, tokens_of(model, source, length=tokens.shape[1]), layer, part, index)
    with model.hooks(fwd_hooks=hooks):
        logits = model(tokens)[0, -1]
    name = f"position {index}, before layer {layer}" if part == "resid" else f"{part} of {Head(layer, index)}"
    lines = [_line(model, tokens, prompt), read_line(model, tokens, f"patched: {name}", hooks)]
    return [
        HTML(f"<p>patched: {prediction(model, logits, right, wrong)}</p>"),
        line_view(*lines, layer=model.cfg.n_layers - 1),
    ]
