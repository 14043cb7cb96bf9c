"""What the line view shows: who asks whom, what comes back, and what everybody thinks after each layer ("people in a line")."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.line_view import Line
from helpers.sequences import check_one_text


@torch.no_grad()
def read_line(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], title: str = "", hooks: Sequence[tuple] = ()
) -> Line:
    """Run one text, under ``hooks`` if there are any, and read attention, logit lens and what each head's OV circuit raises.

    The logit lens after a layer is that layer's stream through the final LayerNorm and the unembedding; an answer is
    stream W_V W_O W_U of the person who is asked, whose LayerNorm scale changes no order.
    """
    check_one_text(tokens)
    if model.cfg.n_layers == 0:
        raise ValueError("this model has no layers: nobody in the line can ask. Load one that has some.")
    with model.hooks(fwd_hooks=list(hooks)):
        _, cache = model.run_with_cache(tokens)
    layers, words = range(model.cfg.n_layers), [model.tokenizer.decode(token) for token in tokens[0]]
    before = [cache[f"blocks.{layer}.hook_resid_pre"][0] for layer in layers]
    streams = [*before, cache[f"blocks.{layers[-1]}.hook_resid_post"][0]]
    thoughts = []
    for stream in streams:
        best = (model.ln_final(stream[None])[0] @ model.W_U + model.b_U).softmax(dim=-1).max(dim=-1)
        thoughts.append(list(zip(map(model.tokenizer.decode, best.indices), best.values.tolist())))
    answers = [
        [_changed_most(model, stream @ W_V @ W_O @ model.W_U) for W_V, W_O in zip(*weights)]
        for stream, *weights in zip(before, model.W_V, model.W_O)
    ]
    patterns = torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"][0] for layer in layers])
    return Line(title, words, patterns, thoughts, answers)


def _changed_most(model: TransformerBridge, logits: Float[Tensor, "pos d_vocab"]) -> list[list[str]]:
    """For each position the two tokens that are raised most and the one that is lowered most."""
    ids = torch.cat([logits.topk(2).indices, logits.argmin(dim=-1, keepdim=True)], dim=-1)
    return [[model.tokenizer.decode(token) for token in row] for row in ids]
