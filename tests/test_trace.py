"""The address trace on a circuit whose addresses are known, and component sizes that sum to the logit."""

import re

import pytest
import torch

from helpers.components import PORTS, Component, Head, head_weights
from helpers.composition import composition_scores, port_scores
from helpers.planted import Layout, distinct_repeated, induction_model
from helpers.trace import address_trace, component_sizes, head_subspace_scores, subspace_scores

LAYOUT = Layout(d_vocab=9, n_ctx=14)
TOKENS = distinct_repeated(LAYOUT, 6, 1, torch.Generator().manual_seed(0))
EMBEDDING, POSITION = Component("embedding"), Component("position")
PREVIOUS, INDUCTION = Component("head", 0, 1), Component("head", 1, 2)


@pytest.fixture(scope="module")
def planted():
    return induction_model(LAYOUT)


@pytest.fixture(scope="module")
def trace(planted):
    return {access.head: access for access in address_trace(planted, TOKENS, destination=9)}


def test_the_trace_names_the_addresses_of_a_planted_circuit(trace):
    previous, induction = trace[Head(0, 1)], trace[Head(1, 2)]
    assert (previous.source, induction.source) == (8, 4)  # one back; after the earlier copy, six back
    components = {port: component for port, (component, _) in previous.ports.items()}
    assert components == {"q": POSITION, "k": POSITION, "v": EMBEDDING}
    assert induction.ports["k"][0] == PREVIOUS and induction.ports["q"][0] == EMBEDDING


def test_a_trace_prints_in_one_line(trace):
    assert re.fullmatch(
        r"1\.2   q 9:embedding   \.\d\d   k 4:0\.1         \.\d\d   v 4:embedding   \.\d\d"
        r"   →  write 9:1\.2  \(attention 4 = 1\.00\)",
        str(trace[Head(1, 2)]),
    )


def test_a_trace_marks_its_cells_in_the_memory_map(planted, trace):
    _, components = component_sizes(planted, TOKENS)
    column = components.index
    assert trace[Head(1, 2)].cells(components) == {
        "q": (9, column(EMBEDDING)),
        "k": (4, column(PREVIOUS)),
        "v": (4, column(EMBEDDING)),
        "write": (9, column(INDUCTION)),
    }
    assert set(trace[Head(0, 1)].cells(components)) == {"v", "write"}  # positions have no column


def test_scores_given_or_computed_lead_to_one_trace(planted, trace):
    scores = subspace_scores(planted)
    assert address_trace(planted, TOKENS, 9, scores) == address_trace(planted, TOKENS, 9 - 13)
    assert list(trace.values()) == address_trace(planted, TOKENS, 9, scores)


@pytest.mark.parametrize("name", ["attn-only-2l", "ioi-gpt2"])
def test_every_layer_is_scored_with_the_components_before_it(shipped_model, name):
    model = shipped_model(name)
    n_heads = model.cfg.n_heads
    for layer, (components, scores) in enumerate(subspace_scores(model)):
        mlps = 0 if model.cfg.attn_only else layer
        assert len(components) == 2 + mlps + layer * n_heads and scores.shape == (3, len(components), n_heads)
        assert all(component.layer is None or component.layer < layer for component in components)
        for number, port in enumerate(("q", "k", "v") if layer else ()):
            pairs = composition_scores(model, port)[0, 3, layer]
            torch.testing.assert_close(scores[number, components.index(Component("head", 0, 3))], pairs)
        weights = [W[layer] for W in head_weights(model)]
        from_embedding = port_scores(model.W_E, *weights)
        torch.testing.assert_close(scores[:, components.index(EMBEDDING)], from_embedding, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["ioi-gpt2", "attn-only-2l"])
def test_what_one_head_can_read_is_the_row_of_the_whole_table(shipped_model, name):
    model = shipped_model(name)
    layer, head = model.cfg.n_layers - 1, 2
    components, table = subspace_scores(model)[layer]
    scores = head_subspace_scores(model, layer, head)
    assert scores.keys() == set(components)
    for place, component in enumerate(components):
        torch.testing.assert_close(scores[component], table[:, place, head], atol=1e-4, rtol=1e-3)
    assert len(scores[components[0]]) == len(PORTS)


@pytest.mark.parametrize("name", ["ioi-gpt2", "attn-only-2l"])
def test_the_components_of_a_logit_sum_to_the_logit(shipped_model, name):
    model = shipped_model(name)
    tokens = model.to_tokens("When Mary and John went to the store")
    sizes, components = component_sizes(model, tokens, model.W_U[:, 7] - model.W_U[:, 11])
    logits = model(tokens)[0] - model.b_U
    torch.testing.assert_close(sizes.sum(dim=1), logits[:, 7] - logits[:, 11], atol=1e-3, rtol=1e-3)
    norms, same_components = component_sizes(model, tokens)
    assert components == same_components and components[0] == EMBEDDING
    assert Component("head", 1, 0) in components and (norms >= 0).all()


def test_a_bad_text_or_destination_is_refused(planted):
    with pytest.raises(ValueError, match="expected a destination among the 13 tokens, 0 to 12, got 13"):
        address_trace(planted, TOKENS, destination=13)
    for call in (address_trace, component_sizes):
        with pytest.raises(ValueError, match="expected one text"):
            call(planted, TOKENS.repeat(2, 1))
