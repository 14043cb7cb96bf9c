"""Every way to replace an activation while a model runs.

Each function returns hooks for ``model.hooks(fwd_hooks=[...])``. A hook returns a changed copy of
the activation. The original tensor stays as the model computed it, so a cache that holds this
tensor keeps the model's own values.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Hook, Port, check_path, check_port, head_weights

HOOK_POINTS = {
    "resid": "hook_resid_pre",
    "q": "attn.hook_q",
    "k": "attn.hook_k",
    "v": "attn.hook_v",
    "out": "attn.hook_z",
}


def replace_z_hooks(
    heads: Sequence[tuple[int, int]], z_by_layer: Sequence[Float[Tensor, "#prompt #pos head d_head"]]
) -> list[Hook]:
    """Hooks that replace the z of some heads by that of ``z_by_layer``.

    >>> z_by_layer = [torch.zeros(1, 1, 3, 4)] * 2  # broadcast over prompts and positions
    >>> [name for name, function in replace_z_hooks([(0, 1), (1, 0)], z_by_layer)]
    ['blocks.0.attn.hook_z', 'blocks.1.attn.hook_z']
    """
    return [
        replace_hook(f"blocks.{layer}.attn.hook_z", z_by_layer[layer], (slice(None), slice(None), head))
        for layer, head in heads
    ]


@torch.no_grad()
def patch_hooks(
    model: TransformerBridge, source: Int[Tensor, "1 pos"], layer: int, part: str, index: int
) -> list[Hook]:
    """Hooks that patch one activation from the run on ``source``, a text of the same length.

    ``part``: "resid" is the residual stream before ``layer`` at position ``index``; "q", "k", "v"
    and "out" (z) belong to head ``index``, at all positions: a key head for "k" and "v".

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> [(name, _)] = patch_hooks(model, model.to_tokens("the cat sat"), layer=0, part="q", index=3)
    >>> name
    'blocks.0.attn.hook_q'
    """
    if part not in HOOK_POINTS:
        raise ValueError(f"expected a part among {', '.join(HOOK_POINTS)}, got {part!r}.")
    name = f"blocks.{layer}.{HOOK_POINTS[part]}"
    _, cache = model.run_with_cache(source, names_filter=name)
    values = cache[name]
    patched_index = (slice(None), index) if part == "resid" else (slice(None), slice(None), index)
    _, replace = replace_hook(name, values, patched_index)

    def patch(activation, hook):
        if activation.shape != values.shape:
            raise ValueError(
                f"expected texts of equal length, got {activation.shape[1]} and {values.shape[1]} tokens."
            )
        return replace(activation, hook)

    return [(name, patch)]


def replace_hook(name: str, values: Tensor, index: tuple) -> Hook:
    """Hook that puts ``values[index]`` in place of ``activation[index]``.

    >>> _, replace = replace_hook("blocks.0.attn.hook_z", torch.zeros(1, 2), (slice(None), 1))
    >>> replace(torch.ones(1, 2), hook=None)
    tensor([[1., 0.]])
    """

    def replace(activation, hook):
        activation = activation.clone()
        activation[index] = values[index]
        return activation

    return name, replace


def cut_path_hooks(
    model: TransformerBridge, sender: tuple[int, int], receiver: tuple[int, int], port: Port | str
) -> list[Hook]:
    """Hooks under which one port of the receiver no longer reads what the sender wrote.

    The sender's output, carried through ``W_Q``, ``W_K`` or ``W_V`` of the receiver, is subtracted
    from the receiver's query, key or value. All other heads still read it, but those that share the
    receiver's key or value. Exact where no LayerNorm stands between them.

    >>> from helpers.models import load_model
    >>> hooks = cut_path_hooks(load_model("attn-only-2l"), (0, 1), (1, 2), "k")
    >>> [name for name, function in hooks]
    ['blocks.0.attn.hook_z', 'blocks.1.attn.hook_k']
    """
    check_port(port)
    check_path(sender, receiver)
    (sender_layer, sender_head), (receiver_layer, receiver_head) = sender, receiver
    W = dict(zip(PORTS, head_weights(model)))[port][receiver_layer, receiver_head]
    outputs = {}

    def record(z, hook):
        outputs[sender] = z[:, :, sender_head] @ model.W_O[sender_layer, sender_head]

    def subtract(activation, hook):  # [batch pos head d_head]
        activation = activation.clone()
        shared = receiver_head * activation.shape[2] // model.cfg.n_heads  # itself, for queries
        activation[:, :, shared] -= outputs[sender] @ W
        return activation

    return [
        (f"blocks.{sender_layer}.attn.hook_z", record),
        (f"blocks.{receiver_layer}.attn.hook_{port}", subtract),
    ]
