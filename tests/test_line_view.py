"""The line view in a real browser: what is drawn, what a key or a click changes, and that no token ever runs."""

import pytest
import torch

from helpers.line import read_line
from helpers.line_view import Line, line_view
from tests.pages import HOSTILE, PATTERNS, is_untouched, show, without_scripts


@pytest.fixture(scope="module")
def two_lines(shipped_model):
    model = shipped_model("ioi-gpt2")
    texts = [f"When Mary and John went to the store, {name} gave a drink to" for name in ("John", "Mary")]
    return [read_line(model, model.to_tokens(text), text) for text in texts]


def hostile_line(title="a line"):
    lens = [[(token, 0.5) for token in HOSTILE]] * 2
    top_outputs = [[[HOSTILE[:3] for _ in HOSTILE] for _ in range(2)]]
    return Line(title, HOSTILE, PATTERNS[None], lens, top_outputs)


def test_hostile_tokens_are_shown_and_never_run(page):
    show(page, line_view(hostile_line(HOSTILE[0]), layer=0).data)
    assert is_untouched(page)
    tokens = page.evaluate(
        "[...document.querySelectorAll('[data-position] text:nth-of-type(1)')].map(t => t.textContent)"
    )
    assert tokens == HOSTILE


def test_without_scripts_a_table_stands_there(page):
    show(page, without_scripts(line_view(hostile_line()).data))
    assert page.locator("table").count() == 1 and page.evaluate("hits") == 0


def test_lines_of_two_lengths_are_refused_in_a_sentence():
    short = Line("b", ["a"], torch.ones(1, 2, 1, 1), [], [])
    with pytest.raises(ValueError, match="expected lines of one shape"):
        line_view(hostile_line(), short)


def lens_in_boxes(page):
    return page.evaluate(
        """[...document.querySelectorAll('svg')].map(svg =>
            [...svg.querySelectorAll('[data-logit-lens]')].map(box => box.nextSibling.textContent))"""
    )


def test_the_line_walks_through_layers_heads_and_query_positions(page, two_lines):
    show(page, line_view(*two_lines).data)
    layer, head, query = (page.locator("select").nth(i) for i in range(3))
    assert layer.input_value() == "-1" and page.locator("path").count() == 0
    assert lens_in_boxes(page) == [[token[:10] for token, _ in line.logit_lens[0]] for line in two_lines]
    page.get_by_label("one layer on").click()
    assert layer.input_value() == "0"
    page.locator("[data-position='4']").first.click()
    assert query.input_value() == "4"
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    assert (layer.input_value(), query.input_value()) == ("2", "5")
    head.select_option("1")
    weights = two_lines[0].patterns[2, 1, 5]
    widths = page.evaluate(
        """[...document.querySelector('svg').querySelectorAll('path')].map(path =>
            [+path.dataset.key, +path.getAttribute('stroke-width')])"""
    )
    assert dict(map(tuple, widths)) == pytest.approx(
        {key: 1 + 9 * w for key, w in enumerate(weights.tolist()) if w >= 0.02 and key != 5}, abs=0.02
    )
    assert "in head 2.1, query position 5 “" in page.locator("[aria-live]").text_content()
    assert page.errors == []


def test_two_lines_mark_what_differs(page, two_lines):
    show(page, line_view(*two_lines, layer=5).data)
    assert [tokens[-1] for tokens in lens_in_boxes(page)] == [" Mary", " John"]
    marked = page.evaluate(
        """[...document.querySelectorAll('svg')[1].querySelectorAll('[data-logit-lens]')]
            .filter(box => box.getAttribute('stroke-width') === '3').length"""
    )
    assert marked == sum(a[0] != b[0] for a, b in zip(*(line.logit_lens[-1] for line in two_lines)))


def test_a_narrow_page_scrolls_to_the_query_position(page, two_lines):
    show(page, line_view(*two_lines, layer=5).data)
    page.set_viewport_size({"width": 500, "height": 900})
    page.locator("select").nth(2).select_option("0")
    for position in (0, len(two_lines[0].tokens) - 1):
        page.locator("select").nth(2).select_option(str(position))
        box = page.locator(f"[data-position='{position}']").first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 500
    page.set_viewport_size({"width": 1100, "height": 900})
    assert page.errors == []
