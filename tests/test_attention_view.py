"""Views in a real browser, cut off from the network: what is drawn, what a key or a click changes, and that no token ever runs."""

import re

import pytest
import torch

from helpers import views
from helpers.line import read_line
from helpers.line_view import Line
from helpers.planted import Layout, distinct_repeated, induction_model
from helpers.trace import address_trace, memory
from tests.lab import browser

HOSTILE = [
    "<img src=x onerror=hit()>", '<img/src="x"/onerror="hit()">', "</script><script>hit()</script>", "<script>hit()</script>",
    "</script><img src=x onerror=hit()>", "<svg onload=hit()>", "<svg/onload=hit()>", "<body onload=hit()>", "<iframe src=javascript:hit()>",
    "<a href=javascript:hit()>x</a>", '"><img src=x onerror=hit()>', "'><img src=x onerror=hit()>", "`-hit()-`", "${hit()}", "{{hit()}}",
    "</style><img src=x onerror=hit()>", "</title><img src=x onerror=hit()>", "</textarea><img src=x onerror=hit()>", "<!--<img src=x onerror=hit()>",
    "--><img src=x onerror=hit()>", "<math><mtext></p><img src=x onerror=hit()>", "<details open ontoggle=hit()>", "<input autofocus onfocus=hit()>",
    "<video><source onerror=hit()>", "\\\");hit();//", "\\\\';hit();//", "\\u003cimg src=x onerror=hit()>", "&lt;img src=x onerror=hit()&gt;",
    "<img src=x onerror=hit() ", "<b>bold</b>", "&amp;", "$x^2$", "\\(x\\)", "]]>", "\u2028hit()\u2029", "<object data=javascript:hit()>",
]  # fmt: skip
PATTERNS = torch.rand(2, len(HOSTILE), len(HOSTILE), generator=torch.Generator().manual_seed(0)).tril()


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch):
    """As in a kernel that has shown no view yet."""
    monkeypatch.setattr(views, "_sent", None)


@pytest.fixture(scope="module")
def shared_page():
    with browser(1100, 900) as page:
        yield page


@pytest.fixture
def show(shared_page):
    """Put views into an empty page; the page notes in ``window.hits`` what should never run."""

    def put(*shown):
        shared_page.errors.clear()
        body = "".join(one.data for one in shown)
        shared_page.set_content(
            f"<meta charset=utf-8><script>window.hits = 0; function hit() {{ hits++ }}</script>{body}"
        )
        return shared_page

    return put


def hostile_line(title="a line"):
    n = len(HOSTILE)
    thoughts = [[(token, 0.5) for token in HOSTILE]] * 2
    answers = [[[HOSTILE[:3] for _ in range(n)] for _ in range(2)]]
    return Line(title, HOSTILE, PATTERNS[None], thoughts, answers)


def test_hostile_tokens_are_shown_and_never_run(show):
    values = torch.linspace(-1, 1, len(HOSTILE))
    page = show(
        views.attention_heads(PATTERNS, HOSTILE, HOSTILE[:2]),
        views.attention_pattern(PATTERNS[0], HOSTILE, HOSTILE[0]),
        views.colored_tokens(HOSTILE, values),
        views.line(hostile_line(HOSTILE[0]), layer=0),
    )
    page.wait_for_function("document.querySelectorAll('canvas').length >= 2")
    page.wait_for_timeout(500)
    assert page.evaluate("hits") == 0 and page.refused == [] and page.errors == []
    shown = page.evaluate(
        "[...document.querySelectorAll('[data-person] text:nth-of-type(1)')].map(t => t.textContent)"
    )
    assert shown == HOSTILE
    text = page.locator("div.tex2jax_ignore").nth(2).text_content().replace("\xa0", " ")
    assert [token for token in HOSTILE if token.strip("\u2028\u2029") not in text] == []


@pytest.mark.parametrize(
    "make", [lambda: views.attention_heads(PATTERNS, HOSTILE), lambda: views.line(hostile_line())]
)
def test_without_scripts_a_static_picture_stands_there(show, make):
    data = re.sub(r"<script>.*?</script>", "", make().data, flags=re.S)
    page = show(type("Static", (), {"data": data}))
    assert page.locator("img[alt^='attention of'], table").count() >= 1
    assert page.evaluate("hits") == 0


def test_twenty_views_take_less_than_a_megabyte_and_carry_one_bundle():
    tokens = [f"token {i}" for i in range(20)]
    patterns = torch.rand(6, 20, 20)
    shown = [views.attention_heads(patterns, tokens).data for _ in range(20)]
    assert sum(map(len, shown)) < 1e6
    assert ["DecompressionStream" in data for data in shown] == [True] + 19 * [False]


