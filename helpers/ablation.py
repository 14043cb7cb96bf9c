"""Ablations: heads are taken away in several ways, and a circuit is what still works when everything else is.

"mean" and "resample" are over prompts that resemble the text but lack what is asked for; "zero" may be something the model
has never met. The library of lessons 4 and 5 (Wang et al. 2022, sections 3 and 4).
"""

from collections.abc import Callable, Sequence

import torch
from einops import einsum
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Head, Port, check_heads
from helpers.forward import Forward, Metric
from helpers.hooks import cut_path_hooks


def ablate_z(
    z: Float[Tensor, "batch pos head d_head"],
    head: int,
    kind: str,
    other: Float[Tensor, "batch pos head d_head"],
) -> Float[Tensor, "batch pos head d_head"]:
    """A copy of z in which one head is ablated: "zero", "mean" over the batch at each position, or "resample".

    ``other`` is z of other sequences: "resample" puts the head's z from there, "mean" and "zero" leave it unused.
    """
    if kind not in ("zero", "mean", "resample"):
        raise ValueError(f'expected a kind "zero", "mean" or "resample", got {kind!r}')
    new = z.clone()
    if kind == "zero":
        new[:, :, head] = 0
    elif kind == "mean":
        new[:, :, head] = z[:, :, head].mean(dim=0)
    else:
        new[:, :, head] = other[:, :, head]
    return new


def keys_without_path(
    keys: Float[Tensor, "batch pos head d_head"],
    store: Float[Tensor, "batch pos d_model"],
    W_K: Float[Tensor, "head d_model d_head"],
    reader: int,
) -> Float[Tensor, "batch pos head d_head"]:
    """A copy of a layer's keys in which head ``reader`` has not read ``store``: its keys less  store W_K ."""
    new = keys.clone()
    new[:, :, reader] -= store @ W_K[reader]
    return new


def group_means(
    z: Float[Tensor, "prompt pos head d_head"], groups: Int[Tensor, " prompt"]
) -> Float[Tensor, "prompt pos head d_head"]:
    """Z of each prompt replaced by the mean over the prompts of its group."""
    means = torch.empty_like(z)
    for group in groups.unique():
        same = groups == group
        means[same] = z[same].mean(dim=0)
    return means


@torch.no_grad()
def head_means(
    model: TransformerBridge, tokens: Int[Tensor, "prompt pos"], groups: Int[Tensor, " prompt"] | None = None
) -> list[Float[Tensor, "prompt pos head d_head"]]:
    """Mean z of every layer over the prompts of a prompt's group (its template); over all prompts without groups."""
    groups = torch.zeros(len(tokens), dtype=torch.long) if groups is None else groups
    return [group_means(z, groups) for z in Forward(model).run(tokens).z]


@torch.no_grad()
def keep_only(
    model: TransformerBridge,
    tokens: Int[Tensor, "prompt pos"],
    keep: Bool[Tensor, "layer head prompt pos"],
    otherwise: list[Float[Tensor, "prompt pos head d_head"]],
    metric: Metric,
) -> Float[Tensor, " prompt"]:
    """The metric when every head is replaced by ``otherwise`` but where ``keep`` says so. MLPs go on as they are."""
    cfg = model.cfg
    shape = (cfg.n_layers, cfg.n_heads, *tokens.shape)
    if keep.shape != shape:
        raise ValueError(f"expected keep [layer head prompt pos] = {list(shape)}, got {list(keep.shape)}")
    forward = Forward(model)
    base = forward.run(tokens)
    x = base.pre[0]
    for layer in range(cfg.n_layers):
        read = forward.ln1[layer](x)
        q, k, v = (forward.project(read, layer, part, slice(0, tokens.shape[1])) for part in PORTS)
        z = einsum(
            forward.pattern(q, k),
            v,
            "prompt head query key, prompt key head d_head -> prompt query head d_head",
        )
        kept = keep[layer].permute(1, 2, 0)[..., None]  # [prompt pos head 1]
        x = x + forward.store(torch.where(kept, z, otherwise[layer]), layer)
        x = forward.advance(x, (layer, "mid"), base, 0)
    return forward.finish(x, forward.steps[-1], base, 0, metric)[0]


