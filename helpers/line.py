"""Data of the line view ("people in a line"): attention, logit lens and OV outputs on one text.

The logit lens is nostalgebraist's (2020, "interpreting GPT: the logit lens").
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Hook, head_weights
from helpers.line_view import Line
from helpers.sequences import check_one_text


@torch.no_grad()
def read_line(
    model: TransformerBridge, tokens: Int[Tensor, "..."], title: str = "", hooks: Sequence[Hook] = ()
) -> Line:
    """Run one text ``[1, pos]``, under ``hooks`` if any, and return the data of its line view.

    The logit lens after a layer is the stream there through the final LayerNorm and the
    unembedding. The top outputs of a head at a position are the two tokens that  stream W_V W_O W_U
    raises most and the token that it lowers most; a LayerNorm's scale would not change their order.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> line = read_line(model, model.to_tokens("the cat sat"))
    >>> line.tokens, line.patterns.shape
    (['<|bos|>', 'the', ' cat', ' sat'], torch.Size([1, 6, 4, 4]))
    """
    check_one_text(tokens)
    if model.cfg.n_layers == 0:
        raise ValueError(
            'expected a model with attention layers, got one that has no layers: try "attn-only-1l".'
        )
    with model.hooks(fwd_hooks=list(hooks)):
        _, cache = model.run_with_cache(tokens)
    layers = range(model.cfg.n_layers)
    before = [cache[f"blocks.{layer}.hook_resid_pre"][0] for layer in layers]
    streams = [*before, cache[f"blocks.{layers[-1]}.hook_resid_post"][0]]
    outputs = []
    for stream, W_V, W_O in zip(before, *head_weights(model)[2:]):
        logits = stream @ W_V @ W_O @ model.W_U  # [head pos d_vocab]: all heads of a layer at once
        outputs.append([_top_outputs(model, of_head) for of_head in logits])
    patterns = torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"][0] for layer in layers])
    words = [model.tokenizer.decode(token) for token in tokens[0]]
    return Line(title, words, patterns, [_logit_lens(model, stream) for stream in streams], outputs)


def _top_outputs(model: TransformerBridge, logits: Float[Tensor, "pos d_vocab"]) -> list[list[str]]:
    """For each position, the two tokens with the highest logits and the token with the lowest."""
    ids = torch.cat([logits.topk(2).indices, logits.argmin(dim=-1, keepdim=True)], dim=-1)
    return [[model.tokenizer.decode(token) for token in row] for row in ids]


def _logit_lens(model: TransformerBridge, stream: Float[Tensor, "pos d_model"]) -> list[tuple[str, float]]:
    """For each position, the token with the highest probability and this probability."""
    logits = model.ln_final(stream[None])[0] @ model.W_U + model.b_U
    best = logits.softmax(dim=-1).max(dim=-1)
    return list(zip(map(model.tokenizer.decode, best.indices), best.values.tolist()))
