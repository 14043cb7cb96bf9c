"""A run of the small GPT-2 written out, as the oracle of exercises 5.6 and 5.7."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from transformer_lens.model_bridge import TransformerBridge


def run_to_logits(
    model: TransformerBridge,
    stream: Tensor,
    first_layer: int,
    change_z: Callable[[Tensor], Tensor] = lambda z: z,
) -> Tensor:
    """Return the logits at END, ``[prompt d_vocab]``, for a stream before a layer.

    ``stream`` is ``[prompt pos d_model]``; ``change_z`` gets the z of that layer,
    ``[prompt head pos d_head]``, and returns what takes its place.
    """
    for layer in range(first_layer, model.cfg.n_layers):
        z = _z(model, stream, layer)
        z = change_z(z) if layer == first_layer else z
        stream = stream + torch.einsum("bhpd,hdm->bpm", z, model.W_O[layer]) + model.b_O[layer]
        pre = _norm(stream) @ model.W_in[layer] + model.b_in[layer]
        post = functional.gelu(pre, approximate="tanh")
        stream = stream + post @ model.W_out[layer] + model.b_out[layer]
    return _norm(stream[:, -1]) @ model.W_U + model.b_U


def _z(model: TransformerBridge, stream: Tensor, layer: int) -> Tensor:
    weights = ((model.W_Q, model.b_Q), (model.W_K, model.b_K), (model.W_V, model.b_V))
    q, k, v = (torch.einsum("bpm,hmd->bhpd", _norm(stream), W[layer]) + b[layer][:, None] for W, b in weights)
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:])
