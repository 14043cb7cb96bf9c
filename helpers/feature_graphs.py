"""Attribution graphs through the features of a transcoder: from tokens to features to a metric.

Each edge is linear: an activation times a gradient (Dunefsky et al. 2024, section 4,
https://arxiv.org/abs/2406.11944). What the transcoder misses is a node of its own (Marks et al.
2024, https://arxiv.org/abs/2403.19647).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Component
from helpers.forward import Forward
from helpers.residual import decompose
from helpers.run import Metric, Tokens
from helpers.transcoders import Transcoder


def feature_attributions(
    features: Float[Tensor, "prompt pos feature"],
    W_dec: Float[Tensor, "feature d_model"],
    b_dec: Float[Tensor, " d_model"],
    mlp_out: Float[Tensor, "prompt pos d_model"],
    gradient: Float[Tensor, "prompt pos d_model"],
) -> tuple[Float[Tensor, "prompt pos feature"], Float[Tensor, "prompt pos"], Float[Tensor, "prompt pos"]]:
    """Linear effect of each feature on a metric, of the decoder's bias, and of the error.

    a_f (d_f · g),  b_dec · g,  and  (mlp_out − reconstruction) · g , where g is the gradient of the
    metric with respect to the MLP's output. They sum to  mlp_out · g .

    >>> features, W_dec, ones = torch.tensor([[[2.0]]]), torch.tensor([[3.0]]), torch.ones(1, 1, 1)
    >>> feature_attributions(features, W_dec, torch.zeros(1), 7 * ones, ones)
    (tensor([[[6.]]]), tensor([[0.]]), tensor([[1.]]))
    """
    by_feature = features * (gradient @ W_dec.T)
    error = mlp_out - (features @ W_dec + b_dec)
    return by_feature, gradient @ b_dec, (error * gradient).sum(dim=-1)


def mlp_gradient(
    model: TransformerBridge, tokens: Tokens, layer: int, metric: Metric
) -> Float[Tensor, "prompt pos d_model"]:
    """Gradient of a metric with respect to the output of a layer's MLP.

    >>> from helpers.models import load_model
    >>> model = load_model("ioi-gpt2")
    >>> mlp_gradient(model, model.to_tokens("the cat"), 0, lambda logits: logits[:, 7]).shape
    torch.Size([1, 3, 256])
    """
    forward = Forward(model)
    run = forward.run(tokens)
    stream = run.resid_pre[layer + 1].clone().requires_grad_()
    with torch.enable_grad():
        value = forward.finish(stream, (layer + 1, "resid_pre"), run, metric).sum()
    return torch.autograd.grad(value, stream)[0]


def receiver_gradients(
    model: TransformerBridge, tokens: Tokens, layer: int, metric: Metric
) -> tuple[Float[Tensor, "receiver prompt pos d_model"], list[Component | str]]:
    """Gradient of a metric with respect to an MLP's output, by what reads it first.

    Receivers are the values of every later head, later MLPs, and the logits. Attention patterns are
    frozen (Dunefsky et al. 2024, section 4), so the gradients sum to that with frozen patterns.
    Raises ``ValueError`` for a model whose attention and MLP read the same stream.

    >>> from helpers.models import load_model
    >>> model = load_model("ioi-gpt2")
    >>> tokens, metric = model.to_tokens("a cat"), lambda logits: logits[:, 7]
    >>> print(*receiver_gradients(model, tokens, 4, metric)[1])
    5.0 5.1 5.2 5.3 5.4 5.5 5.6 5.7 mlp 5 logits
    """
    forward = Forward(model)
    if forward.parallel:
        raise ValueError("expected an MLP after attention, got parallel blocks: use mlp_gradient.")
    run, attention = forward.run(tokens), forward.attention
    stream, inputs = run.resid_pre[layer + 1], {}

    def read(name: Component | str) -> Tensor:
        """Return the stream as one receiver reads it, by an input of its own."""
        inputs[name] = torch.zeros_like(stream).requires_grad_()
        return stream + inputs[name]

    with torch.enable_grad():
        for later in range(layer + 1, forward.n_layers):
            q, k = (getattr(run, port)[later] for port in "qk")
            values = []
            for head in range(attention.n_heads):
                normalized = forward.ln1[later](read(Component("head", later, head)))
                v = attention.for_each_query_head(attention.project(normalized, later, "v"))
                values.append(v[:, :, head])
            z = attention.z(q, attention.for_each_query_head(k), torch.stack(values, 2), later, run.rotary)
            stream = stream + attention.out(z, later)
            stream = stream + forward.mlp_out(read(Component("mlp", later)), later)
        value = forward.finish(read("logits"), forward.end, run, metric).sum()
    return torch.stack(torch.autograd.grad(value, list(inputs.values()))), list(inputs)


@torch.no_grad()
def feature_inputs(
    model: TransformerBridge, transcoder: Transcoder, tokens: Int[Tensor, "1 pos"], feature: int
) -> tuple[Float[Tensor, "component pos"], list[Component]]:
    """Parts of a feature's pre-activation: embedding, positions, heads and biases before the MLP.

    component / scale · W_enc[:, feature] , with the scale of the norm frozen. With b_enc they sum
    to the pre-activation. For the first MLP the heads are those of layer 0.

    >>> from helpers.models import load_model
    >>> from helpers.transcoders import load_transcoder
    >>> model = load_model("ioi-gpt2")
    >>> parts, names = feature_inputs(model, load_transcoder(), model.to_tokens("a cat"), feature=5)
    >>> parts.shape, print(*names[:3])
    embedding position 0.0
    (torch.Size([11, 3]), None)
    """
    _, cache = model.run_with_cache(tokens)
    outputs, components = decompose(model, cache)
    # the order is that of writing, so what an MLP reads stands before it
    before = components.index(Component("mlp", transcoder.layer))
    centred = outputs[:before] - outputs[:before].mean(dim=-1, keepdim=True)
    scale = cache[f"blocks.{transcoder.layer}.ln2.hook_scale"][0]
    return centred / scale @ transcoder.W_enc[:, feature], components[:before]


@torch.no_grad()
def without_features(
    model: TransformerBridge,
    transcoder: Transcoder,
    tokens: Tokens,
    removed: Tensor,
    metric: Metric,
) -> Float[Tensor, "set prompt"]:
    """Metric when sets of features are removed from the MLP's own output, each set by itself.

    mlp_out − Σ_removed a_f d_f : the bias and the reconstruction error stay. ``removed`` is True
    for the features of a set: ``[set feature]`` removes them at all positions, ``[set prompt pos
    feature]`` at some, where prompt and pos may have length 1. Raises ``ValueError`` for anything
    else.

    >>> from helpers.models import load_model
    >>> from helpers.transcoders import load_transcoder
    >>> model, transcoder = load_model("ioi-gpt2"), load_transcoder()
    >>> nothing = torch.zeros(1, len(transcoder.b_enc), dtype=torch.bool)
    >>> tokens, metric = model.to_tokens("the cat"), lambda logits: logits[:, 7]
    >>> diffs = without_features(model, transcoder, tokens, nothing, metric)
    >>> torch.allclose(diffs[0], model(tokens)[:, -1, 7], atol=1e-4)
    True
    """
    n_features = len(transcoder.b_enc)
    if removed.dtype != torch.bool or removed.ndim not in (2, 4) or removed.shape[-1] != n_features:
        raise ValueError(
            f"expected a mask [set, feature] with {n_features} features, got {removed.dtype} "
            f"{list(removed.shape)}: set True for the features to remove."
        )
    forward, step = Forward(model), (transcoder.layer + 1, "resid_pre")
    run = forward.run(tokens)
    features, _ = transcoder(forward.ln2[transcoder.layer](run.resid_mid[transcoder.layer]))
    masks = removed if removed.ndim == 4 else removed[:, None, None]
    streams = [run.at(step) - (features * mask) @ transcoder.W_dec for mask in masks]
    return forward.finish(torch.cat(streams), step, run, metric)
