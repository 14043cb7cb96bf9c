"""The explorer in JupyterLab and as Voilà's web page: what a click, a key or a bad text changes, and how fast."""

import contextlib
import os
import statistics
import sys
import time

import pytest

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
    server,
    shot,
)

NOTEBOOK = "notebooks/07_circuit_explorer.ipynb"
HOSTILE = "</script><img src=x onerror=document.hit=1>"


@contextlib.contextmanager
def in_jupyterlab(folder, settings):
    (folder / "course").mkdir()
    with jupyterlab(course(folder / "course"), folder / "home", settings) as (address, token):
        with browser() as page:
            open_notebook(page, address, token, NOTEBOOK)
            command(page, "notebook:run-all-cells")
            assert errors(page) == []
            page.locator(".jp-Notebook .widget-tab").scroll_into_view_if_needed()
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
        page.locator(".widget-tab").wait_for()
        yield page


def field(page, name):
    return page.get_by_label(name, exact=True)


def summary(page):
    return page.locator(".widget-html", has_text="logit of").first


def until(page, locator, before):
    """Seconds until an element holds something else than before."""
    started = time.perf_counter()
    while locator.inner_html() == before:
        assert time.perf_counter() - started < 30
        page.wait_for_timeout(10)
    return time.perf_counter() - started


def typed(page, name, text, changes):
    """Type into a field and press Enter; seconds until ``changes`` does."""
    before = changes.inner_html()
    field(page, name).fill(text)
    field(page, name).press("Enter")
    return until(page, changes, before)


def opened(page, name):
    """The panel behind a tab."""
    page.locator(".widget-tab .lm-TabBar-tab", has_text=name).click()
    panel = page.locator(".widget-tab-contents > .lm-Widget:not(.lm-mod-hidden)")
    panel.locator(".jp-OutputArea-output, .output").first.wait_for()
    return panel


def figures(panel):
    return panel.locator(".jp-OutputArea").first


def report(name, seconds):
    print(f"{name}: median {1000 * statistics.median(seconds):.0f} ms, worst {1000 * max(seconds):.0f} ms")


def test_the_explorer_shows_changes_and_refuses(page):
    assert "Mary" in summary(page).text_content()
    opened(page, "attention").locator("canvas").first.wait_for()
    shot(page, f"{page.theme}-explorer-attention")
    texts = [f"When Mary and John went to the {place}, John gave a drink to" for place in
             ["park", "school", "garden", "church", "inn", "mill", "castle", "bridge", "river", "store"]]  # fmt: skip
    report(f"{page.theme}, prompt", [typed(page, "text", text, summary(page)) for text in texts])
    line = opened(page, "line")
    line.get_by_label("one layer on").click()
    assert line.locator("select").first.input_value() == "0"
    assert line.locator("svg[aria-label]").bounding_box()["height"] > 240  # not shrunk by the page
    shot(page, f"{page.theme}-explorer-line")
    memory = opened(page, "memory")
    memory.locator(".js-plotly-plot").wait_for()
    assert "→  write 14:5.7" in memory.locator("pre").text_content()
    shot(page, f"{page.theme}-explorer-memory")
    opened(page, "logit lens").locator(".js-plotly-plot").wait_for()
    shot(page, f"{page.theme}-explorer-lens")
    off = opened(page, "heads off")
    before = figures(off).inner_html()
    off.locator("select[multiple]").select_option(["1.4", "2.2"])
    until(page, figures(off), before)
    assert "without 1.4, 2.2" in off.text_content()
    shot(page, f"{page.theme}-explorer-off")


def test_a_patch_is_applied_by_a_click_and_steering_by_a_key(page):
    patching = opened(page, "patching")
    before = figures(patching).inner_html()
    patching.locator(".widget-gridbox button").nth(11).click()
    until(page, figures(patching), before)
    assert patching.locator("svg[aria-label]").count() == 2
    shot(page, f"{page.theme}-explorer-patching")
    steering = opened(page, "steering")
    table, seconds = figures(steering), []
    for _ in range(10):
        before = table.inner_html()
        steering.locator(".noUi-handle").last.press("ArrowRight")
        seconds.append(until(page, table, before))
    report(f"{page.theme}, slider", seconds)
    shot(page, f"{page.theme}-explorer-steering")
    steering.get_by_text("as code").click()
    assert "steering_hook(" in steering.locator("textarea").last.input_value()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("text", "", "expected a text, got an empty field"),
        ("text", "the cat " * 500, "at most 40 tokens, got a longer one"),
        ("answer", "Bartholomew of Nowhere", "one token"),
        ("second text", "Short.", "as long as the first"),
    ],
)
def test_what_cannot_be_used_is_answered_beside_the_field(shared, name, text, sentence):
    kept = summary(shared).text_content()
    beside = shared.locator(".widget-hbox", has=field(shared, name)).locator(".widget-html").last
    before = field(shared, name).input_value()
    typed(shared, name, text, beside)
    assert sentence in beside.text_content() and summary(shared).text_content() == kept
    typed(shared, name, before, beside)
    assert beside.text_content() == ""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with in_voila(tmp_path_factory.mktemp("voila"), {}) as page:
        page.locator(".widget-tab").wait_for()
        yield page


def test_hostile_text_is_shown_and_never_run(shared):
    typed(shared, "text", HOSTILE, summary(shared))
    for name in ("attention", "line", "memory", "logit lens", "heads off", "steering"):
        opened(shared, name)
        shared.wait_for_timeout(500)
    assert shared.evaluate("document.hit") is None
    assert shared.refused == []
    assert set(shared.errors) <= {"Event"}  # that Voilà's stylesheets of another machine did not come


def test_every_link_of_the_page_leads_to_the_page_or_to_the_web(shared):
    links = shared.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    away = [link for link in links if not link.startswith(shared.url.partition("#")[0] + "#")]
    assert f"{LESSONS}index.md" in away and all(link.startswith("https://") for link in away)


def test_the_page_shows_no_source(shared):
    assert "Explorer(MODEL)" not in shared.content()
