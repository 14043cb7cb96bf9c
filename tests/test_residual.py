"""The measures of the residual stream on models: whatever is stored sums to what is there."""

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.inputs import small_model
from helpers.residual import components_read, decompose, dimensions, principal_cosines, spectrum
from tests.hub import save_gpt2


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    save_gpt2(folder)
    model = TransformerBridge.boot_transformers(str(folder), device="cpu")
    model.enable_compatibility_mode()
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["shortformer", "gpt2"])
def test_the_parts_sum_to_the_final_stream(name, request):
    model = small_model() if name == "shortformer" else request.getfixturevalue("gpt2")
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    parts, names = decompose(model, cache)
    torch.testing.assert_close(parts.sum(0), cache["blocks.1.hook_resid_post"][0], atol=1e-4, rtol=1e-4)
    assert len(parts) == len(names) == len(set(names))
    assert ("position" in names) == ("mlp 1" in names) == (name == "gpt2")


def test_directions_of_random_vectors_fill_the_space():
    generator = torch.Generator().manual_seed(0)
    found = spectrum(torch.randn(4000, 20, generator=generator))
    assert dimensions(found)[0] >= 15 and dimensions(found)[1] > 19
    flat = spectrum(torch.randn(4000, 3, generator=generator) @ torch.randn(3, 20, generator=generator))
    assert dimensions(flat, 0.999)[0] <= 3


def test_random_subspaces_overlap_as_stated():
    generator = torch.Generator().manual_seed(0)
    A, B = torch.randn(400, 30, generator=generator), torch.randn(400, 10, generator=generator)
    assert principal_cosines(A, B).square().mean().item() == pytest.approx(30 / 400, rel=0.15)


@pytest.mark.parametrize("name", ["shortformer", "gpt2"])
def test_the_parts_that_queries_read_sum_to_the_queries(name, request):
    model = small_model() if name == "shortformer" else request.getfixturevalue("gpt2")
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    parts, names = components_read(model, cache, 1)
    assert names[0] == "embedding" and "position" in names and "0.2" in names and "1.0" not in names
    q = torch.einsum("pm,hmd->phd", parts.sum(0), model.W_Q[1]) + model.b_Q[1]
    torch.testing.assert_close(q, cache["blocks.1.attn.hook_q"][0], atol=1e-3, rtol=1e-3)
