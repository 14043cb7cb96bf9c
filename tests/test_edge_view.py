"""The edge view in a real browser: the slider, ablation by pointer and keys, paths, hostile names, a still image."""

import base64
import re
from dataclasses import replace

import pytest

from helpers.edge_view import Connection, EdgeGraph, edge_view
from tests.pages import HOSTILE, is_untouched, show, without_scripts

MOST_BYTES = 60_000  # of 60 nodes and 300 connections
GRAPH = EdgeGraph(
    nodes=["embedding", "0.0", "0.1", "mlp 0", "1.0", "1.1", "logits"],
    heights=[0, 1, 1, 2, 3, 3, 4],
    roles=["", "", "previous token", "", "induction", "", ""],
    connections=[
        Connection(2, 4, "k", 0.9),
        Connection(4, 6, "", 0.8),
        Connection(0, 2, "v", 0.7),
        Connection(1, 5, "q", -0.6),  # 0.0 reads nothing: on no path
        Connection(0, 4, "v", 0.5),
        Connection(0, 1, "q", -0.4),
        Connection(5, 6, "", 0.3),  # now 0.0 and 1.1 are on a path
        Connection(0, 3, "", 0.2),
    ],
    sizes=[2, 5, 8],
    kept=[0.1, 0.84, 1.02],
    removed=[0.5, 0.1, -0.03],
    without=[None, 0.98, 0.2, float("nan"), 0.12, 1.0, None],
)


def drawn(page, dashed=False):
    selector = "[data-edge]" + (":has([stroke-dasharray])" if dashed else "")
    found = f"[...document.querySelectorAll('{selector}')].map(edge => Number(edge.dataset.edge))"
    return sorted(page.evaluate(found))


def node(page, name):
    return page.locator(f"[data-node='{GRAPH.nodes.index(name)}']")


def strong(page):
    found = "[...document.querySelectorAll('[data-edge][stroke-opacity=\"1\"]')].map(edge => Number(edge.dataset.edge))"
    return sorted(page.evaluate(found))


def text(page):
    return page.locator("[aria-live]").text_content()


def test_without_scripts_a_still_image_and_a_sentence_stand_there(page):
    view = without_scripts(edge_view(GRAPH).data)
    show(page, view)
    assert page.locator("text=Run this cell to explore the picture.").count() == 1
    image = page.locator("img")
    assert image.evaluate("image => image.naturalWidth") == 1000
    alt = image.get_attribute("alt")
    assert "7 components and the 5 strongest of 8 edges" in alt and "1 of those drawn lie on no" in alt
    assert "Faithfulness (logit difference) with only 5: 84%, without them 10%." in alt
    assert "The strongest: 0.1 → 1.0 k 0.9, 1.0 → logits 0.8," in alt
    still = base64.b64decode(re.search('base64,([^"]+)', view)[1]).decode()
    assert len(re.findall(r"M\d", still)) == 5 and still.count("dasharray") == 1 and still.count("<rect") == 8


def test_the_still_image_leaves_out_what_is_ablated(page):
    view = edge_view(GRAPH, size=8, ablated="1.0", value_title="probability").data
    still = base64.b64decode(re.search('base64,([^"]+)', view)[1]).decode()
    assert len(re.findall(r"M\d", still)) == 5
    show(page, without_scripts(view))
    assert "The full model without 1.0: 12%." in page.locator("img").get_attribute("alt")
    show(page, view)
    assert text(page).endswith("The full model without 1.0 (induction): faithfulness 12 %.")