def ablate(
    model: TransformerBridge,
    tokens: Int[Tensor, "prompt pos"],
    heads: Sequence[Head],
    metric: Metric,
    kind: str = "mean",
    other: Int[Tensor, "prompt pos"] | None = None,
    groups: Int[Tensor, " prompt"] | None = None,
) -> Float[Tensor, " prompt"]:
    """The metric with some heads ablated everywhere: "zero", "mean" or "by template" of ``other``, or "resample" from it.

    ``other`` is ``tokens`` itself unless given, which "resample" needs; "by template" takes the mean over the prompts of a prompt's group.
    """
    check_heads(model, heads)
    if kind == "resample" and other is None:
        raise ValueError('expected other, the prompts to resample from, for kind "resample", got none.')
    other = tokens if other is None else other
    if kind == "by template" and groups is None:
        raise ValueError('expected groups, the template of each prompt, for kind "by template", got none.')
    if kind in ("zero", "resample"):
        run = Forward(model).run(other)
        otherwise = [z * 0 if kind == "zero" else z for z in run.z]
    elif kind in ("mean", "by template"):
        otherwise = head_means(model, other, groups if kind == "by template" else None)
    else:
        raise ValueError(f'expected a kind "zero", "mean", "resample" or "by template", got {kind!r}')
    keep = torch.ones(model.cfg.n_layers, model.cfg.n_heads, *tokens.shape, dtype=torch.bool)
    for layer, head in heads:
        keep[layer, head] = False
    return keep_only(model, tokens, keep, otherwise, metric)


def circuit_mask(
    heads: list[tuple[int, int]], positions: Int[Tensor, "head prompt"], shape: tuple[int, int, int, int]
) -> Bool[Tensor, "layer head prompt pos"]:
    """Where a circuit's heads are kept: each at one position a prompt. ``shape`` is (layers, heads, prompts, positions)."""
    keep = torch.zeros(shape, dtype=torch.bool)
    for (layer, head), where in zip(heads, positions):
        keep[layer, head, torch.arange(len(where)), where] = True
    return keep


def fraction_recovered(
    circuit: Float[Tensor, " prompt"], nothing: Float[Tensor, " prompt"], whole: Float[Tensor, " prompt"]
) -> Float[Tensor, ""]:
    """Share of what the whole model does beyond nothing that a circuit does:  (circuit - nothing) / (whole - nothing) , of means."""
    return (circuit.mean() - nothing.mean()) / (whole.mean() - nothing.mean())


def faithfulness(
    model: TransformerBridge,
    tokens: Int[Tensor, "prompt pos"],
    keep: Bool[Tensor, "layer head prompt pos"],
    otherwise: list[Float[Tensor, "prompt pos head d_head"]],
    metric: Metric,
) -> Float[Tensor, ""]:
    """``fraction_recovered`` of a circuit, "nothing" being the model with every head replaced by ``otherwise``."""
    masks = (keep, torch.zeros_like(keep), torch.ones_like(keep))
    return fraction_recovered(*(keep_only(model, tokens, mask, otherwise, metric) for mask in masks))


def score_with_path_cut(
    model: TransformerBridge,
    tokens: Tensor,
    sender: tuple[int, int],
    receiver: tuple[int, int],
    port: Port,
    score: Callable[[Float[Tensor, "batch query key"]], Float[Tensor, ""]],
) -> float:
    """``score(pattern of the receiver)`` when one of its ports no longer reads the sender's output.

    Cutting the path into "v" leaves the pattern as it is.
    """
    layer, head = receiver
    name = f"blocks.{layer}.attn.hook_pattern"
    with model.hooks(fwd_hooks=cut_path_hooks(model, sender, receiver, port)):
        _, cache = model.run_with_cache(tokens, names_filter=name)
    return score(cache[name][:, head]).item()
