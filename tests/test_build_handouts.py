"""Handouts: what they hold and leave out, formulas, and two files that are legible without a network."""

import re

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import BrowserType, Error

from helpers import __repository__, __version__
from helpers.attention_view import attention_heads
from helpers.build.committed_form import badge, first_cell
from helpers.build.handouts import as_html, for_paper, write_handout
from helpers.build.lesson_files import ROOT, exercise_of, lessons, read_lesson
from helpers.build.lesson_runs import in_state
from helpers.exercises import get
from helpers.line_view import Line, line_view
from helpers.plots import bars
from tests.lab import browser

NOTEBOOKS = ROOT / "notebooks"
CARD = "<div role='status' style='x'><strong>○ 3.1 Not attempted</strong></div>"
EXERCISE = """\
@exercise("3.1")
def composition_score(W_A, W_B):
    \"\"\"Frobenius composition score.\"\"\"
    raise NotImplementedError"""
INSTRUCTIONS = (
    "### Exercise 3.1 · A score\n\n⏱ 3 minutes\n\n<details><summary>Hint 1</summary>\n\nOld.\n\n</details>"
)


def html_output(html):
    return new_output("display_data", data={"text/html": html, "text/plain": "text"})


def sources(*cells, solutions=False):
    notebook = new_notebook(cells=list(cells))
    notebook = in_state(notebook, "solved") if solutions else notebook
    return [cell.source for cell in for_paper(notebook, NOTEBOOKS, solutions).cells]


@pytest.mark.parametrize(
    "source",
    [
        first_cell(),
        "# The same cell in every lesson: of another version.\nimport sys\nsys.path.insert(0, '..')",
        "import torch\nfrom torch import Tensor",
        "check(composition_score)",
        'hint("3.1")',
        'solution("3.1")',
        "progress()",
        "from helpers.exercises import hint\n\nhint('3.1')",
        " \n",
    ],
)
def test_cells_that_only_a_run_needs_are_left_out(source):
    assert sources(new_code_cell(source, outputs=[html_output(CARD)])) == []


@pytest.mark.parametrize(
    "source", ["x = 1", "print(check)", "# my notes", "%time f()", "import torch\n\nx = torch.ones(1)"]
)
def test_all_other_code_is_kept(source):
    assert sources(new_code_cell(source)) == [source]


def test_of_a_set_up_cell_only_the_printed_result_is_kept():
    printed = new_output("stream", name="stdout", text="two layers")
    cell = new_code_cell("model = load_model(MODEL)\nprint(1)", outputs=[printed])
    html = as_html(for_paper(new_notebook(cells=[cell]), NOTEBOOKS, False), "title")
    assert "two layers" in html and "load_model" not in html


def test_cards_warnings_and_progress_bars_are_left_out():
    kept = new_output("stream", name="stdout", text="a result")
    others = [
        html_output(CARD),
        html_output('<progress value="1">'),
        new_output("stream", name="stderr", text="!"),
    ]
    cell = new_code_cell("sweep()", outputs=[*others, kept])
    assert for_paper(new_notebook(cells=[cell]), NOTEBOOKS, False).cells[0].outputs == [kept]


def test_an_exercise_is_its_text_and_stub_with_room_to_write_and_the_hints_stand_at_the_end():
    cells = new_markdown_cell(INSTRUCTIONS), new_code_cell(EXERCISE)
    text, stub, hints = sources(*cells)
    assert text == "### Exercise 3.1 · A score\n\n3 minutes\n\n"
    assert stub == 'def composition_score(W_A, W_B):\n    """Frobenius composition score."""\n'
    assert all(hint in hints for hint in get("3.1").hints) and "**3.1**" in hints
    assert (
        as_html(for_paper(new_notebook(cells=list(cells)), NOTEBOOKS, False), "title").count("<div></div>")
        >= 3
    )


def test_with_solutions_there_is_a_solution_and_no_hint():
    text, solution = sources(new_markdown_cell(INSTRUCTIONS), new_code_cell(EXERCISE), solutions=True)
    assert solution == get("3.1").solution().rstrip("\n")
    assert "Hint" not in text


@pytest.mark.parametrize("answer", ["return W_A", "return W_A +"])
def test_an_answer_of_a_learner_is_kept(answer):
    attempt = EXERCISE.replace("raise NotImplementedError", answer)
    assert sources(new_code_cell(attempt))[0] == attempt.removeprefix('@exercise("3.1")\n')


