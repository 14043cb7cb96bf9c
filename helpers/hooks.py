"""Every way to replace an activation while a model runs: lists of hooks for ``model.hooks(fwd_hooks=[...])``.

A hook returns a changed copy of the activation. The original stays as the model computed it, so a cache that
another hook filled is not changed behind its back.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Hook, Port, check_port

PATCHABLE = {
    "resid": "hook_resid_pre",
    "q": "attn.hook_q",
    "k": "attn.hook_k",
    "v": "attn.hook_v",
    "out": "attn.hook_z",
}


def replace_hook(name: str, values: Tensor, index: tuple) -> Hook:
    """A hook that puts ``values[index]`` in place of ``activation[index]``."""

    def replace(activation, hook):
        activation = activation.clone()
        activation[index] = values[index]
        return activation

    return name, replace


def replace_z_hooks(
    heads: Sequence[tuple[int, int]], z_by_layer: Sequence[Float[Tensor, "#prompt #pos head d_head"]]
) -> list[Hook]:
    """Hooks that replace the z of some heads by that of ``z_by_layer``, in any run of the model."""
    return [
        replace_hook(f"blocks.{layer}.attn.hook_z", z_by_layer[layer], (slice(None), slice(None), head))
        for layer, head in heads
    ]


@torch.no_grad()
def patch_hooks(
    model: TransformerBridge, source: Int[Tensor, "1 pos"], layer: int, part: str, index: int
) -> list[Hook]:
    """Hooks that patch one activation from the run on ``source``, a text of the same length.

    ``part``: "resid", the residual stream before ``layer`` at position ``index``; or "q", "k", "v" or "out" (z) of
    head ``index``, at all positions.
    """
    if part not in PATCHABLE:
        raise ValueError(f"expected a part among {', '.join(PATCHABLE)}, got {part!r}.")
    name = f"blocks.{layer}.{PATCHABLE[part]}"
    _, cache = model.run_with_cache(source, names_filter=name)
    values = cache[name]
    place = (slice(None), index) if part == "resid" else (slice(None), slice(None), index)
    _, replace = replace_hook(name, values, place)

    def patch(activation, hook):
        if activation.shape != values.shape:
            raise ValueError(
                f"expected texts of equal length, got {activation.shape[1]} and {values.shape[1]} tokens."
            )
        return replace(activation, hook)

    return [(name, patch)]


def cut_path_hooks(
    model: TransformerBridge, sender: tuple[int, int], receiver: tuple[int, int], port: Port
) -> list[Hook]:
    """Hooks under which one port of the receiver no longer reads what the sender wrote.

    The sender's output, carried through ``W_Q``, ``W_K`` or ``W_V`` of the receiver, is subtracted from the
    receiver's query, key or value. All other heads still read it. Exact where no LayerNorm stands between.
    """
    check_port(port)
    (sender_layer, sender_head), (receiver_layer, receiver_head) = sender, receiver
    if sender_layer >= receiver_layer:
        raise ValueError(
            f"{sender_layer}.{sender_head} writes nothing that {receiver_layer}.{receiver_head} reads: "
            "the receiver must be in a later layer than the sender."
        )
    W = {"q": model.W_Q, "k": model.W_K, "v": model.W_V}[port][receiver_layer, receiver_head]
    written = {}

    def record(z, hook):
        written["output"] = z[:, :, sender_head] @ model.W_O[sender_layer, sender_head]

    def subtract(activation, hook):  # [batch pos head d_head]
        activation = activation.clone()
        activation[:, :, receiver_head] -= written["output"] @ W
        return activation

    return [
        (f"blocks.{sender_layer}.attn.hook_z", record),
        (f"blocks.{receiver_layer}.attn.hook_{port}", subtract),
    ]
