"""The site: built without warnings, closed in itself, and used as a reader uses it, from a folder."""

import importlib.util
import os
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers import __repository__, __version__
from helpers.build.committed_form import badge, first_cell
from helpers.build.exercise_map import INDEX
from helpers.build.lesson_files import PLOTLY, ROOT, lessons
from helpers.build.site.__main__ import build
from helpers.build.site.pages import lesson_page
from helpers.build.site.staging import README, glossary, landing_page, linked
from tests.lab import browser, shot

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4//8/AxzAOQBH1gX7q7a3HgAAAABJRU5ErkJggg=="
VIEW = '<div id="view-1"><p>Run this cell to explore the picture.</p>still</div><script>draw("a")</script>'


@pytest.fixture
def page_of(tmp_path):
    """A function: cells of a lesson → the cells of its page, below the note; the folder of its files."""

    def convert(*cells):
        path = tmp_path / "09_a_lesson.ipynb"
        title = new_markdown_cell(f"# 9 · A lesson\n\n{badge(path)}\n· 3 minutes")
        nbformat.write(new_notebook(cells=[title, new_code_cell(first_cell()), *cells]), path)
        page = lesson_page(path, tmp_path / "figures")
        assert '<a href="09_a_lesson.ipynb" download>⬇ Download</a>' in page.cells[0].source
        return page.cells[2:], tmp_path / "figures"

    return convert


def test_a_figure_is_a_still_whose_data_are_a_file(page_of):
    figure = new_output(
        "display_data",
        {PLOTLY: {"data": [], "layout": {}}, "image/png": PIXEL},
        metadata={"image/png": {"alt": "A <b>"}},
    )
    [cell], files = page_of(new_code_cell("draw()", id="drawing", outputs=[figure]))
    html = cell.outputs[0].data["text/html"]
    picture = BeautifulSoup(html, "html.parser").div
    assert picture["data-scripts"] == "figures/09-drawing-0.js" and picture.img["alt"] == "A <b>"
    assert picture.img["src"] == "figures/09-drawing-0.png" and picture.img["loading"] == "lazy"
    assert (picture.img["width"], picture.img["height"]) == ("2", "3")
    script = (files / "09-drawing-0.js").read_text(encoding="utf-8")
    assert script == 'courseFigure("09-drawing-0", {"data":[],"layout":{}});'


def test_a_view_is_its_static_part_and_its_script_a_file(page_of):
    cell = new_code_cell("view()", id="view", outputs=[new_output("display_data", {"text/html": VIEW})])
    [cell], files = page_of(cell)
    html = '<div class="view" tabindex="0" role="group" aria-label="picture" data-scripts="figures/09-view-0.js"><div id="view-1">still</div></div>'
    assert cell.outputs[0].data["text/html"] == html
    assert (files / "09-view-0.js").read_text(encoding="utf-8") == 'draw("a")'


def test_set_up_goes_imports_are_hidden_and_a_check_has_no_card(page_of):
    printed = new_output("stream", name="stdout", text="a < b")
    hidden = {"jupyter": {"source_hidden": True}}
    cells, _ = page_of(
        new_code_cell("import torch", metadata=hidden),
        new_code_cell("check(score)", outputs=[printed]),
        new_code_cell("print()", outputs=[printed]),
        new_code_cell("progress()", outputs=[printed]),
    )
    assert [cell.source for cell in cells] == ["import torch", "check(score)", "print()"]
    assert [cell.metadata.tags for cell in cells] == [["hide-input"], [], []]
    assert [len(cell.outputs) for cell in cells] == [0, 0, 1]
    assert cells[2].outputs[0].data["text/html"] == "<pre>a &lt; b</pre>"