def test_on_colab_every_output_carries_the_bundle(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    assert all(
        "DecompressionStream" in views.attention_pattern(torch.eye(2), ["a", "b"]).data for _ in range(2)
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: views.attention_heads(torch.rand(2, 3, 3), ["a", "b"]),
            r"expected patterns \[head query key\] = \[2, 2, 2\]",
        ),
        (lambda: views.colored_tokens(["a"], torch.rand(2)), "one value a token, got 2 values and 1 tokens"),
        (
            lambda: views.line(hostile_line(), Line("b", ["a"], torch.ones(1, 2, 1, 1), [], [])),
            "lines of one shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.fixture(scope="module")
def two_lines(shipped_model):
    model = shipped_model("ioi-gpt2")
    texts = [f"When Mary and John went to the store, {name} gave a drink to" for name in ("John", "Mary")]
    return [read_line(model, model.to_tokens(text), text) for text in texts]


def test_the_line_reads_what_the_model_computes(shipped_model, two_lines):
    model, line = shipped_model("ioi-gpt2"), two_lines[0]
    tokens = model.to_tokens(line.title)
    probabilities = model(tokens)[0].softmax(dim=-1)
    for (token, share), row in zip(line.thoughts[-1], probabilities):
        assert token == model.tokenizer.decode(row.argmax()) and share == pytest.approx(
            row.max().item(), abs=1e-4
        )
    _, cache = model.run_with_cache(tokens)
    torch.testing.assert_close(line.patterns[3], cache["blocks.3.attn.hook_pattern"][0])
    stored = cache["blocks.3.hook_resid_pre"][0, 5] @ model.W_V[3, 4] @ model.W_O[3, 4] @ model.W_U
    assert line.answers[3][4][5][0] == model.tokenizer.decode(stored.argmax())
    with pytest.raises(ValueError, match="expected one text"):
        read_line(model, tokens.repeat(2, 1))


def thoughts(page):
    return page.evaluate(
        "[...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('[data-thought]')].map(r => r.nextSibling.textContent))"
    )


def test_the_line_walks_through_layers_heads_and_people(show, two_lines):
    page = show(views.line(*two_lines))
    layer, head, asker = (page.locator("select").nth(i) for i in range(3))
    assert layer.input_value() == "-1" and page.locator("path").count() == 0
    assert thoughts(page) == [[token[:10] for token, _ in line.thoughts[0]] for line in two_lines]
    page.get_by_label("one layer on").click()
    assert layer.input_value() == "0"
    page.locator("[data-person='4']").first.click()
    assert asker.input_value() == "4"
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    assert (layer.input_value(), asker.input_value()) == ("2", "5")
    head.select_option("1")
    weights = two_lines[0].patterns[2, 1, 5]
    widths = page.evaluate(
        "[...document.querySelector('svg').querySelectorAll('path')].map(p => [+p.dataset.answer, +p.getAttribute('stroke-width')])"
    )
    assert dict(map(tuple, widths)) == pytest.approx(
        {i: 1 + 9 * w for i, w in enumerate(weights.tolist()) if w >= 0.02 and i != 5}, abs=0.02
    )
    layer.select_option("5")
    assert thoughts(page)[0][-1] == " Mary" and thoughts(page)[1][-1] == " John"
    marked = page.evaluate(
        "[...document.querySelectorAll('svg')[1].querySelectorAll('[data-thought]')].filter(r => r.getAttribute('stroke-width') === '3').length"
    )
    page.set_viewport_size({"width": 500, "height": 900})
    asker.select_option("0")
    for person in (0, len(two_lines[0].tokens) - 1):  # the line scrolls to the one who asks
        asker.select_option(str(person))
        box = page.locator(f"[data-person='{person}']").first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 500
    page.set_viewport_size({"width": 1100, "height": 900})
    assert marked == sum(a[0] != b[0] for a, b in zip(*(line.thoughts[-1] for line in two_lines)))
    assert "asks, and hears from" in page.locator("[aria-live]").text_content()
    assert page.errors == []


def test_the_trace_names_the_address_of_a_planted_circuit():
    layout = Layout(d_vocab=9, n_ctx=14)
    tokens = distinct_repeated(layout, 6, 1, torch.Generator().manual_seed(0))
    trace = {(a.layer, a.head): a for a in address_trace(induction_model(layout), tokens, destination=9)}
    previous, induction = trace[0, 1], trace[1, 2]
    assert (previous.source, induction.source) == (8, 4)  # one back; after the earlier copy, six back
    assert previous.ports["q"][0] == previous.ports["k"][0] == "pos" and previous.ports["v"][0] == "emb"
    assert induction.ports["k"][0] == "L0H1" and induction.ports["q"][0] == "emb"
    assert re.fullmatch(
        r"L1H2  q 9:emb    \.\d\d   k 4:L0H1   \.\d\d   v 4:emb    \.\d\d   →  store 9:L1H2  \(attention 4 = 1\.00\)",
        str(induction),
    )
    with pytest.raises(ValueError, match="destination among the 13 tokens"):
        address_trace(induction_model(layout), tokens, destination=13)


@pytest.mark.parametrize("name", ["ioi-gpt2", "attn-only-2l"])
def test_the_memory_of_a_logit_sums_to_the_logit(shipped_model, name):
    model = shipped_model(name)
    tokens = model.to_tokens("When Mary and John went to the store")
    sizes, names = memory(model, tokens, model.W_U[:, 7] - model.W_U[:, 11])
    logits = model(tokens)[0] - model.b_U
    torch.testing.assert_close(sizes.sum(dim=1), logits[:, 7] - logits[:, 11], atol=1e-3, rtol=1e-3)
    lengths, same_names = memory(model, tokens)
    assert names == same_names and names[0] == "emb" and "L1H0" in names and (lengths >= 0).all()


def test_a_trace_marks_its_cells_in_the_memory():
    layout = Layout(d_vocab=9, n_ctx=14)
    tokens = distinct_repeated(layout, 6, 1, torch.Generator().manual_seed(0))
    trace = {(a.layer, a.head): a for a in address_trace(induction_model(layout), tokens, destination=9)}
    _, names = memory(induction_model(layout), tokens)
    column = names.index
    assert trace[1, 2].cells(names) == {
        "q": (9, column("emb")), "k": (4, column("L0H1")), "v": (4, column("emb")), "store": (9, column("L1H2"))
    }  # fmt: skip
    assert set(trace[0, 1].cells(names)) == {
        "v",
        "store",
    }  # positions are read, and stand nowhere in this memory