def test_the_slider_sets_how_many_connections_are_drawn(page):
    show(page, edge_view(GRAPH).data)
    slider = page.get_by_label("edges kept")
    assert slider.input_value() == "5" and drawn(page) == [0, 1, 2, 3, 4]
    assert text(page) == (
        "Measured with 5 edges: faithfulness with only these 84 %, without these 10 % "
        "(0 %: logit difference of the corrupted prompts, 100 %: of the clean ones)."
    )
    slider.press("ArrowRight")
    assert drawn(page) == [0, 1, 2, 3, 4, 5] and page.locator("text=6 of 8").count() == 1
    slider.press("End")
    assert drawn(page) == list(range(8)) and "with only these 102 %, without these −3 % (" in text(page)
    slider.press("Home")
    assert drawn(page) == [] and "Measured with 2 edges" in text(page) and page.errors == []


def test_connections_on_no_path_are_dashed(page):
    show(page, edge_view(GRAPH, size=6).data)
    assert drawn(page, dashed=True) == [3, 5]
    assert page.locator("text=on no path from embedding to logits: 2").count() == 1
    page.get_by_label("edges kept").press("ArrowRight")
    assert drawn(page, dashed=True) == []
    page.get_by_label("edges kept").press("End")
    assert drawn(page, dashed=True) == [7]  # nothing reads the MLP
    node(page, "1.0").click()
    assert drawn(page, dashed=True) == [2, 7]  # nothing reads 0.1 any more


def test_width_colour_and_port_of_a_curve_say_what_was_measured(page):
    show(page, edge_view(GRAPH, size=8).data)
    looks = page.evaluate(
        "[...document.querySelectorAll('[data-edge] path:first-child')].map(p => [p.getAttribute('stroke'), Number(p.getAttribute('stroke-width'))])"
    )[::-1]
    widths = [width for _, width in looks]
    assert widths == sorted(widths, reverse=True) and widths[0] == 7
    assert [i for i, (colour, _) in enumerate(looks) if colour == looks[3][0]] == [3, 5]
    ends = page.evaluate(
        "[0, 4].map(i => Number(document.querySelector(`[data-edge='${i}'] path`).getAttribute('d').split(' ').at(-2)))"
    )
    assert ends[1] > ends[0] + 10  # into 1.0: the value right of the key
    assert (
        page.locator("[data-edge='0'] title").text_content()
        == "0.1 (previous token) → 1.0 (induction), key: +0.9"
    )


def test_a_pointed_or_focused_component_shows_its_connections(page):
    show(page, edge_view(GRAPH, size=8).data)
    node(page, "1.0").hover()
    assert strong(page) == [0, 1, 4]
    words = "1.0 (induction): reads 0.1 (key +0.9), embedding (value +0.5); is read by logits (+0.8)."
    assert page.locator(f"text={words}").count() == 1
    page.get_by_label("edges kept").hover()
    assert strong(page) == []
    node(page, "0.0").focus()
    assert strong(page) == [3, 5] and page.errors == []


def test_pale_are_the_components_without_a_connection(page):
    show(page, edge_view(GRAPH, size=3).data)
    pale = page.evaluate(
        "[...document.querySelectorAll('[data-node]')].map(n => Number(n.getAttribute('fill-opacity')) < 1)"
    )
    assert pale == [False, True, False, True, False, True, False]


def test_a_click_ablates_and_a_second_click_puts_back_and_nothing_moves(page):
    show(page, edge_view(GRAPH, size=8).data)
    place = "JSON.stringify(document.querySelector('details').getBoundingClientRect())"
    before = page.evaluate(place)
    node(page, "0.1").click()
    assert text(page).endswith("The full model without 0.1 (previous token): faithfulness 20 %.")
    assert drawn(page) == [1, 3, 4, 5, 6, 7] and page.evaluate(place) == before
    assert node(page, "0.1").get_attribute("aria-pressed") == "true"
    node(page, "mlp 0").click()
    assert text(page).endswith("The full model without mlp 0: not measured.") and len(drawn(page)) == 7
    node(page, "mlp 0").click()
    assert "full model" not in text(page) and len(drawn(page)) == 8
    assert page.evaluate(place) == before and page.errors == []


