"""What the edge view shows of a model: strongest edges, faithfulness by size, the metric without each sender."""

import pytest
import torch

from helpers.discovery import EdgePatching, attribution, edge_effects
from helpers.edge_graph import read_edges
from helpers.edge_view import edge_view
from helpers.edges import strongest
from helpers.hooks import replace_z_hooks
from helpers.models import load_model
from helpers.planted import Layout, distinct_repeated, induction_model
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff
from tests.interventions import random_gpt2

LAYOUT = Layout(d_vocab=9, n_ctx=9, sharpness=6.0)


@pytest.fixture(scope="module")
def model():
    return induction_model(LAYOUT)


@pytest.fixture(scope="module")
def patching(model):
    rows = distinct_repeated(LAYOUT, 4, 6, torch.Generator().manual_seed(0))
    clean, right = rows[:, :7], rows[:, 7]
    corrupted = torch.cat(
        [rows[:, :1], distinct_repeated(LAYOUT, 4, 6, torch.Generator().manual_seed(5))[:, 1:7]], dim=1
    )
    return EdgePatching(model, clean, corrupted, lambda logits: logits.gather(1, right[:, None])[:, 0])


@pytest.fixture(scope="module")
def scores(patching):
    return edge_effects(patching)


def test_connections_are_the_strongest_edges_in_order(patching, scores):
    graph = read_edges(patching, scores, drawn=7)
    assert len(graph.connections) == 7
    assert read_edges(patching, scores, drawn=7, sizes=[8]).kept == []  # no size that is drawn
    sizes = [abs(edge.score) for edge in graph.connections]
    assert sizes == sorted(sizes, reverse=True)
    names = {(graph.nodes[edge.sender], graph.nodes[edge.receiver], edge.port) for edge in graph.connections}
    edges = patching.graph.edges(strongest(scores, 7))
    assert names == {(str(sender), str(part), port) for sender, (part, port) in edges}
    for sender, receiver, port, score in graph.connections:
        row, ends = graph.nodes.index(graph.nodes[sender]), [str(end) for end in patching.graph.receivers]
        column = ends.index(".".join(filter(None, [graph.nodes[receiver], port])))
        assert score == scores[row, column].item()


def test_the_true_edges_keep_everything_and_removing_them_leaves_nothing(model, patching):
    truth = true_edges(model, range(1, 9))
    exact = truth.float().masked_fill(~patching.graph.exists, torch.nan)
    graph = read_edges(patching, exact, sizes=[0, int(truth.sum())])
    assert graph.kept == pytest.approx([0, 1], abs=1e-3)
    assert graph.removed == pytest.approx([1, 0], abs=0.05)


def test_values_are_fractions_between_the_two_runs(patching, scores):
    n_edges = int(patching.graph.exists.sum())
    graph = read_edges(patching, scores, drawn=n_edges, sizes=[0, 3, n_edges])
    assert graph.kept[::2] == pytest.approx([0, 1], abs=1e-4)
    assert graph.removed[::2] == pytest.approx([1, 0], abs=1e-4)
    mask, exists = strongest(scores, 3), patching.graph.exists
    gap = (patching.clean_metric - patching.corrupted_metric).mean()
    for value, patched in ((graph.kept[1], exists & ~mask), (graph.removed[1], mask)):
        assert value == pytest.approx(
            ((patching(patched) - patching.corrupted_metric).mean() / gap).item(), abs=1e-6
        )


def test_without_a_head_is_the_model_with_that_head_resampled(patching, scores, model):
    graph = read_edges(patching, scores)
    gap = (patching.clean_metric - patching.corrupted_metric).mean()
    for name in ("0.1", "1.2", "0.0"):
        head = tuple(map(int, name.split(".")))
        with model.hooks(fwd_hooks=replace_z_hooks([head], patching.source.z)):
            metric = patching.metric(model(patching.base.tokens)[:, -1])
        fraction = ((metric - patching.corrupted_metric).mean() / gap).item()
        assert graph.without[graph.nodes.index(name)] == pytest.approx(fraction, abs=1e-4)
    assert graph.without[graph.nodes.index("logits")] is None
    assert graph.without[graph.nodes.index("1.2")] < 0.2 < 0.8 < graph.without[graph.nodes.index("0.0")]


def test_roles_heights_and_sizes_fit_the_view():
    model = random_gpt2()
    clean, corrupted = (
        torch.randint(20, (2, 6), generator=torch.Generator().manual_seed(i)) for i in range(2)
    )
    tokens = torch.tensor([1, 2]), torch.tensor([3, 4])
    patching = EdgePatching(model, clean, corrupted, LogitDiff(*tokens))
    graph = read_edges(
        patching, attribution(patching), drawn=12, sizes=[20, 5, 5, 1], roles={(1, 0): "mover"}
    )
    assert graph.sizes == [1, 5] and len(graph.kept) == len(graph.removed) == 2
    heights = dict(zip(graph.nodes, graph.heights))
    assert heights["embedding"] == 0 < heights["0.0"] == heights["0.1"] < heights["mlp 0"] < heights["1.0"]
    assert max(heights, key=heights.get) == "logits"
    assert graph.roles[graph.nodes.index("1.0")] == "mover" and sum(map(bool, graph.roles)) == 1
    assert "12 strongest of 12 edges" in edge_view(graph, size=12).data


def test_a_small_model_draws_all_of_its_edges():
    model = load_model("attn-only-1l")
    clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    graph = read_edges(patching, attribution(patching))
    assert len(graph.connections) == 25 and graph.sizes == [1, 2, 5, 10, 20]


def test_bad_arguments_are_refused(patching, scores, model):
    with pytest.raises(
        ValueError, match=r"expected scores of shape \[7, 19\] \[sender receiver\], got \[7, 18\]"
    ):
        read_edges(patching, scores[:, :-1])
    same = EdgePatching(model, patching.base.tokens, patching.base.tokens, patching.metric)
    with pytest.raises(ValueError, match="expected corrupted prompts that change the metric"):
        read_edges(same, scores)
