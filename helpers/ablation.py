"""Ablations: replace the output of heads, and measure what the model does without them.

"zero" may be an activation that the model never produces. "mean" and "resample" take the
replacement from reference prompts, which should resemble the text but lack the information that is
tested.

Wang et al. 2022, "Interpretability in the Wild", sections 2.2 (mean ablation, knock-outs) and 4
(faithfulness).
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Port, check_heads
from helpers.forward import Forward
from helpers.hooks import cut_path_hooks
from helpers.run import Metric, Tokens

AblationKind = Literal["zero", "mean", "resample", "by template"]


def ablate(
    model: TransformerBridge,
    tokens: Tokens,
    heads: Sequence[tuple[int, int]],
    metric: Metric,
    kind: AblationKind | str = "mean",
    reference_tokens: Tokens | None = None,
    groups: Int[Tensor, " prompt"] | None = None,
) -> Float[Tensor, " prompt"]:
    """Metric with some heads ablated at all positions.

    ``kind``: "zero"; "mean" over the reference prompts; "by template", the mean over the reference
    prompts of the same group; "resample", the same row of the reference prompts.
    ``reference_tokens`` are ``tokens`` unless given; "resample" needs them.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> ablate(model, model.to_tokens("the cat sat"), [(0, 3)], lambda logits: logits[:, 17]).shape
    torch.Size([1])
    """
    check_heads(model, heads)
    if kind not in get_args(AblationKind):
        raise ValueError(f"expected a kind among {', '.join(get_args(AblationKind))}, got {kind!r}.")
    if kind == "resample" and reference_tokens is None:
        raise ValueError('expected reference_tokens to resample from for kind "resample", got none.')
    if kind == "by template" and groups is None:
        raise ValueError('expected groups, the template of each prompt, for kind "by template", got none.')
    reference_tokens = tokens if reference_tokens is None else reference_tokens
    if kind in ("mean", "by template"):
        replacement = head_means(model, reference_tokens, groups if kind == "by template" else None)
    else:
        z = Forward(model).run(reference_tokens).z
        replacement = [0 * layer_z for layer_z in z] if kind == "zero" else z
    keep = torch.ones(model.cfg.n_layers, model.cfg.n_heads, *tokens.shape, dtype=torch.bool)
    for layer, head in heads:
        keep[layer, head] = False
    return keep_only(model, tokens, keep, replacement, metric)


@torch.no_grad()
def keep_only(
    model: TransformerBridge,
    tokens: Tokens,
    keep: Bool[Tensor, "..."],
    replacement: Sequence[Float[Tensor, "prompt pos head d_head"]],
    metric: Metric,
) -> Float[Tensor, " prompt"]:
    """Metric with the z of every head replaced where ``keep`` is False; MLPs stay as they are.

    ``keep`` is ``[layer head prompt pos]``; ``replacement`` holds the z of each layer, e.g. the
    ``head_means``.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> tokens = model.to_tokens("the cat sat")
    >>> keep, means = torch.ones(1, 6, *tokens.shape, dtype=torch.bool), head_means(model, tokens)
    >>> logit = keep_only(model, tokens, keep, means, lambda logits: logits[:, 17])
    >>> torch.allclose(logit, model(tokens)[:, -1, 17], atol=1e-4)
    True
    """
    shape = (model.cfg.n_layers, model.cfg.n_heads, *tokens.shape)
    if keep.shape != shape:
        raise ValueError(f"expected keep [layer head prompt pos] = {list(shape)}, got {list(keep.shape)}.")
    forward = Forward(model)
    base = forward.run(tokens)

    def replace(z, layer):
        keep_z = keep[layer].permute(1, 2, 0)[..., None].to(z.device)  # [prompt pos head 1]
        return torch.where(keep_z, z, replacement[layer])

    x = forward.end_under(replace, base.resid_pre[0], base)
    return forward.finish(x, forward.end, base, metric)[0]


@torch.no_grad()
def head_means(
    model: TransformerBridge, tokens: Tokens, groups: Int[Tensor, " prompt"] | None = None
) -> list[Float[Tensor, "prompt pos head d_head"]]:
    """Mean z of each layer over the prompts ``[prompt pos]`` of a group; without groups, over all.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> [z.shape for z in head_means(model, model.to_tokens(["a cat", "a dog"]))]
    [torch.Size([2, 3, 6, 64])]
    """
    groups = torch.zeros(len(tokens), dtype=torch.long) if groups is None else groups
    return [group_means(z, groups) for z in Forward(model).run(tokens).z]


def group_means(
    z: Float[Tensor, "prompt pos head d_head"], groups: Int[Tensor, " prompt"]
) -> Float[Tensor, "prompt pos head d_head"]:
    """Mean of z over the prompts of each prompt's group.

    >>> z = torch.tensor([1.0, 3.0, 7.0])[:, None, None, None]
    >>> group_means(z, torch.tensor([0, 0, 1])).flatten()
    tensor([2., 2., 7.])
    """
    means = torch.empty_like(z)
    for group in groups.unique():
        same = groups == group
        means[same] = z[same].mean(dim=0)
    return means


def faithfulness(
    model: TransformerBridge,
    tokens: Tokens,
    keep: Bool[Tensor, "layer head prompt pos"],
    replacement: Sequence[Float[Tensor, "prompt pos head d_head"]],
    metric: Metric,
) -> Float[Tensor, ""]:
    """Fraction of the metric that a circuit recovers: 0 with every head replaced, 1 with none.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> tokens = model.to_tokens(["a cat", "a dog"])
    >>> keep, zero_z = torch.ones(1, 6, 2, 3, dtype=torch.bool), [torch.zeros(2, 3, 6, 64)]
    >>> faithfulness(model, tokens, keep, zero_z, lambda logits: logits[:, 17])
    tensor(1.)
    """
    masks = (keep, torch.zeros_like(keep), torch.ones_like(keep))
    return fraction_recovered(*(keep_only(model, tokens, mask, replacement, metric) for mask in masks))


def fraction_recovered(
    circuit: Float[Tensor, " prompt"], nothing: Float[Tensor, " prompt"], full: Float[Tensor, " prompt"]
) -> Float[Tensor, ""]:
    """Fraction of the full model's effect that a circuit has.

    (circuit - nothing) / (full - nothing) , each the mean over prompts; "nothing" has all heads
    replaced.

    >>> fraction_recovered(*torch.tensor([[3.0, 3.0], [1.0, 1.0], [4.0, 6.0]]))
    tensor(0.5000)
    """
    return (circuit.mean() - nothing.mean()) / (full.mean() - nothing.mean())


def circuit_mask(
    heads: Sequence[tuple[int, int]],
    positions: Int[Tensor, "listed_head prompt"],
    shape: tuple[int, int, int, int],
) -> Bool[Tensor, "layer head prompt pos"]:
    """Mask that keeps each head of a circuit at one position per prompt.

    ``shape`` is (layers, heads, prompts, positions). A head may be listed twice.

    >>> circuit_mask([(0, 1)], torch.tensor([[2, 0]]), (1, 2, 2, 3))[0, 1]
    tensor([[False, False,  True],
            [ True, False, False]])
    """
    keep = torch.zeros(shape, dtype=torch.bool)
    for (layer, head), head_positions in zip(heads, positions):
        keep[layer, head, torch.arange(len(head_positions)), head_positions] = True
    return keep


def score_with_path_cut(
    model: TransformerBridge,
    tokens: Int[Tensor, "batch pos"],
    sender: tuple[int, int],
    receiver: tuple[int, int],
    port: Port | str,
    score: Callable[[Float[Tensor, "batch query key"]], Float[Tensor, ""]],
) -> float:
    """``score(pattern of the receiver)`` when one of its ports does not read the sender's output.

    Cutting the path into "v" leaves the pattern unchanged.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> tokens = model.to_tokens("the cat sat")
    >>> 0 < score_with_path_cut(model, tokens, (0, 1), (1, 2), "k", torch.max) <= 1
    True
    """
    layer, head = receiver
    name = f"blocks.{layer}.attn.hook_pattern"
    with model.hooks(fwd_hooks=cut_path_hooks(model, sender, receiver, port)):
        _, cache = model.run_with_cache(tokens, names_filter=name)
    return score(cache[name][:, head]).item()


def ablate_z(
    z: Float[Tensor, "batch pos head d_head"],
    head: int,
    kind: str,
    resampled_z: Float[Tensor, "batch pos head d_head"],
) -> Float[Tensor, "batch pos head d_head"]:
    """Copy of z with one head ablated: "zero", "mean" over the batch at each position, "resample".

    ``resampled_z`` is z on other sequences; only "resample" uses it.

    >>> z = torch.tensor([1.0, 3.0])[:, None, None, None]  # two sequences
    >>> ablate_z(z, 0, "mean", z).flatten()
    tensor([2., 2.])
    """
    if kind not in ("zero", "mean", "resample"):
        raise ValueError(f'expected a kind "zero", "mean" or "resample", got {kind!r}.')
    ablated = z.clone()
    if kind == "zero":
        ablated[:, :, head] = 0
    elif kind == "mean":
        ablated[:, :, head] = z[:, :, head].mean(dim=0)
    else:
        ablated[:, :, head] = resampled_z[:, :, head]
    return ablated


def keys_without_path(
    keys: Float[Tensor, "batch pos head d_head"],
    sender_output: Float[Tensor, "batch pos d_model"],
    W_K: Float[Tensor, "head d_model d_head"],
    receiver: int,
) -> Float[Tensor, "batch pos head d_head"]:
    """Copy of a layer's keys in which head ``receiver`` does not read ``sender_output``.

    keys − sender_output W_K  for this head. The same formula holds for queries and values.

    >>> keys, sender_output, W_K = torch.ones(1, 1, 2, 1), torch.ones(1, 1, 3), torch.ones(2, 3, 1)
    >>> keys_without_path(keys, sender_output, W_K, 0).flatten()
    tensor([-2.,  1.])
    """
    cut_keys = keys.clone()
    cut_keys[:, :, receiver] -= sender_output @ W_K[receiver]
    return cut_keys