def test_keys_choose_and_ablate_a_component(page):
    show(page, edge_view(GRAPH, size=8).data)
    page.get_by_label("edges kept").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith("embedding. reads nothing; is read by 0.1 (value +0.7)")
    for key, name in {"ArrowUp": "0.1", "ArrowLeft": "0.0", "ArrowRight": "0.1"}.items():
        page.keyboard.press(key)
        assert page.evaluate(focused).startswith(name)
    for key in ("Enter", "Enter", " "):
        page.keyboard.press(key)
    assert "without 0.1" in text(page) and drawn(page) == [1, 3, 4, 5, 6, 7]
    page.keyboard.press("Escape")
    assert "full model" not in text(page) and page.errors == []


def test_hostile_names_are_shown_and_never_run(page):
    n = len(HOSTILE)
    edges = [Connection(i, i + 1, "", 1 / (i + 1)) for i in range(n - 1)]
    graph = EdgeGraph(HOSTILE, list(range(n)), HOSTILE[::-1], edges, [n], [1.0], [0.0], [0.5] * n)
    view = edge_view(graph, ablated=HOSTILE[2], value_title=HOSTILE[0]).data
    show(page, view, without_scripts(view))
    node(page, "0.0").hover()
    page.locator("summary").click()
    assert is_untouched(page)
    titles = page.evaluate(
        "[...document.querySelectorAll('[data-node] title')].map(title => title.textContent)"
    )
    assert all(title.startswith(name.replace("\n", "⏎")) for title, name in zip(titles, HOSTILE, strict=True))


@pytest.mark.parametrize("width", [700, 1080])
def test_many_components_fit_a_page(page, width):
    nodes = ["embedding"] + [f"{layer}.{head}" for layer in range(6) for head in range(8)]
    nodes += [f"mlp {layer}" for layer in range(6)] + ["a", "b", "c", "d", "logits"]
    heights = [0] + [1 + layer for layer in range(6) for _ in range(8)] + [1.5 + layer for layer in range(6)]
    heights += [6, 6, 6, 6, 9]
    pairs = [(i, j) for i in range(60) for j in range(60) if heights[i] < heights[j]]
    edges = [Connection(*pairs[7 * i % len(pairs)], "", 0.99**i - 0.3) for i in range(300)]
    edges.sort(key=lambda edge: -abs(edge.score))
    graph = EdgeGraph(nodes, heights, [""] * 60, edges, [300], [0.9], [0.1], [0.5] * 60)
    view = edge_view(graph).data
    assert len(view.encode()) < MOST_BYTES
    page.set_viewport_size({"width": width, "height": 900})
    show(page, view)
    assert len(drawn(page)) == 300
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("summary").click()
    assert page.locator("tr").count() == 21
    page.set_viewport_size({"width": 1100, "height": 900})
    assert page.errors == []


@pytest.mark.parametrize(
    ("change", "arguments", "sentence"),
    [
        ({}, dict(size=9), "expected a size from 0 to 8, the number of edges, got 9."),
        ({}, dict(ablated="7.7"), "expected a node among embedding, 0.0, .*, got '7.7'."),
        (dict(roles=["", ""]), {}, r"expected heights, roles and without for 7 nodes, got lengths \[7, 2, 7\]."),
        (dict(kept=[1.0]), {}, "expected ascending sizes, and a kept and a removed value of each"),
        (dict(sizes=[5, 2, 8]), {}, "expected ascending sizes"),
        (dict(removed=[0.1, 0.2, float("nan")]), {}, "expected finite numbers to draw"),
        (dict(without=[float("inf")] * 7), {}, "expected finite numbers to draw"),
        (dict(connections=[Connection(4, 2, "k", 1.0)]), {}, "expected edges to a higher node, with port q"),
        (dict(connections=[Connection(0, 2, "z", 1.0)]), {}, "expected edges to a higher node, with port q"),
        (dict(connections=[Connection(0, 7, "", 1.0)]), {}, "expected edges to a higher node, with port q"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(change, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        edge_view(replace(GRAPH, **change), **arguments)
