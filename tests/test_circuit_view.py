"""The circuit view in a real browser: pointer, clicks and keys, both hops at once, hostile tokens, a still image."""

import base64
import re
from dataclasses import replace

import pytest
import torch

from helpers.circuit_graph import read_circuit
from helpers.circuit_view import Circuit, Edge, Read, circuit_view
from tests.pages import HOSTILE, PATTERNS, is_untouched, show, without_scripts

TEXT = "the cat sat on the mat. the cat sat on the mat."
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def circuit(shipped_model):
    model = shipped_model("attn-only-2l")
    return read_circuit(model, model.to_tokens(TEXT), roles={(0, 0): "previous token", (1, 0): "induction"})


def hostile():
    n, p = len(HOSTILE), torch.rand(len(HOSTILE), 1)
    rows = [[token] for token in HOSTILE]
    edges, reads = [Edge(1, n - 1, 3, [0.5])], [Read(1, 0, "k", n - 1, 3, 0.5)]
    return Circuit(
        HOSTILE, ["0.0", "1.0"], HOSTILE[:2], PATTERNS, PATTERNS, edges, reads,
        [HOSTILE] * 3, torch.ones(3, n), rows, p, torch.rand(2, n, 1), [HOSTILE] * 2, torch.rand(2, n),
    )  # fmt: skip


def test_hostile_tokens_are_shown_and_never_run(page):
    show(page, circuit_view(hostile(), ablated="1.0").data)
    page.locator("select").nth(1).select_option("1")
    page.locator("summary").click()
    assert is_untouched(page)
    titles = page.evaluate(
        "[...document.querySelectorAll(\"[data-head='1'] title\")].map(t => t.textContent)"
    )
    assert all(token.replace("\n", "⏎") in title for token, title in zip(HOSTILE, titles, strict=True))
    tokens = page.evaluate(
        "[...document.querySelectorAll('[data-at] > text:nth-of-type(1)')].map(t => t.textContent)"
    )
    assert all(
        token.strip().startswith(shown.removesuffix("…"))
        for token, shown in zip(HOSTILE, tokens, strict=True)
    )


def test_long_tokens_are_cut_between_characters_and_spaces_are_not_blank(page):
    tokens = ["😀" * 40, "   ", *HOSTILE[2:]]
    show(page, circuit_view(replace(hostile(), tokens=tokens)).data)
    texts = page.evaluate(
        "[...document.querySelectorAll('[data-at] > text:nth-of-type(1)')].map(t => t.textContent)"
    )
    assert set(texts[0]) == {"😀", "…"} and texts[1] == "␣␣␣" and page.errors == []


def test_without_scripts_a_still_image_and_a_sentence_stand_there(page, circuit):
    view = without_scripts(circuit_view(circuit, position=10).data)
    show(page, view, without_scripts(circuit_view(hostile()).data))
    assert is_untouched(page)
    assert page.locator("text=Run this cell to explore the picture.").count() == 2
    image = page.locator("img").first
    assert "After position 10, “ sat”, the likeliest next token is “ on”" in image.get_attribute("alt")
    assert image.evaluate("image => image.naturalWidth") == 1000
    still = base64.b64decode(re.search('base64,([^"]+)', view)[1]).decode()
    drawn = int((circuit.attention[:, 10] >= 0.1).sum())
    assert still.count("<path") == drawn and still.count("<circle") == 12 * len(circuit.tokens)


def test_a_view_is_small(circuit):
    assert len(circuit_view(circuit).data.encode()) < MOST_BYTES


def edges(page):
    return {
        tuple(map(int, text.split()))
        for text in page.evaluate("[...document.querySelectorAll('[data-edge]')].map(e => e.dataset.edge)")
    }


def expected(circuit, query, heads=range(12)):
    return {
        (head, query, key)
        for head in heads
        for key in range(query + 1)
        if circuit.attention[head, query, key] >= 0.1
    }


