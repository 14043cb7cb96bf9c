"""Sweeps over sets of heads: what many patches of several heads at once change, at one position.

At the last position a patch reaches no other position. So each set of heads costs one row per
later layer, and hundreds of sets take as long as one forward pass. Wang et al. 2022,
"Interpretability in the Wild", section 4, compares a circuit without such sets with the model.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import check_heads
from helpers.forward import Forward
from helpers.run import Metric, Run


@torch.no_grad()
def patch_head_sets(
    model: TransformerBridge,
    into: Run,
    source_z: Sequence[Float[Tensor, "prompt pos head d_head"]],
    metric: Metric,
    head_sets: Sequence[Sequence[tuple[int, int]]],
) -> Float[Tensor, "head_set prompt"]:
    """Metric with the z of all heads of a set patched at the last position, for each set.

    ``into`` is ``Forward(model).run(tokens)``; ``source_z`` holds the z of each layer, e.g. the
    ``z`` of another run or ``head_means``. An empty set leaves the run as it is.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> run = Forward(model).run(model.to_tokens("the cat sat"))
    >>> zero_z = [0 * z for z in run.z]
    >>> sets = [[(0, 1), (1, 2)], []]
    >>> patch_head_sets(model, run, zero_z, lambda logits: logits[:, 17], sets).shape
    torch.Size([2, 1])
    """
    patched = [head for heads in head_sets for head in heads]
    check_heads(model, patched)
    forward, end = Forward(model), into.tokens.shape[1] - 1
    first = min((layer for layer, _ in patched), default=forward.n_layers - 1)
    x = into.resid_pre[first][:, end:].repeat(len(head_sets), 1, 1)
    for layer in range(first, forward.n_layers):
        z = forward.z(x, layer, into, end, {}).unflatten(0, (len(head_sets), -1)).clone()
        for row, heads in enumerate(head_sets):
            for head in [head for head_layer, head in heads if head_layer == layer]:
                z[row, :, -1, head] = source_z[layer][:, -1, head]
        x = forward.after_heads(x, z.flatten(0, 1), layer)
        x = forward.advance(x, (layer, "resid_mid"), into)
    return forward.finish(x, forward.end, into, metric)
