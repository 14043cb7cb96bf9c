"""Attributions through features against interventions, and their parts against their sums."""

import pytest
import torch

from helpers.exercises.inputs import generator, small_gpt2
from helpers.feature_graphs import (
    feature_attributions,
    feature_inputs,
    mlp_gradient,
    receiver_gradients,
    without_features,
)
from helpers.run import LogitDiff
from helpers.transcoders import Transcoder, mlp_in_and_out
from tests.families import family

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
METRIC = LogitDiff(torch.tensor([7, 8]), torch.tensor([9, 10]))
LAYER, N_FEATURES = 0, 12


@pytest.fixture(scope="module")
def model():
    return small_gpt2()


@pytest.fixture(scope="module")
def transcoder(model):
    """Random weights: what follows must hold for any."""
    shapes = (
        (model.cfg.d_model, N_FEATURES),
        (N_FEATURES,),
        (N_FEATURES, model.cfg.d_model),
        (model.cfg.d_model,),
    )
    return Transcoder(
        LAYER, 4, *(torch.randn(shape, generator=generator(n)) for n, shape in enumerate(shapes))
    )


def by_hooks(model, change):
    """Oracle: the metric when a hook changes the MLP's output."""
    name = f"blocks.{LAYER}.hook_mlp_out"
    return METRIC(model.run_with_hooks(TOKENS, fwd_hooks=[(name, lambda out, hook: change(out))])[:, -1])


def test_the_gradient_is_the_slope_of_the_metric(model):
    gradient = mlp_gradient(model, TOKENS, LAYER, METRIC)
    direction = torch.randn(gradient.shape, generator=generator(5))
    step = 1e-2
    up, down = (by_hooks(model, lambda out, s=s: out + s * step * direction) for s in (1, -1))
    slope = (up - down) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(dim=(1, 2)), slope, atol=2e-2, rtol=2e-2)


def test_nodes_sum_to_the_linear_effect_of_the_output(model, transcoder):
    x, mlp_out = mlp_in_and_out(model, TOKENS, LAYER)
    gradient = mlp_gradient(model, TOKENS, LAYER, METRIC)
    by_feature, bias, error = feature_attributions(
        transcoder(x)[0], transcoder.W_dec, transcoder.b_dec, mlp_out, gradient
    )
    total = (mlp_out * gradient).sum(dim=-1)
    torch.testing.assert_close(by_feature.sum(dim=-1) + bias + error, total, atol=1e-3, rtol=1e-4)


def test_receivers_sum_to_the_gradient_with_frozen_patterns(model):
    gradients, names = receiver_gradients(model, TOKENS, LAYER, METRIC)
    assert len(names) == 2 * model.cfg.n_heads + 2 + 1 and names[-1] == "logits"
    patterns = model.run_with_cache(TOKENS)[1]
    hooks = [
        (
            f"blocks.{layer}.attn.hook_pattern",
            lambda _, hook, kept=patterns[f"blocks.{layer}.attn.hook_pattern"]: kept,
        )
        for layer in range(LAYER + 1, model.cfg.n_layers)
    ]
    direction, step, values = torch.randn(gradients.shape[1:], generator=generator(5)), 1e-2, []
    for sign in (1, -1):
        changed = (f"blocks.{LAYER}.hook_mlp_out", lambda out, hook, s=sign: out + s * step * direction)
        values.append(METRIC(model.run_with_hooks(TOKENS, fwd_hooks=[*hooks, changed])[:, -1]))
    slope = (values[0] - values[1]) / (2 * step)
    effect = (gradients.sum(dim=0) * direction).sum(dim=(1, 2))
    torch.testing.assert_close(effect, slope, atol=2e-2, rtol=2e-2)


def test_a_head_that_writes_nothing_receives_nothing():
    model = small_gpt2()
    model.blocks[1].attn.o.original_component.weight[: model.cfg.d_head] = (
        0  # of GPT-2: [head × d_head, d_model]
    )
    gradients, names = receiver_gradients(model, TOKENS, LAYER, METRIC)
    zero = [str(name) for name, gradient in zip(names, gradients) if not gradient.any()]
    assert zero == ["1.0"]


@pytest.mark.parametrize("name", ["llama", "qwen3", "neox in sequence"])
def test_receivers_of_other_kinds_of_models(name):
    model = family(name)
    gradients, names = receiver_gradients(model, TOKENS, LAYER, METRIC)
    assert len(gradients) == len(names) and gradients.isfinite().all() and gradients[-1].any()


def test_parallel_blocks_are_refused():
    with pytest.raises(ValueError, match="expected an MLP after attention, got parallel blocks: use"):
        receiver_gradients(family("neox"), TOKENS, LAYER, METRIC)


def test_inputs_sum_to_the_pre_activation(model, transcoder):
    x, _ = mlp_in_and_out(model, TOKENS, LAYER)
    for row, feature in ((0, 3), (1, 7)):
        parts, names = feature_inputs(model, transcoder, TOKENS[[row]], feature)
        assert [str(name) for name in names[:3]] == ["embedding", "position", "0.0"]
        expected = x[row] @ transcoder.W_enc[:, feature]
        torch.testing.assert_close(parts.sum(dim=0), expected, atol=1e-3, rtol=1e-3)


def test_features_are_removed_from_the_models_own_output(model, transcoder):
    features, _ = transcoder(mlp_in_and_out(model, TOKENS, LAYER)[0])
    sets = torch.stack(
        [torch.arange(N_FEATURES) < 5, torch.arange(N_FEATURES) == 7, torch.zeros(N_FEATURES) > 0]
    )
    at_one_position = (torch.arange(TOKENS.shape[1]) == 2)[None, None, :, None] & sets[:, None, None]
    for removed in (sets, at_one_position, (features > 1)[None]):
        masks = removed if removed.ndim == 4 else removed[:, None, None]
        expected = [
            by_hooks(model, lambda out, m=mask: out - (features * m) @ transcoder.W_dec) for mask in masks
        ]
        diffs = without_features(model, transcoder, TOKENS, removed, METRIC)
        torch.testing.assert_close(diffs, torch.stack(expected), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "removed", [torch.zeros(1, 3) > 0, torch.zeros(N_FEATURES) > 0, torch.arange(N_FEATURES)[None]]
)
def test_what_is_no_mask_is_refused(model, transcoder, removed):
    with pytest.raises(ValueError, match=r"expected a mask \[set, feature\] with 12 features, got torch"):
        without_features(model, transcoder, TOKENS, removed, METRIC)


def test_hooks_are_refused_where_a_gradient_would_not_see_them(model):
    with model.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda out, hook: 0 * out)]):
        with pytest.raises(ValueError, match="expected a model without hooks"):
            mlp_gradient(model, TOKENS, LAYER, METRIC)