def test_edges_of_a_position_and_of_what_the_pointed_head_reads(page, circuit):
    show(page, circuit_view(circuit, position=10).data)
    assert edges(page) == expected(circuit, 10)
    induction = circuit.heads.index("1.0")
    page.locator(f"[data-head='{induction}'][data-at='10'] circle").hover()
    page.wait_for_timeout(100)
    reads = [read for read in circuit.reads if read.receiver == induction and read.query == 10]
    assert {read.sender for read in reads} >= {circuit.heads.index("0.0")}
    upstream = set()
    for read in reads:
        upstream |= expected(circuit, read.query if read.port == "q" else read.key, [read.sender])
    assert edges(page) == expected(circuit, 10) | upstream
    page.locator("select").first.hover()
    page.wait_for_timeout(100)
    assert edges(page) == expected(circuit, 10)
    page.locator("text='the'").nth(0).click()
    assert page.errors == []


def test_a_head_can_be_chosen_from_the_start_and_both_hops_show(page, circuit):
    show(page, circuit_view(circuit, position=10, head="1.0").data)
    labels = page.evaluate(
        "[...document.querySelectorAll('svg > g:last-of-type > text')].map(t => t.textContent)"
    )
    assert "1.0 (induction)" in labels and any(
        label.startswith("0.0 (previous token) → ") for label in labels
    )
    weights = [float(label) for label in labels if re.fullmatch(r"\d\.\d\d", label)]
    assert weights and min(weights) >= 0.1
    assert (circuit.heads.index("0.0"), 4, 3) in edges(page)  # what the sender had read
    assert page.errors == []


def test_roles_stand_beside_their_heads_until_a_head_is_chosen(page, circuit):
    show(page, circuit_view(circuit, position=10).data)
    labels = page.evaluate(
        "[...document.querySelectorAll('svg > g:last-of-type > text')].map(t => t.textContent)"
    )
    assert labels == ["previous token", "induction"]


@pytest.mark.parametrize("position", [0, 12])
def test_the_chosen_position_is_in_sight_on_a_narrow_page(page, circuit, position):
    page.set_viewport_size({"width": 400, "height": 900})
    show(page, circuit_view(circuit, position=position).data)
    page.wait_for_timeout(200)
    column = page.locator(f"[data-column='{position}']").bounding_box()
    assert column["x"] >= 0 and column["x"] + column["width"] <= 400
    page.set_viewport_size({"width": 1100, "height": 900})


def numbers(page):
    return page.evaluate(
        "[...document.querySelectorAll('span')].map(s => s.textContent).filter(t => /^[0-9.]+( → [0-9.]+)?$/.test(t))"
    )


def shown(probabilities):
    """Numbers as the view shows them: it holds three decimals."""
    return [f"{round(p, 3):.2f}" for p in probabilities.tolist()]


def test_a_click_ablates_a_head_and_shows_before_and_after(page, circuit):
    show(page, circuit_view(circuit, position=10).data)
    before = shown(circuit.probabilities[10])
    assert numbers(page) == before
    head = circuit.heads.index("1.0")
    height = page.evaluate("document.body.scrollHeight")
    page.locator("select").nth(1).select_option(str(head))  # the longest sentence
    page.locator(f"[data-head='{head}'][data-at='10'] circle").click()
    after = [f"{a} → {b}" for a, b in zip(before, shown(circuit.without[head, 10]))]
    assert numbers(page)[:5] == after
    assert "Without 1.0 (induction) it is" in page.locator("[aria-live]").text_content()
    assert page.evaluate("document.body.scrollHeight") == height  # nothing moved
    page.get_by_role("button", name="restore 1.0").click()
    assert numbers(page) == before and page.errors == []