def test_results_wait_for_every_open_question(page_of):
    question = new_output("display_data", {"text/html": "<ul></ul>"}, metadata={"prediction": "9.a"})
    card = new_output("display_data", {"text/html": "<p>card</p>"}, metadata={"prediction": "9.a"})
    cells, _ = page_of(
        new_code_cell('predict("9.a", "Which?", ["a", "b"])', outputs=[question]),
        new_code_cell('predict("9.b", "Which?", ["a", "b"])', outputs=[question]),
        new_code_cell('reveal("9.a", "b")', outputs=[card]),
    )
    html = [cell.outputs[0].data["text/html"] for cell in cells]
    assert html[0] == '<div data-question="9.a"><ul></ul></div>'
    assert '<details class="results" data-questions="9.a 9.b">' in html[2]
    assert '<div data-reveal="9.a"><p>card</p></div></details>' in html[2]


def test_a_term_has_all_its_meanings_and_everyday_words_are_left_out():
    lines = "- **key** (of a head): one. [lesson 0](a)\n- **key** (of a neuron): two. [lesson 6](b)\n"
    lines += "- **mean** (ablation): three. [lesson 4](c)\n- **`W` matrix**: four. [lesson 4](c)"
    explained = glossary(lines)
    assert explained["key"] == "key (of a head): one (lesson 0). key (of a neuron): two (lesson 6)."
    assert "mean" not in explained


def test_the_landing_page_is_the_beginning_of_the_readme():
    text = landing_page(lessons())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.split("## ")[0].split("![")[0] == readme.split("## ")[0].split("![")[0]
    assert "## Lessons" in text and "## Contributing" not in text


