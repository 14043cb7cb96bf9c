"""The explorer in JupyterLab and as Voilà's web page: what a click, a key or a bad text changes, and how fast."""

import contextlib
import os
import re
import statistics
import sys

import pytest
from playwright.sync_api import expect

from helpers.explorer.__main__ import LESSONS
from tests.lab import (
    DARK,
    SHOTS,
    browser,
    command,
    course,
    errors,
    free_port,
    jupyterlab,
    open_notebook,
    select,
    server,
    shot,
)

NOTEBOOK = "notebooks/09_circuit_explorer.ipynb"
HOSTILE = "</script><img src=x onerror=document.hit=1>"


@contextlib.contextmanager
def in_jupyterlab(folder, settings):
    (folder / "course").mkdir()
    with jupyterlab(course(folder / "course"), folder / "home", settings) as (address, token):
        with browser() as page:
            open_notebook(page, address, token, NOTEBOOK)
            command(page, "notebook:run-all-cells")
            assert errors(page) == []
            select(page, "explorer")
            yield page


@contextlib.contextmanager
def in_voila(folder, settings):
    port = free_port()
    line = [sys.executable, "-m", "helpers.explorer", "--no-browser", f"--port={port}"]
    environment = {**os.environ, "CIRCUITS_PROGRESS": str(folder / "progress.json")}
    with (
        server(line, f"http://127.0.0.1:{port}/voila/static/", folder / "log", environment),
        browser() as page,
    ):
        page.goto(f"http://127.0.0.1:{port}/", wait_until="domcontentloaded")
        yield page


@pytest.fixture(params=["jupyterlab", "jupyterlab-dark", "voila"] if SHOTS else ["jupyterlab", "voila"])
def page(request, tmp_path):
    opened = in_voila if request.param == "voila" else in_jupyterlab
    with opened(tmp_path, DARK if "dark" in request.param else {}) as page:
        page.theme = request.param
        predictions(page).wait_for()
        yield page


def field(page, name):
    return page.get_by_label(name, exact=True)


def button(page, name):
    return page.locator(".explorer").get_by_role("button", name=name, exact=True)


def predictions(page):
    return page.locator(".explorer .widget-html", has=page.locator("caption")).first


def panel(page):
    return page.locator(".explorer .jp-OutputArea:visible").first


def clicked(page, name, changes):
    """Milliseconds from a click to the change of ``changes``, by the page's own clock."""
    return changed(page, button(page, name), changes, "button.click()")


def changed(page, button, changes, action):
    idle(page)
    return page.evaluate(
        """([button, changes, action]) => new Promise(done => {
            const started = performance.now();
            const watch = new MutationObserver(() => { watch.disconnect(); done(performance.now() - started); });
            watch.observe(changes, {childList: true, subtree: true, characterData: true});
            new Function('button', action)(button);
        })""",
        [button.element_handle(), changes.element_handle(), action],
    )


def typed(page, name, text):
    field(page, name).fill(text)
    field(page, name).press("Enter")


def idle(page):
    """Wait until nothing is computed and nothing is pale."""
    page.wait_for_function("!document.querySelector('.explorer [role=status], .explorer-stale')")


def opened(page, name):
    """Milliseconds until the page answers a click on a tab; waits until the panel is drawn."""
    milliseconds = clicked(page, name, page.locator(".explorer"))
    idle(page)
    return milliseconds


def report(name, milliseconds):
    print(f"{name}: median {statistics.median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms")


def test_heads_tokens_and_panels_answer_clicks(page):
    assert "without 1.4" in predictions(page).text_content()
    heads = ["1.4 ✕", *(f"2.{head}" for head in range(8))]
    report(f"{page.theme}, head", [clicked(page, name, predictions(page)) for name in heads])
    page.wait_for_function("document.querySelector('.explorer').textContent.includes('without 8 heads')")
    button(page, "all heads back on").click()
    page.wait_for_function("!document.querySelector('.explorer').textContent.includes('without')")
    report(
        f"{page.theme}, token",
        [clicked(page, name, predictions(page)) for name in ("10 John", "9 ,", "14 to")],
    )
    idle(page)
    for name in ("circuit", "memory", "logit lens", "patching", "steering", "attention"):
        report(f"{page.theme}, {name}", [opened(page, name)])
        shot(page, f"{page.theme}-explorer-{name}")
    opened(page, "patching")
    patches = page.locator(".widget-gridbox:visible").nth(1)  # below that of heads, once it is drawn
    patches.get_by_role("button").nth(10).click()
    page.wait_for_function(
        "document.querySelector('.explorer').textContent.includes('stream at 10 before layer 0')"
    )
    assert page.refused == [] and set(page.errors) <= {"Event"}


POINT = "button.dispatchEvent(new MouseEvent('click', {bubbles: true}))"
MOVE = "button.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true}))"