def test_keys_choose_a_position_and_a_head_and_ablate(page, circuit):
    show(page, circuit_view(circuit, position=10).data)
    page.locator("svg").focus()
    page.keyboard.press("ArrowLeft")
    assert edges(page) == expected(circuit, 9)
    for key in ("ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    text = page.locator("[aria-live]").text_content()
    assert text.startswith("After position 9, “ cat”") and "Without 0.1" in text
    page.keyboard.press("Escape")
    assert "Without" not in page.locator("[aria-live]").text_content() and page.errors == []


EXPLORER = """<script>var heard = undefined</script><div class=explorer><span class=explorer-choice><input onchange="heard = JSON.parse(value)"></span>
<span class=explorer-selection>%s</span>%s</div>"""
HEARD = "(({at, ...choice}) => choice)(heard)"  # without its time


def test_in_the_explorer_a_choice_is_told_once_and_an_answer_is_heard(page, circuit):
    """The input and the text stand for the widgets of the explorer."""
    show(page, EXPLORER % ("", circuit_view(circuit, position=10).data))
    head = circuit.heads.index("1.0")
    assert page.evaluate("window.heard === undefined")  # nothing is chosen yet
    page.locator(f"[data-head='{head}'][data-at='10'] circle").click()
    choice = dict(position=10, head="1.0", ablated="1.0", measure=0)
    assert page.evaluate(HEARD) == choice
    page.locator("svg").press("ArrowLeft")
    assert page.evaluate(HEARD) == choice | dict(position=9)
    page.evaluate("heard.measure = 1")
    page.evaluate(
        """heard.position = 3; document.querySelector('.explorer-selection').textContent = JSON.stringify(heard)"""
    )
    page.wait_for_function(
        "document.querySelector('[aria-live]').textContent.startsWith('After position 3,')"
    )
    page.evaluate(
        "document.querySelector('.explorer-selection').textContent = JSON.stringify({...heard, position: 5, at: heard.at - 1})"
    )
    page.wait_for_timeout(100)  # an answer to an earlier choice is not heard
    assert page.locator("[aria-live]").text_content().startswith("After position 3,")
    assert page.locator("select").first.input_value() == "1"
    assert edges(page) == expected(circuit, 3) | {edge for edge in edges(page) if edge[0] != head}
    assert page.errors == []


def test_a_view_starts_with_what_the_explorer_has_chosen(page, circuit):
    selection = '{"position": 4, "head": "9.9", "ablated": "0.0"}'
    show(page, EXPLORER % (selection, circuit_view(circuit, position=10).data))
    text = page.locator("[aria-live]").text_content()
    assert text.startswith("After position 4,") and "Without 0.0" in text
    assert page.evaluate("window.heard === undefined") and page.errors == []


def test_effects_that_were_not_measured_are_asked_for_in_the_explorer_only(page, circuit):
    edges = [edge._replace(effects=[]) for edge in circuit.edges]
    view = circuit_view(replace(circuit, edges=edges), position=10).data
    show(page, view)
    assert page.locator("select").first.locator("option").count() == 2
    show(page, EXPLORER % ("", view))
    page.locator("select").first.select_option("2")
    assert page.evaluate(HEARD) == dict(position=10, head=None, ablated=None, measure=2)
    assert page.locator("select").first.input_value() == "0" and page.errors == []


def test_effects_are_drawn_for_every_query_up_to_the_position(page, circuit):
    show(page, circuit_view(circuit, position=10, measure="effect on the prediction").data)
    effects = {edge[:3]: edge.effects[10 - edge.query] for edge in circuit.edges if edge.query <= 10}
    largest = max(map(abs, effects.values()))
    assert edges(page) == {edge for edge, effect in effects.items() if abs(effect) >= 0.1 * largest}
    assert (circuit.heads.index("1.0"), 10, 4) in edges(
        page
    )  # from the second sat to what followed the first
    assert (circuit.heads.index("0.0"), 4, 3) in edges(page)  # and from there to the token before


def test_the_table_has_a_row_per_head(page, circuit):
    show(page, circuit_view(circuit, position=10).data)
    page.locator("summary").click()
    assert page.locator("tr").count() == 1 + len(circuit.heads)


@pytest.mark.parametrize("width", [700, 1080])
def test_a_page_of_any_width_scrolls_inside_the_view_alone(page, circuit, width):
    page.set_viewport_size({"width": width, "height": 900})
    show(page, circuit_view(circuit).data)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1100, "height": 900})
    assert page.errors == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(position=99), "expected a position from 0 to"),
        (dict(measure="colour"), "expected a measure among attention"),
        (dict(ablated="7.7"), "expected a head among 0.0"),
        (dict(head="7.7"), "expected a head among 0.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(circuit, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        circuit_view(circuit, **arguments)