def test_links_to_the_readme_lead_to_the_first_page_or_into_the_repository():
    page = lessons()[0]
    text = "[a](../README.md#lessons) [b](../README.md#teaching) [c](../README.md) [d](../LICENSE) [e](index.md#x) [f](#g)"
    blob = f"{__repository__}/blob/v{__version__}"
    assert linked(text, page, [INDEX]) == (
        f"[a](../index.md#Lessons) [b]({blob}/README.md#teaching) [c](../index.md) [d]({blob}/LICENSE) [e](index.md#x) [f](#g)"
    )
    assert linked("[a](#start)", README, []) == "[a](#Start)"


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("text", encoding="utf-8")
    with pytest.raises(ValueError, match="Expected an empty folder or a built site, got .* Name another"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site. On CI, missing packages are an error."""
    missing = [name for name in ("myst_nb", "sphinx_book_theme") if not importlib.util.find_spec(name)]
    if missing and "CI" not in os.environ:
        pytest.skip("needs the packages of helpers/build/requirements.txt")
    folder = tmp_path_factory.mktemp("web") / "site"
    build(folder)  # warnings are errors
    return folder


class Page(HTMLParser):
    """The ids of a page, the addresses that it loads by itself, and all that it names."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.loaded, self.addresses = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = {name: value for name, value in attributes if value}
        self.ids.add(values.get("id"))
        here = [*values.get("data-scripts", "").split(), values.get("src"), values.get("href")]
        self.addresses += filter(None, here)
        self.loaded += filter(None, [values.get("src"), values.get("href") if tag == "link" else None])


def test_every_link_resolves_and_no_page_loads_from_another_machine(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 15
    for path, page in pages.items():
        assert [address for address in page.loaded if urlsplit(address).netloc] == []
        for parts in map(urlsplit, page.addresses):
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.relative_to(site)}: {parts.geturl()}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, (
                    f"{path.relative_to(site)}: {parts.geturl()}"
                )


def test_every_lesson_is_there_to_read_to_run_and_to_download(site):
    for path in lessons():
        page = site / "notebooks" / f"{path.stem}.html"
        text = page.read_text(encoding="utf-8")
        assert "colab.research.google.com" in text and f'href="{path.name}" download' in text
        assert (page.with_name(path.name)).read_bytes() == path.read_bytes()
        assert text.count("</math>") > 0 or path == lessons()[-1]
        assert "left-prev" in text


@pytest.fixture(scope="module")
def reader(site):
    """A browser, and a function that opens a page from the folder, as by a double click."""
    with browser(1280, 900) as page:

        def open_page(name):
            page.goto(f"{site.as_uri()}/{name}")
            return page

        yield open_page
        assert page.refused == [] and page.errors == []


def test_a_prediction_unfolds_its_results_and_is_kept(reader):
    page = reader("notebooks/00_start_here.html")
    results = page.locator('[data-questions="0.a"]')
    assert results.evaluate_all("all => all.map(each => each.open)") == [False, False]
    page.get_by_role("button", name="on the diagonal", exact=True).click()
    assert results.evaluate_all("all => all.map(each => each.open)") == [True, True]
    card = page.locator('[data-reveal="0.a"]')
    assert "You said: “on the diagonal”." in card.text_content()
    figure = results.locator(".js-plotly-plot")
    figure.wait_for()
    shot(page, "site_prediction")
    page.reload()
    assert results.first.evaluate("each => each.open")
    page.locator('[data-question="0.a"]').get_by_role("button", name="Ask me again").click()
    assert not results.first.evaluate("each => each.open")
    page.locator('[data-question="0.a"]').get_by_role("button", name="Show me without predicting").click()
    assert results.first.evaluate("each => each.open") and "You made no prediction." in card.text_content()


def test_the_circuit_view_answers_a_click(reader):
    page = reader("notebooks/00_start_here.html")
    view = page.locator(".view").first
    page.wait_for_selector(".view svg circle")
    view.locator("select").nth(1).select_option(index=1)
    view.get_by_role("button", name="ablate").click()
    assert "without" in view.text_content() or "ablated" in view.text_content()


def test_a_figure_comes_alive_when_it_comes_into_view(reader):
    page = reader("notebooks/04_induction_heads.html")
    picture = page.locator(".cell_output > .output > .picture, .cell_output .picture:visible").first
    assert picture.locator("img").count() == 1 and page.locator(".js-plotly-plot").count() == 0
    picture.scroll_into_view_if_needed()
    picture.locator(".js-plotly-plot text").first.wait_for(state="attached")
    picture.locator("img").wait_for(state="detached")


def test_a_term_is_explained_on_hover_and_focus(reader):
    page = reader("notebooks/00_start_here.html")
    term, tip = page.locator(".term", has_text="residual stream").first, page.get_by_role("tooltip")
    assert not tip.is_visible()
    term.hover()
    assert "the running vector of a position" in tip.text_content() and tip.is_visible()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    term.focus()
    assert tip.is_visible()
    assert page.locator("pre .term, a .term, h2 .term, code .term").count() == 0


def test_search_finds_a_word(reader):
    page = reader("search.html?q=shortformer")
    page.locator("#search-results li a").first.wait_for()
    assert "Start here" in page.locator("#search-results").text_content()


@pytest.fixture
def fresh(reader):
    """A page of a phone's width, with nothing kept from before."""
    context = reader("index.html").context.browser.new_context(viewport={"width": 390, "height": 800})
    yield context.new_page()
    context.close()


def test_a_browser_that_keeps_nothing_unfolds_results_too(site, fresh):
    refuse = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } })"
    fresh.add_init_script(refuse)
    fresh.goto((site / "notebooks/00_start_here.html").as_uri())
    fresh.get_by_role("button", name="on the diagonal", exact=True).click()
    assert fresh.locator('[data-questions="0.a"]').first.evaluate("each => each.open")


LESSONS = ("00_start_here", "05_indirect_object_identification", "06_mlps_superposition_steering", "index")
PAGES = ["index.html", "search.html?q=head", *(f"notebooks/{name}.html" for name in LESSONS)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(site, fresh, theme):
    axe = importlib.util.find_spec("axe_playwright_python")
    if axe is None and "CI" not in os.environ:
        pytest.skip("needs the packages of helpers/build/requirements.txt")
    fresh.add_init_script(f"localStorage.theme = localStorage.mode = '{theme}'")
    for name in PAGES:
        fresh.goto(f"{site.as_uri()}/{name}")
        fresh.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
        fresh.wait_for_timeout(500)
        fresh.add_script_tag(path=f"{axe.submodule_search_locations[0]}/axe.min.js")
        violations = fresh.evaluate("axe.run().then(found => found.violations)")
        assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == [], name
        assert fresh.evaluate("document.documentElement.scrollWidth") == 390, name
