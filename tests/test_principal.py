"""Principal coordinates and separations: known geometry, ties, and what random data give."""

import pytest
import torch

from helpers.principal import principal_coordinates, random_separation, separation


def test_coordinates_are_those_of_a_rotated_cloud_up_to_a_fixed_sign():
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(200, 5, generator=generator) * torch.tensor([9.0, 4, 2, 0.1, 0.01])
    flat = flat - flat.mean(dim=0)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=generator)).Q
    coordinates = principal_coordinates(flat @ rotation + 7, 3)
    assert (
        torch.corrcoef(torch.cat([coordinates, flat[:, :3]], dim=1).T)[:3, 3:].abs().diagonal() > 0.99
    ).all()
    extreme = coordinates.gather(0, coordinates.abs().argmax(dim=0, keepdim=True))
    assert (extreme > 0).all()
    torch.testing.assert_close(principal_coordinates(-flat, 3).abs(), principal_coordinates(flat, 3).abs())


def test_coordinates_keep_distances_when_no_component_is_left_out():
    vectors = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        torch.cdist(principal_coordinates(vectors, 4), principal_coordinates(vectors, 4)),
        torch.cdist(vectors, vectors),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([3.0, 2, 1, 0], 1),
        ([0.0, 1, 2, 3], 1),
        ([0.0, 0, 0, 0], 0.5),
        ([1.0, 3, 2, 0], 0.75),
        ([1.0, 2, 2, 0], 0.625),
    ],
)
def test_separation_of_two_and_two_rows(column, expected):
    labels = torch.tensor([True, True, False, False])
    assert separation(torch.tensor(column)[:, None], labels).item() == expected


def test_separation_is_the_same_for_the_other_label_and_after_any_increasing_map():
    generator = torch.Generator().manual_seed(2)
    coordinates, labels = torch.randn(50, 4, generator=generator), torch.rand(50, generator=generator) < 0.3
    torch.testing.assert_close(separation(coordinates, labels), separation(coordinates, ~labels))
    torch.testing.assert_close(separation(coordinates, labels), separation(-coordinates.exp(), labels))


def test_the_best_of_ten_random_directions_is_high_where_few_rows_have_the_label():
    generator = torch.Generator().manual_seed(3)
    vectors, directions = (
        torch.randn(300, 40, generator=generator),
        torch.randn(20, 10, 40, generator=generator),
    )
    few, many = (random_separation(vectors, torch.arange(300) < n, directions) for n in (6, 150))
    assert few.shape == (20,) and few.mean() > 0.65 > 0.6 > many.mean()
