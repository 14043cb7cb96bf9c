"""Measures of the residual stream on models: the components sum to the stream."""

import pytest
import torch

from helpers.components import Component
from helpers.exercises.inputs import generator, small_model
from helpers.residual import (
    components_read,
    decompose,
    dimensions,
    direct_logit_attribution,
    head_logit_attribution,
    head_outputs,
    principal_cosines,
    project_out,
    spectrum,
)
from tests.families import family

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9]])


@pytest.fixture(params=["shortformer", "gpt2"])
def model(request):
    return small_model() if request.param == "shortformer" else request.getfixturevalue("gpt2")


def test_the_components_sum_to_the_final_stream(model):
    _, cache = model.run_with_cache(TOKENS)
    outputs, components = decompose(model, cache)
    torch.testing.assert_close(outputs.sum(0), cache["blocks.1.hook_resid_post"][0], atol=1e-4, rtol=1e-4)
    assert len(outputs) == len(components) == len(set(components))
    writes_more = not model.cfg.attn_only  # positions and MLP outputs
    assert (Component("position") in components) == (Component("mlp", 1) in components) == writes_more


def test_heads_whose_outputs_pass_a_norm_are_refused():
    model = family("gemma2")
    with pytest.raises(ValueError, match="expected attention that adds the outputs of its heads"):
        decompose(model, model.run_with_cache(TOKENS)[1])


def test_of_a_batch_the_first_sequence_is_decomposed(model):
    outputs, components = decompose(model, model.run_with_cache(TOKENS)[1])
    of_batch, same = decompose(model, model.run_with_cache(torch.cat([TOKENS, TOKENS.flip(1)]))[1])
    torch.testing.assert_close(of_batch, outputs, atol=1e-5, rtol=1e-5)
    assert same == components


def test_the_components_that_queries_read_sum_to_the_queries(model):
    _, cache = model.run_with_cache(TOKENS)
    outputs, components = components_read(model, cache, 1)
    assert components[0] == Component("embedding") and Component("position") in components
    assert Component("head", 0, 2) in components and Component("head", 1, 0) not in components
    q = torch.einsum("pm,hmd->phd", outputs.sum(0), model.W_Q[1]) + model.b_Q[1]
    torch.testing.assert_close(q, cache["blocks.1.attn.hook_q"][0], atol=1e-3, rtol=1e-3)


def test_the_logit_attributions_of_all_components_sum_to_the_logit():
    model = small_model()
    logits, cache = model.run_with_cache(TOKENS)
    outputs, _ = decompose(model, cache)
    attribution = direct_logit_attribution(outputs[:, -1], model.W_U, token=7)
    torch.testing.assert_close(attribution.sum(), logits[0, -1, 7], atol=1e-4, rtol=1e-4)


def test_the_logit_attribution_of_heads_is_a_mean_over_prompts(gpt2):
    """Oracle: one head and one prompt at a time, through the final LayerNorm's scale."""
    _, cache = gpt2.run_with_cache(torch.cat([TOKENS, TOKENS.flip(1)]))
    z = torch.stack([cache[f"blocks.{layer}.attn.hook_z"][:, -1] for layer in range(2)])
    scale, direction = cache["ln_final.hook_scale"][:, -1, 0], gpt2.W_U[:, [7, 8]].T
    ours = head_logit_attribution(head_outputs(z, gpt2.W_O), scale, direction)
    expected = sum(z[1, n, 2] @ gpt2.W_O[1, 2] / scale[n] @ direction[n] for n in range(2)) / 2
    torch.testing.assert_close(ours[1, 2], expected)


def test_directions_of_random_vectors_fill_the_space():
    fewest, ratio = dimensions(spectrum(torch.randn(4000, 20, generator=generator(0))))
    assert fewest >= 15 and ratio > 19
    flat = torch.randn(4000, 3, generator=generator(1)) @ torch.randn(3, 20, generator=generator(2))
    assert dimensions(spectrum(flat), 0.999)[0] <= 3


def test_random_subspaces_overlap_as_stated():
    random = generator(0)
    A, B = torch.randn(400, 30, generator=random), torch.randn(400, 10, generator=random)
    assert principal_cosines(A, B).square().mean().item() == pytest.approx(30 / 400, rel=0.15)


def test_project_out_leaves_nothing_in_the_subspace_and_all_else():
    x, subspace = torch.randn(5, 8, generator=generator(0)), torch.randn(8, 3, generator=generator(1))
    projected = project_out(x, subspace)
    assert (projected @ subspace).abs().max() < 1e-5
    assert torch.linalg.matrix_rank(x - projected) == 3
    torch.testing.assert_close(project_out(projected, subspace), projected)