def test_the_circuit_view_shares_the_selection(page):
    first = opened_panel(page, "circuit", "svg[aria-label^='heads above']")
    report(f"{page.theme}, first circuit", [first])
    view = panel(page)
    columns = [view.locator(f"[data-column='{at}']") for at in range(3, 13)]
    report(
        f"{page.theme}, token in the circuit view",
        [changed(page, column, predictions(page), POINT) for column in columns],
    )
    idle(page)
    assert "position 12" in predictions(page).text_content()
    assert button(page, "12 a").evaluate("button => button.classList.contains('mod-active')")
    node = view.locator("[data-at='12'] > g", has_text="2.3 at").first
    node.locator("circle").dispatch_event("click")
    page.wait_for_function(
        "document.querySelector('.explorer caption').closest('table').textContent.includes('without 2.3')"
    )
    assert [field(page, name).input_value() for name in ("layer", "head")] == ["2", "3"]
    shot(page, f"{page.theme}-circuit-1280")
    button(page, "10 John").click()
    view.get_by_text("After position 10,").wait_for()
    assert view.get_by_role("button", name="restore 2.3").count() == 1  # the same view, told of the token
    view.locator("select").first.select_option(label="effect on the prediction")
    page.wait_for_function("document.querySelector('.explorer .jp-OutputArea select').value === '2'")
    page.set_viewport_size({"width": 900, "height": 1400})
    idle(page)
    shot(page, f"{page.theme}-circuit-900")
    opened_panel(page, "attention", "[data-arc]")
    panel(page).locator("rect[data-at='4']").nth(19).dispatch_event("click")
    page.wait_for_function("document.querySelector('.explorer caption').textContent.includes('position 4')")
    assert [field(page, name).input_value() for name in ("layer", "head")] == ["2", "3"]
    shot(page, f"{page.theme}-attention-900")
    page.set_viewport_size({"width": 1280, "height": 1600})
    shot(page, f"{page.theme}-attention-1280")
    button(page, "14 to").click()
    idle(page)
    opened_panel(page, "steering", "td")
    handle = page.locator(".explorer .noUi-handle")
    times = []
    for _ in range(10):
        times.append(changed(page, handle, panel(page), MOVE))
    report(f"{page.theme}, strength of steering", times)
    assert page.refused == [] and set(page.errors) <= {"Event"}


def opened_panel(page, name, content):
    """Milliseconds from the click on a tab until its panel has this content."""
    idle(page)
    milliseconds = page.evaluate(
        """([button, content]) => new Promise(done => {
            const started = performance.now();
            const look = () => [...document.querySelectorAll('.explorer .jp-OutputArea')].some(area => area.offsetParent && area.querySelector(content))
                ? done(performance.now() - started) : requestAnimationFrame(look);
            button.click();
            look();
        })""",
        [button(page, name).element_handle(), content],
    )
    idle(page)
    return milliseconds


def test_keys_are_enough(page):
    button(page, "2.3").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.explorer').textContent.includes('without 1.4, 2.3')")
    button(page, "steering").focus()
    page.keyboard.press("Space")
    page.locator(".explorer .noUi-handle").wait_for()
    idle(page)
    before = panel(page).inner_html()
    page.locator(".explorer .noUi-handle").press("ArrowLeft")
    idle(page)
    page.wait_for_function(
        "([area, before]) => area.innerHTML !== before", arg=[panel(page).element_handle(), before]
    )
    page.locator(".explorer").get_by_text("as code").click()
    page.wait_for_function(
        "[...document.querySelectorAll('.explorer textarea')].some(area => area.value.includes('steering_hook('))"
    )


def test_keys_in_the_explorer_do_not_reach_jupyterlab(tmp_path):
    with in_jupyterlab(tmp_path, {}) as page:
        predictions(page).wait_for()
        idle(page)
        count = "window.jupyterapp.shell.currentWidget.content.model.cells.length"
        before = page.evaluate(count)
        button(page, "2.3").click()
        page.keyboard.type("dd")
        page.wait_for_timeout(500)
        assert page.evaluate(count) == before


def test_every_control_has_a_name(shared):
    nameless = shared.evaluate(
        """() => [...document.querySelectorAll('.explorer :is(button, input, select, textarea)')].filter(control =>
            control.offsetParent && !control.textContent.trim() && !(control.labels || []).length
            && !control.getAttribute('aria-label') && !control.title && !control.closest('.js-plotly-plot'))
            .map(control => control.outerHTML.slice(0, 200))"""
    )
    assert nameless == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected a text, got none"),
        ("the cat " * 500, "at most 40 tokens, got more than"),
    ],
)
def test_what_cannot_be_used_is_answered_and_old_numbers_are_pale(shared, text, sentence):
    kept, before = predictions(shared).text_content(), field(shared, "text").input_value()
    typed(shared, "text", text)
    shared.locator(".explorer [role=alert]", has_text=sentence).wait_for()
    assert predictions(shared).text_content() == kept and shared.locator(".explorer-stale").count() == 5
    for name in ("2.3", "3 and"):
        expect(button(shared, name)).to_be_disabled()
    typed(shared, "text", before)
    shared.locator(".explorer [role=alert]").wait_for(state="detached")
    idle(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with in_voila(tmp_path_factory.mktemp("voila"), {}) as page:
        predictions(page).wait_for()
        yield page


def test_hostile_text_is_shown_and_never_run(shared):
    typed(shared, "text", HOSTILE)
    shared.wait_for_function("document.querySelector('.explorer caption').textContent.includes('position 2')")
    idle(shared)
    for name in ("circuit", "memory", "logit lens", "steering", "attention"):
        opened(shared, name)
        shared.wait_for_timeout(500)
    tokens = button(shared, "0 <|bos|>").locator("xpath=..").text_content()
    assert "onerror=document.hit" in re.sub(r"[\d ]", "", tokens)  # without the positions
    assert shared.evaluate("document.hit") is None
    assert shared.refused == []
    assert set(shared.errors) <= {"Event"}  # that Voilà's stylesheets of another machine did not come


def test_every_link_of_the_page_leads_to_the_page_or_to_the_web(shared):
    links = shared.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    away = [link for link in links if not link.startswith(shared.url.partition("#")[0] + "#")]
    assert f"{LESSONS}index.md" in away and all(link.startswith("https://") for link in away)


def test_the_page_begins_with_the_explorer_and_shows_no_source(shared):
    text = shared.locator("body").inner_text().strip()
    assert text.startswith("Click attention heads") and "What to try" in text
    assert "Explorer(MODEL)" not in shared.content()
