"""Steering vectors and the toy model of superposition."""

import pytest
import torch

from helpers.steering import contrast_vector, generate, side_effects, steering_hook
from helpers.toys import superposition

TEXT = "When Mary and John went to the store, John gave a drink to"


def test_a_contrast_is_a_difference_of_means(shipped_model):
    model = shipped_model("ioi-gpt2")
    texts = ["John went to the house", "Mary came to the river", "The king had a sword"]
    streams = [
        model.run_with_cache(model.to_tokens(text))[1]["blocks.2.hook_resid_pre"][0, -1] for text in texts
    ]
    found = contrast_vector(model, texts[:2], texts[2:], layer=2)
    torch.testing.assert_close(found, (streams[0] + streams[1]) / 2 - streams[2], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="texts of both kinds"):
        contrast_vector(model, texts, [], layer=2)


def test_a_steered_model_says_another_name_and_pays_for_it(shipped_model):
    model = shipped_model("ioi-gpt2")
    tokens = model.to_tokens(TEXT)
    john, mary = (model.to_single_token(f" {name}") for name in ("John", "Mary"))
    direction = model.W_U[:, john] - model.W_U[:, mary]
    hooks = [steering_hook(direction / direction.norm(), layer=5, strength=40)]
    assert generate(model, tokens, 1, temperature=0)[0, -1] == mary
    assert generate(model, tokens, 1, hooks, temperature=0)[0, -1] == john
    other = model.to_tokens("The king had a horse, and the horse had a long road before it.")
    effects = side_effects(model, other, hooks)
    assert effects["KL"] > 0.1 and effects["perplexity, steered"] > effects["perplexity"]
    nothing = side_effects(model, tokens, [steering_hook(direction, layer=5, strength=0)])
    assert nothing["KL"] == pytest.approx(0, abs=1e-6)
    assert nothing["perplexity"] == pytest.approx(nothing["perplexity, steered"])


def test_writing_is_seeded_and_stops_at_the_context(shipped_model):
    model = shipped_model("ioi-gpt2")
    tokens = model.to_tokens(TEXT)
    assert torch.equal(generate(model, tokens, 5, seed=3), generate(model, tokens, 5, seed=3))
    assert generate(model, tokens.repeat(1, 8)[:, :126], 9).shape[1] == model.cfg.n_ctx


@pytest.mark.parametrize("direction", [torch.ones(2, 3), torch.tensor([1.0, float("nan")])])
def test_a_direction_that_can_not_be_added_is_refused(direction):
    with pytest.raises(ValueError, match="finite numbers"):
        steering_hook(direction, 0, 1.0)


def test_a_strength_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite number, got nan"):
        steering_hook(torch.ones(3), 0, float("nan"))


def test_training_gives_the_threads_back_though_it_is_left_early():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    runs = [superposition.train(steps=200) for _ in range(2)]
    for run in runs:
        next(run)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_sparse_features_are_stored_in_superposition_and_dense_ones_are_not():
    dense, sparse = (
        list(superposition.train(density=density, steps=2000, every=2000))[-1] for density in (1.0, 0.05)
    )
    stored = [(record.W.norm(dim=0) > 0.5).sum().item() for record in (dense, sparse)]
    assert stored[0] == 2 and stored[1] >= 4
    assert sparse.loss < dense.loss
