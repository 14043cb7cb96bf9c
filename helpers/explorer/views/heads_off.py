"""The prediction when some heads are ablated."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.subject import prediction, tokens_of
from helpers.forward import Forward
from helpers.hooks import replace_z_hooks
from helpers.ioi import make_prompts


@torch.no_grad()
def show_heads_off(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    source: str,
    right: str,
    wrong: str,
    heads: Sequence[tuple[int, int]],
    kind: str,
) -> list[HTML]:
    """The prediction of all heads, and without ``heads``.

    Their z is replaced: by zero, by its mean over prompts, or ("resample") by z on ``source``.
    """
    lines = [f"all heads: {prediction(model, model(tokens)[0, -1], right, wrong)}"]
    if heads:
        if kind == "resample":
            z_by_layer = Forward(model).run(tokens_of(model, source, length=tokens.shape[1])).z
        else:
            z_by_layer = [z if kind == "mean" else z * 0 for z in _mean_z(model)]
        with model.hooks(fwd_hooks=replace_z_hooks(heads, z_by_layer)):
            logits = model(tokens)[0, -1]
        names = ", ".join(str(Head(*head)) for head in heads)
        lines.append(f"without {names}: {prediction(model, logits, right, wrong)}")
    return [HTML("".join(f"<p>{line}</p>" for line in lines))]


@lru_cache(maxsize=1)
def _mean_z(model: TransformerBridge) -> list[Float[Tensor, "1 1 head d_head"]]:
    """Mean z of every layer over the positions of 32 IOI prompts."""
    run = Forward(model).run(make_prompts(model.tokenizer, 32).tokens)
    return [z.mean(dim=(0, 1), keepdim=True) for z in run.z]
