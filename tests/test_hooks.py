"""Hooks that replace activations, against the sweeps, which use no hooks, and against formulas."""

import pytest
import torch

from helpers.ablation import ablate
from helpers.exercises.inputs import small_model
from helpers.forward import Forward
from helpers.hooks import cut_path_hooks, patch_hooks, replace_hook, replace_z_hooks
from helpers.patching import patch_heads, patch_residual
from tests.interventions import INTO, MODELS, SOURCE, metric, model_named


@pytest.fixture(params=MODELS)
def model(request):
    return model_named(request.param)


def test_a_hook_changes_a_copy():
    z, values = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    name, replace = replace_hook("blocks.0.attn.hook_z", values, (slice(None), 1))
    replaced = replace(z, hook=None)
    assert name == "blocks.0.attn.hook_z" and z.abs().sum() == 0
    assert (replaced[:, 1] == 1).all() and replaced.sum() == 8


def test_two_hooks_at_one_layer_replace_two_heads(model):
    last = model.cfg.n_layers - 1
    heads = [(0, 1), (last, 0), (last, 2)]
    with model.hooks(fwd_hooks=replace_z_hooks(heads, Forward(model).run(SOURCE).z)):
        logits = model(INTO)[:, -1]
    expected = ablate(model, INTO, heads, metric, "resample", SOURCE)
    torch.testing.assert_close(metric(logits), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("part", ["resid", "q", "k", "v", "out"])
def test_a_patch_by_hooks_is_the_patch_of_a_sweep(model, part):
    if part in ("k", "v") and model.W_K.shape[1] < model.cfg.n_heads:
        return  # a hook patches a key that query heads share; the sweep patches it for one of them
    into, source = INTO[:1], SOURCE[:1]
    sweep = patch_residual if part == "resid" else patch_heads
    effects = sweep(model, into, source, metric, **({} if part == "resid" else {"part": part}))
    for layer, index in [(0, 2), (1, 3)]:
        with model.hooks(fwd_hooks=patch_hooks(model, source, layer, part, index)):
            patched = metric(model(into)[:, -1])
        torch.testing.assert_close(patched, effects[layer, index], atol=1e-4, rtol=0)


def test_a_patch_that_does_not_fit_is_refused():
    model = small_model()
    with pytest.raises(ValueError, match="expected a part among resid, q, k, v, out, got 'z'"):
        patch_hooks(model, torch.tensor([[1, 2, 3]]), 0, "z", 0)
    hooks = patch_hooks(model, torch.tensor([[1, 2, 3]]), 0, "q", 0)
    with pytest.raises(ValueError, match="expected texts of equal length, got 2 and 3 tokens"):
        model.run_with_hooks(torch.tensor([[1, 2]]), fwd_hooks=hooks)


@pytest.mark.parametrize("port", ["q", "k", "v"])
def test_a_cut_path_is_a_path_patched_with_no_output(port):
    """Against the formula: the receiver's port without the sender's output; all other heads as before."""
    model, tokens = small_model(), torch.tensor([[3, 1, 4, 1, 5, 9]])
    _, before = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=cut_path_hooks(model, (0, 2), (1, 1), port)):
        _, after = model.run_with_cache(tokens)
    output = before["blocks.0.attn.hook_z"][:, :, 2] @ model.W_O[0, 2]
    W = {"q": model.W_Q, "k": model.W_K, "v": model.W_V}[port][1, 1]
    for name in ("q", "k", "v"):
        change = after[f"blocks.1.attn.hook_{name}"] - before[f"blocks.1.attn.hook_{name}"]
        expected = torch.zeros_like(change)
        if name == port:
            expected[:, :, 1] = -output @ W
        torch.testing.assert_close(change, expected, atol=1e-5, rtol=0)


def test_a_path_that_cannot_be_cut_is_refused():
    with pytest.raises(
        ValueError, match="expected a receiver in a later layer than the sender, got 1.0 → 1.1"
    ):
        cut_path_hooks(small_model(), (1, 0), (1, 1), "k")
    with pytest.raises(ValueError, match='expected a port "q", "k" or "v", got \'K\''):
        cut_path_hooks(small_model(), (0, 0), (1, 1), "K")
