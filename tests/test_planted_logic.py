"""The planted models on which methods fail: what each edge does, and what gradients say of it."""

import pytest

from helpers.components import Component
from helpers.discovery import EdgePatching, attribution, edge_effects, prune
from helpers.edges import EMBEDDING, LOGITS, Edge, Receiver
from helpers.planted import Layout
from helpers.planted_logic import NO_SIGNAL, SIGNAL, cancelling_model, logic_prompts, or_model
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff

SOFT = Layout(d_vocab=6, n_ctx=4, sharpness=12)


def patched(model):
    tokens, corrupted, right, wrong = logic_prompts()
    patching = EdgePatching(model, tokens, corrupted, LogitDiff(right, wrong))
    edges = patching.graph.edges(true_edges(model, [SIGNAL, NO_SIGNAL]))
    return patching, {str(edge): patching.graph.mask([edge]) for edge in edges}


def test_one_branch_of_the_or_suffices():
    patching, edges = patched(or_model())
    effects = edge_effects(patching)
    branches = [mask for name, mask in edges.items() if name != "1.0 → logits"]
    assert len(branches) == 6 and all(effects[mask].abs() < 1e-3 for mask in branches)
    assert patching(sum(branches).bool()).abs() < 1e-3 < patching.clean_metric
    into = {head: f"0.{head} → 1.0.q" for head in (0, 1)}
    for first, order in ((0, None), (1, [0, 1, 2, 3, 4])):  # senders: embedding, 0.0, 0.1, 1.0, 1.1
        kept = prune(patching, 1.0, order)
        assert kept[edges[into[first]]] and not kept[edges[into[1 - first]]]


def test_gradients_see_no_branch_of_a_sharp_or_and_integrated_ones_both_of_a_soft_one():
    patching, edges = patched(or_model())
    names = [name for name in edges if name != "1.0 → logits"]
    assert all(attribution(patching)[edges[name]].abs() < 1e-3 for name in names)
    patching, edges = patched(or_model(SOFT))
    integrated = attribution(patching, steps=100)
    assert all(integrated[edges[name]] < -0.5 for name in names)


def test_gradients_cancel_where_effects_do_not():
    patching, _ = patched(cancelling_model())
    mask = patching.graph.mask([Edge(EMBEDDING, Receiver(Component("head", 0, 0), "v"))])
    assert attribution(patching)[mask].abs() < 1e-3
    assert edge_effects(patching)[mask].item() == pytest.approx(-30, abs=0.1)
    assert attribution(patching, steps=200)[mask] < -5
    both = [Edge(Component("head", 0, 0), Receiver(LOGITS)), Edge(Component("head", 1, 0), Receiver(LOGITS))]
    direct, indirect = (attribution(patching)[patching.graph.mask([edge])].item() for edge in both)
    assert direct == pytest.approx(-40, abs=0.1) and indirect == pytest.approx(10, abs=0.1)