def test_links_to_lessons_go_and_others_lead_to_the_repository():
    path = lessons()[3]
    text = sources(read_lesson(path).cells[0])[0]
    assert text.splitlines()[2] == "about 95 minutes · 10 exercises"
    assert badge(path) not in text and "](#A-score)" in text
    [card] = sources(new_markdown_cell("A [card](../data/attn-only-2l/README.md), `[0](index.md)`."))
    assert (
        card
        == f"A [card]({__repository__}/blob/v{__version__}/data/attn-only-2l/README.md), `[0](index.md)`."
    )


@pytest.mark.parametrize("path", lessons(), ids=[path.stem for path in lessons()])
@pytest.mark.parametrize("solutions", [False, True], ids=["plain", "solved"])
def test_a_lesson_becomes_a_page_with_formulas_and_without_plumbing(path, solutions):
    notebook = read_lesson(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    exercises = sum(bool(exercise_of(cell)) for cell in notebook.cells)
    formulas = [
        formula
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for formula in re.findall(r"\$\$.+?\$\$|\$[^$]+\$", re.sub(r"`[^`]*`", "", cell.source), re.DOTALL)
    ]
    html = as_html(
        for_paper(in_state(notebook, "solved" if solutions else "unsolved"), NOTEBOOKS, solutions), "x"
    )
    assert html.count("</math>") == len(formulas)
    text = re.sub(r"<(pre|code)[ >].*?</\1>", "", html, flags=re.DOTALL)
    assert "$" not in text and "\\" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert "<script" not in html and "Colab" not in html and "⏱" not in html
    assert "NotImplementedError" not in html.replace("<code>raise NotImplementedError</code>", "")
    assert html.count('class="room"') == (0 if solutions else exercises)
    assert ("Hints</h2>" in re.sub("<a.*?</a>", "", html)) == (exercises > 0 and not solutions)


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    """The handout of a notebook with one figure and one view of each kind, opened in a browser."""
    lens, top = [[("b", 0.5)] * 18] * 2, [[[["a", "b", "c"]] * 18]]
    line = Line("a long text", list("abcdefghijklmnopqr"), torch.eye(18)[None, None], lens, top)
    views = [attention_heads(torch.eye(2)[None], ["a", "b"], names=["0.1"]), line_view(line, layer=0)]
    figure = bars(torch.tensor([1.0, 2.0]), ["a", "b"], "A figure", "name", "value").to_plotly_json()
    outputs = [new_output("display_data", data={"application/vnd.plotly.v1+json": figure})]
    outputs += [html_output(view.data) for view in views]
    cells = [new_markdown_cell("# 9 · A lesson\n\n$x^2$"), new_code_cell("show()", outputs=outputs)]
    folder = tmp_path_factory.mktemp("handout")
    path = folder / "09_a_lesson.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return write_handout(path, folder / "out")


def test_the_page_asks_no_network_and_every_picture_is_sharp_and_described(handout):
    page_file, _ = handout
    assert page_file.name == "09_a_lesson.html"
    with browser() as page:
        page.set_content(page_file.read_text(encoding="utf-8"))
        assert page.title() == "9 · A lesson"
        pictures = page.locator("img").evaluate_all(
            "all => all.map(image => [image.alt, image.naturalWidth / image.getAttribute('width')])"
        )
        assert page.locator("math").bounding_box()["height"] > 5
        assert page.refused == [] and page.errors == []
    assert [alt for alt, _ in pictures] == [
        "Bar chart: A figure. Horizontal axis: name. Vertical axis: value. Largest: b (2).",
        "attention of 0.1",
        "line view: people in a line, a long text",
    ]
    assert all(2.9 < sharpness < 3.1 for _, sharpness in pictures)


def test_the_pdf_has_pages_bookmarks_and_tags(handout):
    pdf = handout[1].read_bytes()
    assert handout[1].name == "09_a_lesson.pdf" and pdf.startswith(b"%PDF")
    assert re.search(rb"/Type\s*/Page\b", pdf) and b"/Outlines" in pdf and b"/StructTreeRoot" in pdf


def test_a_notebook_without_outputs_is_refused(tmp_path):
    path = tmp_path / "empty.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), path)
    with pytest.raises(
        ValueError, match="Expected a notebook with outputs, got none in .* Run all its cells"
    ):
        write_handout(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_computer_without_a_browser_is_told_what_to_install(tmp_path, monkeypatch):
    def fails(*arguments, **named):
        raise Error("no browser")

    monkeypatch.setattr(BrowserType, "launch", fails)
    with pytest.raises(OSError, match="Expected Chromium, Chrome or Edge.*found none. Install one."):
        write_handout(lessons()[0], tmp_path)
    assert list(tmp_path.iterdir()) == []
