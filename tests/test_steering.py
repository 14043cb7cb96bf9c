"""Steering vectors, steered generation and its side effects."""

import pytest
import torch

from helpers.exercises.inputs import generator
from helpers.steering import contrast_vector, generate, kl_divergence, side_effects, steering_hook

TEXT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture
def model(shipped_model):
    return shipped_model("ioi-gpt2")


def test_a_contrast_is_a_difference_of_means(model):
    texts = ["John went to the house", "Mary came to the river", "The king had a sword"]
    streams = [
        model.run_with_cache(model.to_tokens(text))[1]["blocks.2.hook_resid_pre"][0, -1] for text in texts
    ]
    contrast = contrast_vector(model, texts[:2], texts[2:], layer=2)
    torch.testing.assert_close(contrast, (streams[0] + streams[1]) / 2 - streams[2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("texts", [([TEXT], []), ([], [TEXT]), (TEXT, [TEXT]), ([TEXT], TEXT)])
def test_a_contrast_needs_lists_of_both_kinds(model, texts):
    with pytest.raises(ValueError, match="expected lists of texts of both kinds"):
        contrast_vector(model, *texts, layer=2)


def test_a_steered_model_predicts_another_name_with_side_effects(model):
    tokens = model.to_tokens(TEXT)
    john, mary = (model.to_single_token(f" {name}") for name in ("John", "Mary"))
    direction = model.W_U[:, john] - model.W_U[:, mary]
    hooks = [steering_hook(direction / direction.norm(), layer=5, strength=40.0)]
    assert generate(model, tokens, 1, temperature=0.0)[0, -1] == mary
    assert generate(model, tokens, 1, hooks, temperature=0.0)[0, -1] == john
    prose = model.to_tokens("The king had a horse, and the horse had a long road before it.")
    effects = side_effects(model, prose, hooks)
    assert effects["KL"] > 0.1 and effects["perplexity, steered"] > effects["perplexity"]


def test_strength_0_has_no_side_effects(model):
    direction = torch.randn(model.cfg.d_model, generator=generator(0))
    effects = side_effects(model, model.to_tokens(TEXT), [steering_hook(direction, layer=5, strength=0.0)])
    assert effects["KL"] == pytest.approx(0, abs=1e-6)
    assert effects["perplexity"] == pytest.approx(effects["perplexity, steered"])


def test_the_divergence_is_that_of_the_probabilities():
    plain, steered = torch.randn(2, 3, 4, 5, generator=generator(0))
    p, q = plain.double().softmax(dim=-1), steered.double().softmax(dim=-1)
    expected = (p * (p / q).log()).sum().item() / 12
    assert kl_divergence(plain, steered).item() == pytest.approx(expected, abs=1e-5)


def test_generation_is_seeded_and_stops_at_the_context(model):
    tokens = model.to_tokens(TEXT)
    assert torch.equal(generate(model, tokens, 5, seed=3), generate(model, tokens, 5, seed=3))
    assert generate(model, tokens.repeat(1, 8)[:, :126], 9).shape[1] == model.cfg.n_ctx


def test_a_hook_changes_a_copy_and_not_the_first_position():
    stream = torch.zeros(2, 3, 4)
    name, add = steering_hook(torch.arange(4.0), layer=1, strength=2.0)
    steered = add(stream, hook=None)
    assert name == "blocks.1.hook_resid_pre" and not stream.any() and not steered[:, 0].any()
    assert (steered[:, 1:] == 2 * torch.arange(4.0)).all()


@pytest.mark.parametrize("direction", [torch.ones(2, 3), torch.tensor([1.0, float("nan")])])
def test_a_direction_that_cannot_be_added_is_refused(direction):
    with pytest.raises(ValueError, match=r"expected a direction \[d_model\] of finite numbers, got"):
        steering_hook(direction, 0, 1.0)


def test_a_direction_of_another_model_is_refused():
    _, add = steering_hook(torch.ones(3), 0, 1.0)
    with pytest.raises(ValueError, match=r"expected a direction \[d_model\] = \[4\], got \[3\]"):
        add(torch.zeros(1, 2, 4), hook=None)


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_that_is_not_finite_is_refused(strength):
    with pytest.raises(ValueError, match=f"expected a strength that is a finite number, got {strength}"):
        steering_hook(torch.ones(3), 0, strength)
