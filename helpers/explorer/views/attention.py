"""Attention patterns of all heads of one layer."""

from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.attention_view import attention_heads
from helpers.components import Head


def show_attention(model: TransformerBridge, tokens: Int[Tensor, "1 pos"], layer: int) -> list[HTML]:
    """The attention view of one layer."""
    pattern = f"blocks.{layer}.attn.hook_pattern"
    _, cache = model.run_with_cache(tokens, names_filter=pattern)
    words = [model.tokenizer.decode(token) for token in tokens[0]]
    names = [str(Head(layer, head)) for head in range(model.cfg.n_heads)]
    return [attention_heads(cache[pattern][0], words, names)]
