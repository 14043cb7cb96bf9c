"""Our sweeps against TransformerLens's, patch by patch, on three models; and their answers to bad input."""

import itertools
from functools import partial

import pandas as pd
import pytest
import torch
from transformer_lens import patching as tl

from helpers.forward import Forward
from helpers.hooks import replace_hook
from helpers.patching import PARTS, patch_heads, patch_mlp, patch_residual, path_patch
from helpers.run import LogitDiff
from tests.families import family
from tests.interventions import ALL_POSITIONS, BY_POSITION, INTO, MODELS, SOURCE, metric, model_named


@pytest.fixture(params=MODELS)
def model(request):
    return model_named(request.param)


def has_mlps(model):
    return hasattr(model.blocks[0], "mlp")


def mean_at_the_end(logits):
    return metric(logits[:, -1]).mean()


def by_library(sweep, model):
    """A sweep of TransformerLens, with a check that its patches change the metric."""
    effects = sweep(model, INTO, model.run_with_cache(SOURCE)[1], mean_at_the_end)
    assert (effects - effects.flatten()[0]).abs().max() > 1e-3
    return effects


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_residual_and_mlp(model):
    ours = patch_residual(model, INTO, SOURCE, metric)
    assert ours.shape == (model.cfg.n_layers, 7, 3)
    close(ours.mean(dim=-1), by_library(tl.get_act_patch_resid_pre, model))
    if has_mlps(model):
        ours = patch_mlp(model, INTO, SOURCE, metric)
        close(ours.mean(dim=-1), by_library(tl.get_act_patch_mlp_out, model))
    else:
        with pytest.raises(ValueError, match="expected a model with MLPs, got none"):
            patch_mlp(model, INTO, SOURCE, metric)


def shares_keys(model):
    return model.W_K.shape[1] != model.cfg.n_heads


def with_one_head_of(model, values, layer, head, seen):
    """Logits with the pattern or z of one head replaced by that of another run."""
    index = (slice(None), head) if seen == "pattern" else (slice(None), slice(None), head)
    hook = replace_hook(f"blocks.{layer}.attn.hook_{seen}", values, index)
    return model.run_with_hooks(INTO, fwd_hooks=[hook])


def by_pattern_or_z(model, part):
    """Oracle where query heads share keys: the pattern (or z) of one of them, from a run with other keys (or values)."""
    effects = torch.zeros(model.cfg.n_layers, model.cfg.n_heads, len(INTO))
    _, source = model.run_with_cache(SOURCE)
    for layer in range(model.cfg.n_layers):
        name, seen = f"blocks.{layer}.attn.hook_{part}", "pattern" if part == "k" else "z"
        with model.hooks(fwd_hooks=[(name, lambda x, hook, value=source[name]: value)]):
            patched = model.run_with_cache(INTO)[1][f"blocks.{layer}.attn.hook_{seen}"]
        for head in range(model.cfg.n_heads):
            logits = with_one_head_of(model, patched, layer, head, seen)
            effects[layer, head] = metric(logits[:, -1])
    assert (effects - effects.flatten()[0]).abs().max() > 1e-3
    return effects


@pytest.mark.parametrize("part", PARTS)
def test_heads(model, part):
    ours = patch_heads(model, INTO, SOURCE, metric, part)
    assert ours.shape == (model.cfg.n_layers, model.cfg.n_heads, 3)
    if part in ("k", "v") and shares_keys(model):
        return close(ours, by_pattern_or_z(model, part))
    close(ours.mean(dim=-1), by_library(ALL_POSITIONS[part], model))
    ours = patch_heads(model, INTO, SOURCE, metric, part, by_position=True)
    assert ours.shape == (model.cfg.n_layers, 7, model.cfg.n_heads, 3)
    close(ours.mean(dim=-1), by_library(BY_POSITION[part], model))


def by_shared_head(model, part, by_position):
    """TransformerLens's sweep over the key (or value) heads, which the query heads share."""
    axes = ("layer", "pos", "head") if by_position else ("layer", "head")
    setter = tl.layer_pos_head_vector_patch_setter if by_position else tl.layer_head_vector_patch_setter
    sizes = [
        model.cfg.n_layers,
        *([INTO.shape[1]] if by_position else []),
        getattr(model, f"W_{part.upper()}").shape[1],
    ]
    table = pd.DataFrame(itertools.product(*map(range, sizes)), columns=axes)
    effects = by_library(
        partial(tl.generic_activation_patch, patch_setter=setter, activation_name=part, index_df=table), model
    )
    return effects.reshape(sizes)


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize("part", ["k", "v"])
def test_what_query_heads_share_is_patched_for_all_of_them(model, part, by_position):
    ours = patch_heads(model, INTO, SOURCE, metric, part, by_position, shared=True)
    close(ours.mean(dim=-1), by_shared_head(model, part, by_position))


