"""Ablations against hooks that replace z, circuits at their extremes, and a cut path against its formula."""

import pytest
import torch

from helpers.ablation import ablate, faithfulness, head_means, keep_only, score_with_path_cut
from helpers.exercises.inputs import small_model
from tests.interventions import INTO, MODELS, SOURCE, metric, model_named

HEADS = [(0, 1), (1, 0), (1, 3)]
GROUPS = torch.tensor([0, 1, 0])


@pytest.fixture(params=MODELS)
def model(request):
    return model_named(request.param)


def keep_nothing(model):
    return torch.zeros(model.cfg.n_layers, model.cfg.n_heads, *INTO.shape, dtype=torch.bool)


def with_replaced_z(model, heads, values):
    """Oracle: the metric with z of some heads replaced by ``values(layer)`` in hooks."""

    def replace(z, hook):
        layer = int(hook.name.split(".")[1])
        for head_layer, head in heads:
            if head_layer == layer:
                z[:, :, head] = values(layer)[:, :, head]
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", replace) for layer in range(model.cfg.n_layers)]
    return metric(model.run_with_hooks(INTO, fwd_hooks=hooks)[:, -1])


def group_mean(z):
    return torch.stack([z[group == GROUPS].mean(dim=0) for group in GROUPS])


@pytest.mark.parametrize(
    ("kind", "replacement"),
    [
        ("zero", torch.zeros_like),
        ("mean", lambda z: z.mean(dim=0, keepdim=True).expand_as(z)),
        ("resample", lambda z: z),
        ("by template", group_mean),
    ],
)
def test_every_kind_of_ablation(model, kind, replacement):
    _, cache = model.run_with_cache(SOURCE)
    expected = with_replaced_z(model, HEADS, lambda layer: replacement(cache[f"blocks.{layer}.attn.hook_z"]))
    ours = ablate(model, INTO, HEADS, metric, kind, SOURCE, GROUPS)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=0)


def test_without_reference_tokens_the_mean_is_over_the_prompts_themselves(model):
    ours = ablate(model, INTO, HEADS, metric)
    torch.testing.assert_close(ours, ablate(model, INTO, HEADS, metric, "mean", INTO))


def test_faithfulness_is_1_for_everything_and_0_for_nothing(model):
    means, nothing = head_means(model, SOURCE), keep_nothing(model)
    assert faithfulness(model, INTO, ~nothing, means, metric) == 1
    assert faithfulness(model, INTO, nothing, means, metric) == 0


def test_a_circuit_of_all_heads_is_the_model_and_of_all_but_one_an_ablation(model):
    means, keep = head_means(model, SOURCE), ~keep_nothing(model)
    kept = keep_only(model, INTO, keep, means, metric)
    torch.testing.assert_close(kept, metric(model(INTO)[:, -1]), atol=1e-4, rtol=0)
    keep[1, 2] = False
    kept = keep_only(model, INTO, keep, means, metric)
    ablated = ablate(model, INTO, [(1, 2)], metric, "mean", SOURCE)
    torch.testing.assert_close(kept, ablated, atol=1e-5, rtol=0)


def test_a_circuit_keeps_positions_prompt_by_prompt(model):
    means, keep = head_means(model, SOURCE), keep_nothing(model)
    keep[:, :, torch.arange(3), torch.tensor([2, 4, 6])] = True
    kept = keep_only(model, INTO, keep, means, metric)
    union = keep.any(dim=2, keepdim=True).expand_as(keep)
    assert not torch.allclose(kept, keep_only(model, INTO, union, means, metric), atol=1e-3)
    for prompt in range(3):  # a prompt's result depends on its own positions only
        own_means = [mean[[prompt]] for mean in means]
        alone = keep_only(model, INTO[[prompt]], keep[:, :, [prompt]], own_means, metric)
        torch.testing.assert_close(alone[0], kept[prompt], atol=1e-4, rtol=0)


@pytest.mark.parametrize("port", ["q", "k"])
def test_a_cut_path_changes_the_pattern_as_the_formula_says(port):
    """Against the formula: the sender's output subtracted from one side of the receiver's scores."""
    model, tokens = small_model(), torch.tensor([[3, 1, 4, 1, 5, 9]])
    _, cache = model.run_with_cache(tokens)
    x = cache["blocks.1.hook_resid_pre"][0] + model.W_pos[:6]
    output = cache["blocks.0.attn.hook_z"][0, :, 2] @ model.W_O[0, 2]
    sides = {"q": x - output * (port == "q"), "k": x - output * (port == "k")}
    scores = (sides["q"] @ model.W_Q[1, 1]) @ (sides["k"] @ model.W_K[1, 1]).T / 5**0.5
    expected = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf).softmax(-1)
    cut = score_with_path_cut(model, tokens, (0, 2), (1, 1), port, lambda pattern: pattern[0, 4, 2])
    assert cut == pytest.approx(expected[4, 2].item(), abs=1e-5)
    assert cut != pytest.approx(cache["blocks.1.attn.hook_pattern"][0, 1, 4, 2].item(), abs=1e-5)


def test_a_path_cut_at_v_leaves_the_pattern():
    model, tokens = small_model(), torch.tensor([[3, 1, 4, 1, 5, 9]])
    _, cache = model.run_with_cache(tokens)
    cut = score_with_path_cut(model, tokens, (0, 2), (1, 1), "v", lambda pattern: pattern[0, 4, 2])
    assert cut == pytest.approx(cache["blocks.1.attn.hook_pattern"][0, 1, 4, 2].item(), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda m: ablate(m, INTO, HEADS[:1], metric, "median"),
            "expected a kind among zero, mean, .*got 'median'",
        ),
        (lambda m: ablate(m, INTO, HEADS[:1], metric, "resample"), "expected reference_tokens"),
        (lambda m: ablate(m, INTO, HEADS[:1], metric, "by template"), "expected groups"),
        (lambda m: ablate(m, INTO, [(0, 9)], metric), "counted from 0, got 0.9"),
        (
            lambda m: keep_only(m, INTO, torch.ones(2, 2, dtype=torch.bool), [], metric),
            r"expected keep \[layer head prompt pos\] = \[2, 6, 3, 7\], got \[2, 2\]",
        ),
    ],
)
def test_a_bad_argument_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(model_named("attn-only-2l"))
