"""Grades of circuit discovery: against loops, random orders, and the model itself."""

import itertools

import pytest
import torch

from helpers.discovery import EdgePatching, attribution, prune
from helpers.edges import strongest
from helpers.grading import (
    average_precision,
    circuit_faithfulness,
    curve_areas,
    faithfulness_by_size,
    precision_at,
    precision_recall,
    score_sizes,
)
from helpers.models import load_model
from helpers.planted_logic import logic_prompts, or_model
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff

SCORES = torch.tensor([3.0, -2.0, 2.0, torch.nan, 0.5, -2.0, 1e-7, 0.0])
TRUTH = torch.tensor([False, True, False, False, True, True, False, True])


def or_patching() -> EdgePatching:
    prompts = logic_prompts()
    return EdgePatching(
        or_model(), prompts.tokens, prompts.corrupted, LogitDiff(prompts.right, prompts.wrong)
    )


def all_orders(n: int) -> torch.Tensor:
    """Precision of the first n edges in every order that the scores of SCORES allow."""
    sizes = score_sizes(SCORES).tolist()
    edges = [i for i, size in enumerate(sizes) if size == size]
    orders = [
        order
        for order in itertools.permutations(edges)
        if all(sizes[a] >= sizes[b] for a, b in itertools.pairwise(order))
    ]
    return torch.tensor([sum(TRUTH[i].item() for i in order[:n]) / n for order in orders])


@pytest.mark.parametrize("n", range(1, 8))
def test_precision_at_n_is_the_mean_over_all_orders_of_ties(n):
    torch.testing.assert_close(precision_at(SCORES, TRUTH, n), all_orders(n).mean())


def test_levels_take_equal_scores_at_once():
    precision, recall = precision_recall(SCORES, TRUTH)
    torch.testing.assert_close(precision, torch.tensor([0, 2 / 4, 3 / 5, 4 / 7]))
    torch.testing.assert_close(recall, torch.tensor([0, 2 / 4, 3 / 4, 1]))
    torch.testing.assert_close(average_precision(SCORES, TRUTH), torch.tensor((2 / 2 + 3 / 5 + 4 / 7) / 4))


def test_average_precision_without_ties_is_the_mean_precision_at_each_true_edge():
    generator = torch.Generator().manual_seed(0)
    scores, truth = torch.randn(5, 9, generator=generator), torch.rand(5, 9, generator=generator) < 0.3
    ranked = truth.flatten()[scores.flatten().abs().argsort(descending=True)].float()
    at_each = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    expected = at_each[ranked.bool()].mean()
    torch.testing.assert_close(average_precision(scores, truth), expected)


def test_scores_that_say_nothing_get_the_fraction_of_true_edges():
    truth = torch.tensor([[True, False], [False, False]])
    assert average_precision(torch.zeros(2, 2), truth) == 0.25
    assert precision_at(torch.zeros(2, 2), truth, 1) == 0.25
    assert average_precision(torch.tensor([[1.0, 1e-9], [-1e-8, 0]]), truth) == 1


def test_the_pruned_circuit_of_an_or_is_faithful_and_not_complete():
    patching = or_patching()
    truth = true_edges(or_model(), (1, 2))
    pruned = prune(patching, threshold=0.1)
    assert precision_at(pruned.float().where(patching.graph.exists, torch.nan), truth, 4) == 1
    assert pruned.sum() == 4 and truth.sum() == 7
    without_head = pruned.clone()
    without_head[:, -1] = False  # the branch without the edge to the logits, which both branches share
    faithful = circuit_faithfulness(patching, pruned)
    left = circuit_faithfulness(patching, patching.graph.exists & ~without_head)
    torch.testing.assert_close(torch.stack([faithful, left]), torch.ones(2))


def test_faithfulness_by_size_patches_what_it_says():
    model = load_model("attn-only-2l")
    tokens = torch.randint(100, (2, 3, 7), generator=torch.Generator().manual_seed(0))
    patching = EdgePatching(model, *tokens, lambda logits: logits[:, 17])
    scores = attribution(patching)
    kept, removed = faithfulness_by_size(patching, scores, [0, 20, 157])
    torch.testing.assert_close(kept[[0, 2]], torch.tensor([0.0, 1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(removed[[0, 2]], torch.tensor([1.0, 0.0]), atol=1e-4, rtol=0)
    clean, corrupted = patching.clean_metric.mean(), patching.corrupted_metric.mean()
    metric = patching(strongest(scores, 20)).mean()  # the 20 edges patched
    torch.testing.assert_close(removed[1], (metric - corrupted) / (clean - corrupted))
    metric = patching(patching.graph.exists & ~strongest(scores, 20)).mean()
    torch.testing.assert_close(kept[1], (metric - corrupted) / (clean - corrupted))


def test_areas_are_those_of_mib():
    fractions, kept = torch.tensor([0.001, 0.01, 0.1, 1]), torch.tensor([0, 0.5, 1.2, 1])
    performance, distance = curve_areas(fractions, kept)
    assert performance == pytest.approx(0.009 * 0.25 + 0.09 * 0.85 + 0.9 * 1.1)
    assert distance == pytest.approx(0.009 * 0.75 + 0.09 * 0.35 + 0.9 * 0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: precision_at(SCORES, TRUTH, 0), "expected a number of edges from 1 to 7, got 0"),
        (lambda: precision_at(SCORES, TRUTH, 8), "got 8"),
        (lambda: precision_recall(SCORES, TRUTH[:3]), r"of one shape, got \[8\] and \[3\]"),
        (lambda: average_precision(SCORES, TRUTH & SCORES.isnan()), "expected a true edge among"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
