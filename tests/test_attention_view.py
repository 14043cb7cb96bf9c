"""The attention view in a real browser, cut off from the network: what is drawn, and that no token ever runs."""

import sys

import pytest
import torch

from helpers import attention_view
from helpers.attention_view import attention_arcs, attention_heads, attention_pattern, colored_tokens
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
    text = page.locator("div.tex2jax_ignore").last.text_content().replace("\xa0", " ")
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


def arcs(page):
    drawn = page.evaluate("[...document.querySelectorAll('[data-arc]')].map(arc => arc.dataset.arc)")
    return {tuple(map(int, arc.split())) for arc in drawn}


def expected_arcs(query):  # the data hold three decimals
    drawn = (PATTERNS[:, query].round(decimals=3) >= 0.05).nonzero().tolist()
    return {(head, query, key) for head, key in drawn}


def test_arcs_of_all_heads_follow_the_pointer_and_keys_and_run_no_token(page):
    choice = "<span class=explorer-choice><input onchange='heard = JSON.parse(value)'></span>"
    view = attention_arcs(PATTERNS, HOSTILE, ["0.1", "<b>"], position=20).data
    show(page, f"<script>var heard</script><div class=explorer>{choice}{view}</div>")
    assert arcs(page) == expected_arcs(20)
    page.locator("span[data-at='7']").hover()
    assert arcs(page) == expected_arcs(7)
    page.locator("rect[data-head='1'][data-at='12']").hover()
    assert arcs(page) == expected_arcs(12)
    assert page.locator("[aria-live]").text_content().startswith("Head <b> attends from 12 “")
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # moves of the pointer arrive late on a busy machine
    page.locator("[role=group]").evaluate("tokens => tokens.parentNode.onpointerleave()")
    assert page.locator("[aria-live]").text_content().startswith("Arcs from")
    assert arcs(page) == expected_arcs(20)
    page.locator("[role=group]").press("ArrowLeft")
    assert arcs(page) == expected_arcs(19)
    page.locator("rect[data-head='0'][data-at='5']").click()
    assert page.evaluate("[heard.position, heard.head]") == [5, "0.1"]
    shown = page.evaluate("[...document.querySelectorAll('span[data-at]')].map(token => token.textContent)")
    assert shown == [token.replace("\n", "⏎") for token in HOSTILE]
    assert is_untouched(page)


def test_arcs_leave_a_still_without_scripts(page):
    show(page, without_scripts(attention_arcs(PATTERNS, HOSTILE, HOSTILE[:2]).data))
    assert is_untouched(page) and page.locator("text=Run this cell to explore").count() == 1
    image = page.locator("img[alt*='each head (row) from 35']")
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [36, 2]


CONTRASTS = r"""() => {  // of each text with what is behind it, the inversion of dark pages included
    const channel = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const colour = text => text.match(/[\d.]+/g).map(Number);
    const dark = document.body.dataset.jpThemeLight === 'false';
    return [...document.querySelectorAll('.attention-heads :is(h2, h3, h4)')].filter(node => node.checkVisibility()).map(node => {
        let behind = node;
        while (colour(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentNode;
        const seen = [node, behind].map((at, i) => colour(getComputedStyle(at)[i ? 'backgroundColor' : 'color']).slice(0, 3))
            .map(values => luminance(dark ? values.map(value => 255 - value) : values)).sort((a, b) => b - a);
        return (seen[0] + 0.05) / (seen[1] + 0.05);
    });
}"""


@pytest.mark.parametrize("light", ["true", "false"])
def test_text_is_legible_on_light_and_dark_pages(page, light):
    page.goto("about:blank")
    names = [f"0.{head}" for head in range(2)]
    show(page, f"<style>body {{ background: {'#fff' if light == 'true' else '#111'} }}</style>")
    page.evaluate("light => { document.body.dataset.jpThemeLight = light; }", light)
    page.evaluate(
        "html => document.body.append(document.createRange().createContextualFragment(html))",
        attention_heads(PATTERNS, HOSTILE, names).data,
    )
    page.wait_for_function("document.querySelectorAll('canvas').length == 3")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) >= 4 and min(contrasts) >= 4.5
    filtered = page.locator(".attention-heads").evaluate("view => getComputedStyle(view).filter")
    assert filtered.startswith("invert(0.933)") == (light == "false")


def test_the_bundle_speaks_the_words_of_the_course():
    bundle = attention_view.BUNDLE.read_bytes()
    assert all(bundle.count(word) == 1 for word in attention_view.WORDS)


def test_twenty_views_take_less_than_a_megabyte_and_carry_one_bundle():
    tokens = [f"token {i}" for i in range(20)]
    future = torch.ones(20, 20).triu(1).bool()
    patterns = (3 * torch.randn(6, 20, 20)).masked_fill(future, -torch.inf).softmax(dim=-1)
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
