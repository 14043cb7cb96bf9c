"""The attention view in a real browser, cut off from the network: what is drawn, and that no token ever runs."""

import sys

import pytest
import torch

from helpers import attention_view
from helpers.attention_view import attention_heads, attention_pattern, colored_tokens
from tests.pages import HOSTILE, PATTERNS, is_untouched, show, without_scripts


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch):
    """As in a kernel that has shown no view yet."""
    monkeypatch.setattr(attention_view, "_bundle_sent_by", None)


def test_hostile_tokens_are_shown_and_never_run(page):
    views = [
        attention_heads(PATTERNS, HOSTILE, HOSTILE[:2]),
        attention_pattern(PATTERNS[0], HOSTILE, HOSTILE[0]),
        colored_tokens(HOSTILE, torch.linspace(-1, 1, len(HOSTILE))),
    ]
    show(page, *(view.data for view in views))
    page.wait_for_function("document.querySelectorAll('canvas').length >= 2")
    assert is_untouched(page)
    text = page.locator("div.tex2jax_ignore").nth(2).text_content().replace("\xa0", " ")
    assert [token for token in HOSTILE if token.strip("\u2028\u2029") not in text] == []


def test_without_scripts_a_static_picture_stands_there(page):
    show(page, without_scripts(attention_heads(PATTERNS, HOSTILE).data))
    pictures = page.locator("img[alt^='attention of']")
    assert pictures.count() == 2 and page.evaluate("hits") == 0
    assert pictures.first.evaluate("image => image.naturalWidth") == len(HOSTILE)


def test_the_selector_stands_beside_the_chosen_head_in_a_column_of_text(page):
    page.goto("about:blank")  # a window without the layout
    names = [f"0.{head}" for head in range(12)]
    show(page, attention_heads(torch.rand(12, 12, 12).tril(), HOSTILE[:12], names).data)
    page.wait_for_function("document.querySelectorAll('canvas').length == 13")
    page.wait_for_timeout(300)
    view = page.locator(".attention-heads").bounding_box()
    assert view["height"] <= 420 and view["width"] <= 700
    *small, chosen = [canvas.bounding_box() for canvas in page.locator(".attention-heads canvas").all()]
    assert chosen["width"] > 350 and all(head["x"] + head["width"] < chosen["x"] for head in small)
    assert all(head["y"] + head["height"] <= view["y"] + view["height"] for head in [*small, chosen])
    page.mouse.move(small[7]["x"] + 20, small[7]["y"] + 40)
    page.wait_for_function("document.querySelector('.attention-heads h2').textContent == '0.7'")


def test_the_bundle_speaks_the_words_of_the_course():
    bundle = attention_view.BUNDLE.read_bytes()
    assert all(bundle.count(word) == 1 for word in attention_view.WORDS)


def test_twenty_views_take_less_than_a_megabyte_and_carry_one_bundle():
    tokens = [f"token {i}" for i in range(20)]
    patterns = torch.rand(6, 20, 20)
    views = [attention_heads(patterns, tokens).data for _ in range(20)]
    assert sum(map(len, views)) < 1e6
    assert ["DecompressionStream" in view for view in views] == [True] + 19 * [False]


def test_on_colab_every_output_carries_the_bundle(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    views = [attention_pattern(torch.eye(2), ["a", "b"]).data for _ in range(2)]
    assert all("DecompressionStream" in view for view in views)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: attention_heads(torch.rand(2, 3, 3), ["a", "b"]),
            r"expected patterns \[head query key\] = \[2, 2, 2\], got \[2, 3, 3\]",
        ),
        (
            lambda: colored_tokens(["a"], torch.rand(2)),
            "expected one value per token, got 2 values and 1 tokens",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
