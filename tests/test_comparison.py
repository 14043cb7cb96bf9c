"""Differences between tensors are shown with their entry and with the digits that differ."""

import pytest
import torch

from helpers.exercises.comparison import difference


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.tensor(0.50003), "expected 0.5, got 0.50003."),
        (torch.tensor(0.7), "expected 0.5, got 0.7."),
        ("0.5", "expected a single number (a tensor without axes), got str."),
        (torch.tensor(torch.nan), "expected numbers, got NaN."),
        (torch.ones(2), "expected a single number, got shape [2]."),
    ],
)
def test_a_difference_is_shown_with_the_digits_it_takes(output, message):
    assert str(difference(output, torch.tensor(0.5), "")) == message