@pytest.mark.parametrize(
    "sweep", [patch_residual, patch_heads, partial(patch_heads, part="pattern", by_position=True)]
)
def test_the_logits_of_a_difference_alone(model, sweep):
    """A sweep that computes two logits gives what a sweep that computes all gives."""
    right, wrong = torch.tensor([5, 17, 30]), torch.tensor([6, 2, 8])
    difference = LogitDiff(right, wrong)
    close(
        sweep(model, INTO, SOURCE, difference), sweep(model, INTO, SOURCE, lambda logits: difference(logits))
    )


def test_chosen_positions_and_runs_instead_of_tokens(model):
    every = patch_heads(model, INTO, SOURCE, metric, "q", by_position=True)
    forward = Forward(model)
    runs = forward.run(INTO), forward.run(SOURCE)
    close(patch_heads(model, *runs, metric, "q", by_position=[-1, 0, 4]), every[:, [6, 0, 4]])
    close(
        patch_heads(model, *runs, metric, "q", by_position=[1]), every[:, [1]]
    )  # before the first difference
    close(
        path_patch(model, *runs, metric, [(0, 1)], "logits"),
        path_patch(model, INTO, SOURCE, metric, [(0, 1)], "logits"),
    )


@pytest.mark.parametrize("max_bytes", [1, 2_000_000])
def test_small_batches_change_nothing(model, max_bytes):
    expected = patch_heads(model, INTO, SOURCE, metric)
    ours = patch_heads(model, INTO, SOURCE, metric, max_bytes=max_bytes)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def direct_paths(model, port):
    """Oracle: the metric with the path from head 0.1 into each head of later layers patched, ``[layer head]``."""
    caches = [model.run_with_cache(tokens)[1] for tokens in (SOURCE, INTO)]
    if port in ("k", "v") and shares_keys(model):
        return direct_paths_to_shared_keys(model, port, *caches)
    if has_mlps(model):
        return tl.get_act_patch_direct_path(model, INTO, *caches, mean_at_the_end, 0, 1, port, verbose=False)
    # TransformerLens refuses split inputs on native models; without LayerNorm a query changes by a product
    source_z, into_z = (cache["blocks.0.attn.hook_z"][:, :, 1] for cache in caches)
    change = (source_z - into_z) @ model.W_O[0, 1]
    W, effects = getattr(model, f"W_{port.upper()}"), torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for head in range(model.cfg.n_heads):

        def add(activation, hook, head=head):
            activation[:, :, head] += change @ W[1, head]
            return activation

        logits = model.run_with_hooks(INTO, fwd_hooks=[(f"blocks.1.attn.hook_{port}", add)])
        effects[1, head] = mean_at_the_end(logits)
    return effects


def direct_paths_to_shared_keys(model, port, source, into):
    """Oracle: the pattern (or z) of one query head, from a run in which the layer's keys (or values) read the change."""
    name = "blocks.0.attn.hook_z"
    change = (source[name] - into[name])[:, :, 1] @ model.W_O[0, 1]
    effects, seen = torch.zeros(model.cfg.n_layers, model.cfg.n_heads), "pattern" if port == "k" else "z"
    for layer in range(1, model.cfg.n_layers):
        kept = [f"blocks.{layer}.attn.hook_{other}" for other in "qkv" if other != port]
        hooks = [(name, lambda x, hook, value=into[name]: value) for name in kept]
        hooks.append((f"blocks.{layer}.hook_resid_pre", lambda x, hook: x + change))
        with model.hooks(fwd_hooks=hooks):
            patched = model.run_with_cache(INTO)[1][f"blocks.{layer}.attn.hook_{seen}"]
        for head in range(model.cfg.n_heads):
            logits = with_one_head_of(model, patched, layer, head, seen)
            effects[layer, head] = mean_at_the_end(logits)
    return effects


