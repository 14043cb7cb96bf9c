"""The graph of edges: its order, its size, its masks and its paths."""

import pytest
import torch

from helpers.components import Component
from helpers.edges import EMBEDDING, LOGITS, Edge, Graph, Receiver, strongest
from tests.interventions import model_named


def head(layer, index):
    return Component("head", layer, index)


@pytest.mark.parametrize("name", ["attn-only-2l", "gpt2", "qwen3", "neox"])
def test_an_edge_goes_from_each_component_to_every_later_reader(name):
    model = model_named(name)
    graph, parallel = Graph(model), bool(getattr(model.cfg, "parallel_attn_mlp", False))

    def step(component):
        """Place in the computation: attention at 2 layer + 1, its MLP after it or beside it."""
        if component in (EMBEDDING, LOGITS):
            return 0 if component == EMBEDDING else 2 * model.cfg.n_layers + 1
        return 2 * component.layer + 1 + (component.kind == "mlp" and not parallel)

    edges = {
        (sender, receiver)
        for sender in graph.senders
        for receiver in graph.receivers
        if step(sender) < step(receiver.component)
    }
    assert edges == set(graph.edges()) and len(graph.edges()) == graph.exists.sum()
    n_parts = model.cfg.n_heads + hasattr(model.blocks[0], "mlp")
    assert len(graph.senders) == 1 + model.cfg.n_layers * n_parts
    assert len(graph.receivers) == 1 + model.cfg.n_layers * (n_parts + 2 * model.cfg.n_heads)


def test_masks_and_edges_are_each_other():
    graph = Graph(model_named("gpt2"))
    mask = torch.zeros_like(graph.exists)
    mask[graph.exists] = torch.rand(int(graph.exists.sum())) < 0.1
    assert torch.equal(graph.mask(graph.edges(mask)), mask)
    backward = Edge(head(1, 0), Receiver(head(0, 0), "q"))
    for edge in (backward, Edge(head(7, 0), Receiver(LOGITS))):
        assert edge not in graph
        with pytest.raises(ValueError, match="expected an edge of this model"):
            graph.mask([edge])


def test_dead_ends_leave_no_path():
    graph = Graph(model_named("attn-only-2l"))
    path = [
        Edge(EMBEDDING, Receiver(head(0, 1), "q")),  # any port changes what the head writes
        Edge(head(0, 1), Receiver(head(1, 2), "k")),
        Edge(head(1, 2), Receiver(LOGITS)),
    ]
    dead_ends = [
        Edge(EMBEDDING, Receiver(head(0, 3), "v")),  # 0.3 is read by none
        Edge(head(0, 4), Receiver(head(1, 2), "v")),  # 0.4 reads none
    ]
    on_a_path = graph.on_a_path(graph.mask(path + dead_ends))
    assert set(graph.edges(on_a_path)) == set(path)
    assert torch.equal(graph.on_a_path(graph.exists), graph.exists)
    for i in range(3):
        assert not graph.on_a_path(graph.mask([*path[:i], *path[i + 1 :]])).any()


def test_the_strongest_edges_by_size_and_never_where_there_is_none():
    scores = torch.tensor([[0.5, torch.nan], [-2.0, 1.0]])
    assert [strongest(scores, n).nonzero().tolist() for n in range(4)] == [
        [],
        [[1, 0]],
        [[1, 0], [1, 1]],
        [[0, 0], [1, 0], [1, 1]],
    ]
    for n in (-1, 4):
        with pytest.raises(ValueError, match="expected a number of edges from 0 to 3"):
            strongest(scores, n)
