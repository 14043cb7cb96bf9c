"""Data on its way into a page."""

import json

import pytest
import torch

from helpers.page_data import check_drawable, fresh_id, rounded, safe_json
from tests.pages import HOSTILE


def test_json_holds_the_tokens_and_no_markup():
    text = safe_json(HOSTILE)
    assert json.loads(text) == HOSTILE
    assert not set(text) & set("<>&\u2028\u2029")


def test_values_keep_three_decimals():
    values = torch.rand(3, 4, dtype=torch.float64) - 0.5
    torch.testing.assert_close(
        torch.tensor(rounded(values), dtype=torch.float64), values, atol=5.01e-4, rtol=0
    )


def test_an_id_is_given_once():
    assert fresh_id("a") != fresh_id("a")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (torch.ones(0), "expected 1 to 2,000,000 numbers to draw, got 0"),
        (torch.ones(1).expand(2000, 2000), "got 4,000,000: show fewer heads, or a part of the text"),
        (torch.tensor([torch.nan]), "expected finite numbers to draw, got NaN"),
        (torch.tensor([-torch.inf]), "expected finite numbers to draw, got NaN or infinity"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_drawable(values)
