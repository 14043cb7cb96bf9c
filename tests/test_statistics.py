"""Rank correlation against its textbook formula, and the coverage of bootstrap intervals."""

import pytest
import torch

from helpers.exercises.inputs import generator
from helpers.statistics import bootstrap, bootstrap_ratio, rank_correlation


def test_the_rank_correlation_is_that_of_the_differences_of_ranks():
    x, y = torch.randn(2, 30, generator=generator(0))
    ranks = [[sorted(values.tolist()).index(value) for value in values.tolist()] for values in (x, y)]
    expected = 1 - 6 * sum((a - b) ** 2 for a, b in zip(*ranks)) / (30 * (30**2 - 1))
    assert rank_correlation(x, y).item() == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(rank_correlation(x.exp(), y), rank_correlation(x, y))


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    numbers, hits = generator(0), 0
    for seed in range(200):
        low, high = bootstrap(torch.randn(60, generator=numbers) + 3, samples=500, seed=seed)
        hits += low < 3 < high
    assert 180 <= hits <= 199


def test_bootstrap_is_seeded_and_wider_at_a_higher_level():
    values = torch.arange(50.0)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1) != bootstrap(values, seed=2)
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]


def test_a_ratio_of_proportional_sums_has_no_interval():
    possible, groups = torch.rand(12, generator=generator(0)), torch.arange(12) // 3
    assert bootstrap_ratio(0.7 * possible, possible, groups) == pytest.approx((0.7, 0.7))


def test_bootstrap_ratio_covers_the_ratio_when_groups_share_their_noise():
    numbers, by_group, by_prompt = generator(1), 0, 0
    groups, single = torch.arange(120) // 4, torch.arange(120)
    for seed in range(200):
        shared = torch.randn(30, generator=numbers).repeat_interleave(4)
        possible = 4 + torch.randn(120, generator=numbers)
        gained = 2 + shared + 0.1 * torch.randn(120, generator=numbers)
        for labels in (groups, single):
            low, high = bootstrap_ratio(gained, possible, labels, samples=300, seed=seed)
            by_group += (labels is groups) * (low < 0.5 < high)
            by_prompt += (labels is single) * (low < 0.5 < high)
    assert by_prompt < 160 < 176 <= by_group <= 198
