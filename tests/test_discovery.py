"""Patched edges against TransformerLens and against plain runs; gradients; pruning."""

import pytest
import torch
from transformer_lens import patching as tl

from helpers.components import Component
from helpers.discovery import EdgePatching, attribution, edge_effects, prune
from helpers.edges import LOGITS, Edge, Receiver, strongest
from helpers.patching import path_patch
from helpers.planted import Layout, distinct_repeated, induction_model
from helpers.planted_truth import true_edges
from tests.interventions import INTO, SOURCE, metric, model_named

KINDS = (
    "attn-only-2l",
    "gpt2 folded",
    "qwen3",
    "neox",
)  # positions in Q and K, LayerNorm, shared keys, parallel


@pytest.fixture(params=KINDS, scope="module")
def patching(request):
    return EdgePatching(model_named(request.param), INTO, SOURCE, metric)


def one_edge(patching, i, j):
    mask = torch.zeros_like(patching.graph.exists)
    mask[i, j] = True
    return (patching(mask) - patching.clean_metric).mean().item()


def test_all_edges_patched_is_the_corrupted_run_and_none_the_clean_one(patching):
    exists = patching.graph.exists
    tolerance = dict(atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(patching(exists), patching.corrupted_metric, **tolerance)
    torch.testing.assert_close(patching(exists & False), patching.clean_metric, **tolerance)
    model = patching.forward.model
    torch.testing.assert_close(patching.clean_metric, metric(model(INTO)[:, -1]), **tolerance)


def test_the_fast_effects_are_those_of_whole_runs(patching):
    exists = patching.graph.exists
    random = torch.rand(exists.shape, generator=torch.Generator().manual_seed(0)).masked_fill(~exists, 0)
    chosen = strongest(random, 20)
    chosen[0, 0] = chosen[0, -1] = chosen[-1, -1] = True
    effects = edge_effects(patching, chosen)
    assert torch.equal(effects.isfinite(), chosen)
    for i, j in chosen.nonzero().tolist():
        assert effects[i, j].item() == pytest.approx(one_edge(patching, i, j), abs=1e-3, rel=1e-3)


@pytest.mark.parametrize("receiver", [(1, 1, "q"), (1, 0, "k"), (1, 3, "v"), "logits"])
def test_edge_effects_are_those_of_path_patching(patching, receiver):
    graph, sender = patching.graph, Component("head", 0, 1)
    column = Receiver(LOGITS)
    if receiver != "logits":
        column = Receiver(Component("head", *receiver[:2]), receiver[2])
    chosen = graph.mask([Edge(sender, column)])
    ours = edge_effects(patching, chosen)[chosen].item()
    receivers = receiver if receiver == "logits" else [receiver]
    theirs = path_patch(patching.forward.model, INTO, SOURCE, metric, [(0, 1)], receivers)[0]
    assert ours == pytest.approx((theirs - patching.clean_metric).mean().item(), abs=1e-4)


def test_edge_effects_are_those_of_transformer_lens():
    model = model_named("gpt2")
    patching, (_, into), (_, source) = (
        EdgePatching(model, INTO, SOURCE, metric),
        *(model.run_with_cache(tokens) for tokens in (INTO, SOURCE)),
    )
    columns, effects = patching.graph.columns, edge_effects(patching)
    for port in "qkv":
        theirs = tl.get_act_patch_direct_path(
            model, INTO, source, into, lambda logits: metric(logits[:, -1]).mean(), 0, 1, port, verbose=False
        )
        for layer in (1, 2):
            ours = effects[2, columns[layer, port]] + patching.clean_metric.mean()  # sender 2 is head 0.1
            torch.testing.assert_close(ours, theirs[layer], atol=1e-4, rtol=0)


def test_attribution_is_the_slope_of_the_metric(patching):
    scores, h = attribution(patching), 1e-2
    assert torch.equal(scores.isfinite(), patching.graph.exists)
    for i, j in strongest(scores, 3).nonzero().tolist():
        step = torch.zeros(scores.shape)
        step[i, j] = h
        slope = (patching(step) - patching(-step)).mean().item() / (2 * h)
        assert scores[i, j].item() == pytest.approx(slope, rel=0.05, abs=0.01)


def test_integrated_gradients_of_the_embedding_sum_to_the_change_of_the_metric():
    patching = EdgePatching(model_named("attn-only-2l"), INTO, SOURCE, metric)
    of_the_embedding = attribution(patching, steps=30)[0].nansum()  # every path leaves it by one edge
    change = (patching.corrupted_metric - patching.clean_metric).mean()
    assert of_the_embedding.item() == pytest.approx(change.item(), rel=0.05) and change.abs() > 0.1


def test_pruning_finds_the_planted_circuit_and_its_cost_depends_on_the_threshold():
    layout = Layout(d_vocab=8, n_ctx=12)
    model = induction_model(layout)
    clean, corrupted = (
        distinct_repeated(layout, 5, 4, torch.Generator().manual_seed(seed)) for seed in (0, 1)
    )
    corrupted[:, 6:] = clean[:, 6:]  # other first copies
    target = clean[:, 1]
    clean, corrupted = clean[:, :-4], corrupted[:, :-4]  # ends with the first token of the second copy

    def right(logits):
        return logits.gather(1, clean[:, 2:3])[:, 0]

    assert (target == clean[:, 6]).all()
    patching = EdgePatching(model, clean, corrupted, right)
    kept = prune(patching, threshold=0.5)
    truth = true_edges(model, range(1, 8))
    assert not (kept & ~truth).any()
    torch.testing.assert_close(patching(patching.graph.exists & ~kept), patching.clean_metric)
    assert not prune(patching, threshold=torch.inf).any()
    assert torch.equal(prune(patching, threshold=-torch.inf), patching.graph.exists)


def test_arguments_that_cannot_be_used_are_answered():
    model = model_named("attn-only-2l")
    with pytest.raises(ValueError, match=r"expected prompts of one shape, got clean \[3, 7\]"):
        EdgePatching(model, INTO, SOURCE[:, 1:], metric)
    with pytest.raises(ValueError, match="expected 1 step or more, got 0"):
        attribution(EdgePatching(model, INTO, SOURCE, metric), steps=0)
    assert edge_effects(EdgePatching(model, INTO, SOURCE, metric), torch.zeros(13, 37) > 0).isnan().all()
