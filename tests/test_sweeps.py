"""Patches of several heads at the last position, against hooks."""

import pytest
import torch

from helpers.forward import Forward
from helpers.hooks import replace_hook
from helpers.models import load_model
from helpers.sweeps import patch_head_sets
from tests.families import family

SETS = [[(0, 1)], [], [(0, 0), (0, 1), (1, 1)], [(1, 1)]]


def _by_hooks(model, tokens, source_z, heads):
    hooks = [
        replace_hook(f"blocks.{layer}.attn.hook_z", source_z[layer], (slice(None), -1, head))
        for layer, head in heads
    ]
    return model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1, 7]


@pytest.mark.parametrize("model", [load_model("attn-only-2l"), family("llama")], ids=["shortformer", "llama"])
@pytest.mark.parametrize("mean", [False, True])
def test_sets_are_what_hooks_compute(model, mean):
    tokens = torch.randint(100, (3, 7), generator=torch.Generator().manual_seed(0))
    forward = Forward(model)
    source_z = forward.run(tokens.flip(0)).z
    if mean:
        source_z = [z.mean(dim=0, keepdim=True).expand_as(z) for z in source_z]
    metrics = patch_head_sets(model, forward.run(tokens), source_z, lambda logits: logits[:, 7], SETS)
    expected = torch.stack([_by_hooks(model, tokens, source_z, heads) for heads in SETS])
    torch.testing.assert_close(metrics, expected, atol=1e-3, rtol=1e-4)


def test_a_head_that_the_model_lacks_is_refused():
    model = load_model("attn-only-2l")
    run = Forward(model).run(torch.tensor([[1, 2, 3]]))
    with pytest.raises(ValueError, match="expected"):
        patch_head_sets(model, run, run.z, lambda logits: logits[:, 7], [[(2, 0)]])
