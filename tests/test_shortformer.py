"""The shortformer model against its formula, and every hook: an edit must not be ignored in silence."""

import copy

import pytest
import torch

from helpers.exercises.inputs import small_model

TOKENS = torch.randint(11, (4, 7), generator=torch.Generator().manual_seed(3))


def formula(model, tokens):
    """Logits in plain torch: x ← x + softmax((x + p) W_Q ((x + p) W_K)ᵀ / √d_head) x W_V W_O, head by head."""
    pos = tokens.shape[1]
    x, p = model.W_E[tokens], model.W_pos[:pos]
    for layer in range(model.cfg.n_layers):
        output = 0
        for head in range(model.cfg.n_heads):
            q = (x + p) @ model.W_Q[layer, head]
            k = (x + p) @ model.W_K[layer, head]
            v = x @ model.W_V[layer, head]
            scores = q @ k.transpose(1, 2) / model.cfg.d_head**0.5
            for query in range(pos):
                scores[:, query, query + 1 :] = -torch.inf
            output = output + scores.softmax(dim=-1) @ v @ model.W_O[layer, head]
        x = x + output
    return x @ model.W_U


def test_logits_follow_the_formula():
    model = small_model()
    torch.testing.assert_close(model(TOKENS), formula(model, TOKENS), atol=1e-5, rtol=1e-5)


def test_weights_have_the_names_and_shapes_of_the_field():
    model = small_model()
    shapes = {
        name: list(getattr(model, name).shape) for name in ["W_Q", "W_K", "W_V", "W_O", "W_E", "W_pos", "W_U"]
    }
    assert shapes == {
        "W_Q": [2, 3, 20, 5], "W_K": [2, 3, 20, 5], "W_V": [2, 3, 20, 5], "W_O": [2, 3, 5, 20],
        "W_E": [11, 20], "W_pos": [16, 20], "W_U": [20, 11],
    }  # fmt: skip


def test_positions_reach_q_and_k_of_every_layer_and_nothing_else():
    model = small_model()
    _, cache = model.run_with_cache(TOKENS)
    torch.testing.assert_close(cache["blocks.0.hook_resid_pre"], cache["hook_embed"])
    for layer in range(2):
        x = cache[f"blocks.{layer}.hook_resid_pre"]
        with_positions = x + model.W_pos[: TOKENS.shape[1]]
        for name, W, read in [
            ("q", model.W_Q, with_positions),
            ("k", model.W_K, with_positions),
            ("v", model.W_V, x),
        ]:
            expected = torch.einsum("bpm,hmd->bphd", read, W[layer])
            torch.testing.assert_close(
                cache[f"blocks.{layer}.attn.hook_{name}"], expected, atol=1e-5, rtol=1e-5
            )


NOT_ACTIVATIONS = {"embed.hook_in", "pos_embed.hook_in"}  # token ids and position numbers
FIRED = [name for name in small_model().run_with_cache(TOKENS)[1] if name not in NOT_ACTIVATIONS]


def effect_of_edit(name):
    """Largest change of a logit when the activation is reversed along positions (or heads)."""
    model = small_model()

    def reverse(activation, hook):
        return activation.flip(1)

    logits = model.run_with_hooks(TOKENS, fwd_hooks=[(name, reverse)])
    return (logits - model(TOKENS)).abs().max().item()


@pytest.mark.parametrize("name", FIRED)
def test_an_edit_changes_the_logits(name):
    assert effect_of_edit(name) > 1e-3


def test_the_hooks_of_the_lessons_are_among_them():
    names = ["hook_q", "hook_k", "hook_v", "hook_attn_scores", "hook_pattern", "hook_z"]
    expected = [f"blocks.{layer}.attn.{name}" for layer in range(2) for name in names]
    expected += ["hook_embed", "hook_pos_embed", "blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"]
    assert set(expected) <= set(FIRED)


@pytest.mark.parametrize("copied", [False, True])
def test_the_scores_are_those_that_the_softmax_takes(copied):
    model = copy.deepcopy(small_model()) if copied else small_model()
    _, cache = model.run_with_cache(TOKENS)
    scores, pattern = cache["blocks.1.attn.hook_attn_scores"], cache["blocks.1.attn.hook_pattern"]
    torch.testing.assert_close(scores.softmax(dim=-1), pattern)
    assert scores[..., 0, 1].isneginf().all() and not scores[..., -1, :].isneginf().any()


def test_a_prompt_longer_than_the_context_is_refused():
    with pytest.raises(ValueError, match="17 tokens and this model reads 1 to 16"):
        small_model()(torch.zeros(1, 17, dtype=torch.long))
