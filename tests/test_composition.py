"""Composition scores against TransformerLens, against theory, and the path cut against a model without the path."""

import pytest
import torch
from transformer_lens import FactoredMatrix

from helpers.ablation import score_with_path_cut
from helpers.composition import composition_scores, factored_score, random_scores
from helpers.exercises.inputs import small_model
from helpers.hooks import cut_path_hooks
from helpers.residual import project_out

from tests.test_residual import gpt2  # noqa: F401, isort: skip


@pytest.mark.parametrize("port", ["Q", "K", "V"])
@pytest.mark.parametrize("name", ["attn-only-2l", "small", "gpt2"])
def test_all_pairs_agree_with_transformer_lens(name, port, shipped_model, request):
    model = {"small": small_model, "attn-only-2l": lambda: shipped_model(name)}.get(
        name, lambda: request.getfixturevalue("gpt2")
    )()
    ours, theirs = composition_scores(model, port), model.all_composition_scores(port).scores
    assert ours.shape == theirs.shape
    later = ours > 0
    assert later.any() and (ours - theirs)[later].abs().max() < 1e-5


def test_the_factored_score_is_that_of_the_full_matrices():
    A_in, A_out, B_in, B_out = (
        torch.randn(*size, generator=torch.Generator().manual_seed(i))
        for i, size in enumerate([(9, 3), (3, 9), (9, 4), (4, 9)])
    )
    product = FactoredMatrix(A_in, A_out) @ FactoredMatrix(B_in, B_out)
    expected = product.norm() / (FactoredMatrix(A_in, A_out).norm() * FactoredMatrix(B_in, B_out).norm())
    torch.testing.assert_close(factored_score(A_in, A_out, B_in, B_out), expected)


@pytest.mark.parametrize(("d_model", "d_head"), [(64, 4), (256, 32)])
def test_random_circuits_score_one_over_root_d_model(d_model, d_head):
    scores = random_scores(d_model, d_head, 60, torch.Generator().manual_seed(0))
    assert scores.square().mean().item() == pytest.approx(1 / d_model, rel=0.1)


def test_a_path_that_can_not_be_cut_is_refused(shipped_model):
    model = shipped_model("attn-only-2l")
    with pytest.raises(ValueError, match="1.0 stores nothing for 1.1"):
        cut_path_hooks(model, (1, 0), (1, 1), "K")
    with pytest.raises(ValueError, match='expected a port "Q", "K" or "V"'):
        cut_path_hooks(model, (0, 0), (1, 1), "q")


@pytest.mark.parametrize("port", ["Q", "K"])
def test_a_cut_path_is_a_reader_that_reads_less(port):
    """Against the formula: the reader's pattern with the writer's store taken off one side of its scores."""
    model, tokens = small_model(), torch.tensor([[3, 1, 4, 1, 5, 9]])
    _, cache = model.run_with_cache(tokens)
    x = cache["blocks.1.hook_resid_pre"][0] + model.W_pos[:6]
    store = cache["blocks.0.attn.hook_z"][0, :, 2] @ model.W_O[0, 2]
    sides = {"Q": x - store * (port == "Q"), "K": x - store * (port == "K")}
    scores = (sides["Q"] @ model.W_Q[1, 1]) @ (sides["K"] @ model.W_K[1, 1]).T / 5**0.5
    expected = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf).softmax(-1)
    found = score_with_path_cut(model, tokens, (0, 2), (1, 1), port, lambda pattern: pattern[0, 4, 2])
    assert found == pytest.approx(expected[4, 2].item(), abs=1e-5)
    assert found != pytest.approx(cache["blocks.1.attn.hook_pattern"][0, 1, 4, 2].item(), abs=1e-5)


def test_project_out_leaves_nothing_in_the_subspace_and_all_else():
    generator = torch.Generator().manual_seed(0)
    x, subspace = torch.randn(5, 8, generator=generator), torch.randn(8, 3, generator=generator)
    left = project_out(x, subspace)
    assert (left @ subspace).abs().max() < 1e-5
    torch.testing.assert_close(project_out(left, subspace), left)
