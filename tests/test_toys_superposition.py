"""The toy model of superposition."""

import pytest
import torch

from helpers.toys.superposition import feature_dimensionality, features, superposition_loss, train


def test_training_restores_the_threads_though_it_is_left_early():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    for run in [train(steps=200) for _ in range(2)]:
        next(run)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def last_record(**options):
    *_, record = train(steps=2000, every=2000, **options)
    return record


def test_sparse_features_are_stored_in_superposition_and_dense_ones_are_not():
    dense, sparse = last_record(density=1.0), last_record(density=0.05)
    stored = [(record.W.norm(dim=0) > 0.5).sum().item() for record in (dense, sparse)]
    assert stored[0] == 2 and stored[1] >= 4
    assert sparse.loss < dense.loss


@pytest.mark.parametrize(("density", "expected"), [(1.0, [1, 1, 0, 0, 0]), (0.03, [0.4] * 5)])
def test_the_toy_goes_from_directions_of_their_own_to_a_pentagon(density, expected):
    fractions = feature_dimensionality(last_record(density=density).W).sort(descending=True).values
    assert fractions == pytest.approx(expected, abs=0.05)


def test_with_dropout_no_direction_is_indispensable():
    generator = torch.Generator().manual_seed(0)

    def with_dropout(W, b, x, importance):
        keep = (torch.rand(len(W), 1, generator=generator) > 0.2) / 0.8
        return superposition_loss(keep.sqrt() * W, b, x, importance)

    worst = []
    for loss_of in (superposition_loss, with_dropout):
        *_, end = train(loss_of, directions=16, density=0.2, steps=1500, every=1500)
        x = features(5000, 5, 0.2, generator)
        masks = 1 - torch.eye(16)[:, :, None]
        losses = [superposition_loss(mask * end.W, end.b, x, 0.9 ** torch.arange(5)) for mask in masks]
        worst.append(max(losses))
    assert worst[1] < 0.6 * worst[0]