@pytest.mark.parametrize("port", ["q", "k", "v"])
def test_direct_paths(model, port):
    theirs = direct_paths(model, port)
    for layer in range(1, model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            ours = path_patch(model, INTO, SOURCE, metric, [(0, 1)], [(layer, head, port)])
            close(ours[0].mean(), theirs[layer, head])


def test_paths_to_the_logits_and_through_mlps(model):
    """A last-layer head reaches the logits directly or through one MLP; both paths are its whole effect."""
    last = model.cfg.n_layers - 1
    senders = [(last, head) for head in range(model.cfg.n_heads)]
    expected = patch_heads(model, INTO, SOURCE, metric)[last]
    close(path_patch(model, INTO, SOURCE, metric, senders, "logits", via="mlps"), expected)
    direct = path_patch(model, INTO, SOURCE, metric, senders, "logits")
    assert torch.allclose(direct, expected, atol=1e-4) == (not has_mlps(model) or model.cfg.parallel_attn_mlp)


def test_several_receivers_are_patched_at_once(model):
    """All of a sender's paths into the next layer's ports are its effect on an end that reads only these heads."""
    heads = range(model.cfg.n_heads)
    receivers = [(1, head, port) for port in ("v", "q", "k") for head in heads]
    together = path_patch(model, INTO, SOURCE, metric, [(0, 1)], receivers)
    one_by_one = [path_patch(model, INTO, SOURCE, metric, [(0, 1)], [receiver]) for receiver in receivers]
    close(together, path_patch(model, INTO, SOURCE, metric, [(0, 1)], receivers[::-1]))
    assert all((together - single).abs().max() > 1e-5 for single in one_by_one)


def test_a_sender_between_two_receivers_reaches_the_later_one():
    model = family("llama")
    receivers = [(1, 0, "k"), (2, 3, "q")]
    both = path_patch(model, INTO, SOURCE, metric, [(0, 1), (1, 2)], receivers)
    close(both[0], path_patch(model, INTO, SOURCE, metric, [(0, 1)], receivers)[0])
    close(both[1], path_patch(model, INTO, SOURCE, metric, [(1, 2)], [(2, 3, "q")])[0])
    assert (both[1] - metric(model(INTO)[:, -1])).abs().max() > 1e-4


def test_patching_nothing_and_everything(model):
    """A patch from the run itself changes nothing; the stream before layer 0 at every changed position is everything."""
    plain = metric(model(INTO)[:, -1])
    for part in PARTS:
        effects = patch_heads(model, INTO, INTO, metric, part)
        close(effects, plain.expand_as(effects))
    last_differs = torch.cat([INTO[:, :-1], SOURCE[:, -1:]], dim=1)
    effects = patch_residual(model, INTO, last_differs, metric)[:, -1]
    close(effects, metric(model(last_differs)[:, -1]).expand_as(effects))


def test_an_interrupted_sweep_leaves_no_hook_on_the_model(model):
    def interrupted(logits):
        raise KeyboardInterrupt

    before = model(INTO)
    with pytest.raises(KeyboardInterrupt):
        patch_heads(model, INTO, SOURCE, interrupted, by_position=True)
    assert not any(point.fwd_hooks for point in model.hook_dict.values())
    torch.testing.assert_close(model(INTO), before)


def path(senders, receivers, **options):
    return lambda model: path_patch(model, INTO, SOURCE, metric, senders, receivers, **options)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: patch_heads(m, INTO, SOURCE[:, :5], metric), "prompts of one shape"),
        (lambda m: patch_heads(m, INTO[0], SOURCE[0], metric), "add a prompt axis"),
        (lambda m: patch_heads(m, INTO, SOURCE, metric, "z"), "expected a part among out, q, k, v, pattern"),
        (
            lambda m: patch_heads(m, INTO, SOURCE, metric, by_position=[7]),
            r"expected positions from -7 to 6, got \[7\]",
        ),
        (lambda m: patch_heads(m, INTO, SOURCE, metric, by_position=[]), "expected positions from -7 to 6"),
        (path([(0, 9)], "logits"), "counted from 0, got 0.9"),
        (path([(0, 1)], [(7, 0, "q")]), "counted from 0, got 7.0"),
        (path([(1, 1)], [(1, 0, "q")]), "in a later layer than the sender, got 1.1 → 1.0"),
        (path([(0, 1)], [(1, 0, "z")]), 'expected a port "q", "k" or "v"'),
        (path([(0, 1)], "logits", via="attention"), 'expected via "direct" or "mlps"'),
        (path([(0, 1)], []), "expected receivers"),
        (path([(0, 1)], "logit"), "expected receivers"),
    ],
)
def test_a_bad_argument_is_refused_with_a_sentence(model, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(model)
