"""Lesson 0 in a real JupyterLab: run it, answer an exercise in every way, look at the pictures."""

import contextlib

import pytest

from helpers.build.lesson_files import PLOTLY, ROOT, lessons
from tests.hub import LARGE_MODEL, save_llama
from tests.lab import (
    DARK,
    SHOTS,
    browser,
    command,
    course,
    errors,
    fill,
    jupyterlab,
    open_notebook,
    run_cell,
    select,
    shot,
)

LESSON = "notebooks/00_start_here.ipynb"

HEAD = '@exercise("0.1")\ndef attention_pattern(q, k):\n'
SCORES = (
    "    scores = einsum(q, k, 'query head d_head, key head d_head -> head query key') / q.shape[-1] ** 0.5\n"
)
MASK = "    scores = scores.masked_fill(torch.ones(len(q), len(k)).triu(1).bool(), float('-inf'))\n"
ANSWERS = [
    ("    raise NotImplementedError", "Not attempted"),
    ("    pass", "Not attempted"),
    (SCORES, "returned None"),
    (SCORES + "    return scores.softmax(-1)", "mask missing"),
    (SCORES + MASK + "    return scores.softmax(-2)", "softmax over the query axis"),
    ("    return q @ k", "RuntimeError"),
    ("    while True: pass", "Stopped after 10 s"),
    (SCORES + MASK + "    return scores.softmax(-1)", "Passed"),
    (SCORES + MASK + "    return (scores.softmax(-1)", "Fix the cell and run it again."),
    (SCORES + MASK + "    return scores.softmax(-1)", "Passed"),
]

# every plotly figure in a cell's outputs is on the page with the same data
DRAWN_EQUALS_OUTPUT = """([id, plotly]) => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const cell = notebook.widgets.find(cell => cell.model.id === id);
    const data = figure => JSON.stringify(figure.data);
    const expected = cell.model.toJSON().outputs.map(o => o.data && o.data[plotly]).filter(f => f).map(data);
    const drawn = [...cell.node.querySelectorAll('.js-plotly-plot')].map(data);
    return expected.length > 0 && JSON.stringify(expected) === JSON.stringify(drawn);
}"""

WITH_FIGURE = """plotly => [...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter(cell => cell.type === 'code' && cell.toJSON().outputs.some(o => o.data && o.data[plotly]))
    .map(cell => cell.id)"""

# of a figure, or of the still that stands for it until the mouse is over it
WIDTH = """cell => {
    const drawn = cell.querySelector('.main-svg');
    return drawn ? drawn.getBoundingClientRect().width : cell.querySelector('img.plot-img').naturalWidth;
}"""


THEMES = {"light": {}, "dark": DARK}


@contextlib.contextmanager
def opened(path, theme, folder):
    """A page with a lesson open in a JupyterLab of this theme."""
    (folder / "course").mkdir()
    with (
        jupyterlab(course(folder / "course"), folder / "home", THEMES[theme]) as (address, token),
        browser() as page,
    ):
        page.theme = theme
        open_notebook(page, address, token, path)
        yield page


@pytest.fixture(params=THEMES)
def page(request, tmp_path):
    with opened(LESSON, request.param, tmp_path) as page:
        yield page


def test_lesson_0_runs_answers_and_draws(page):
    command(page, "notebook:run-all-cells")
    assert errors(page) == []
    for cell_id in ("first-picture", "shared-memory", "address-terms", "line", "cut-every-head", "all-heads"):
        drawn = "svg[aria-label]" if cell_id == "line" else ".js-plotly-plot .main-svg"
        select(page, cell_id).locator(drawn).first.wait_for()
        page.wait_for_timeout(500)
        shot(page, f"{page.theme}-{cell_id}")
    for number, (body, expected) in enumerate(ANSWERS):
        fill(page, "exercise-0-1", HEAD + body)
        run_cell(page, "exercise-0-1")
        assert expected in run_cell(page, "check-0-1")
        shot(page, f"{page.theme}-check-{number}")
    assert "pattern is the model's" in run_cell(page, "compare-0-1")
    assert "1 of " in run_cell(page, "progress")
    assert page.refused == [] and page.errors == []


def test_a_view_is_a_picture_until_it_is_run_and_is_drawn_again_when_reopened(tmp_path):
    with opened("notebooks/02_qk_ov_circuits.ipynb", "light", tmp_path) as page:  # not trusted: run elsewhere
        select(page, "heads").locator("img[alt^='attention of']").first.wait_for()
        assert select(page, "heads").locator("canvas").count() == 0
        for command_name in ("notebook:run-all-cells", "notebook:run-all-cells", "docmanager:save"):
            command(page, command_name)  # a second run replaces the output that brought circuitsvis
        select(page, "heads").locator("canvas").first.wait_for()
        width = select(page, "spectra").locator(".main-svg").first.bounding_box()["width"]
        command(page, "docmanager:save")  # with the still that JupyterLab has made of each figure
        page.reload()
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
        page.wait_for_timeout(3000)
        select(page, "heads").locator("canvas").first.wait_for()
        assert select(page, "spectra").evaluate(WIDTH) == pytest.approx(width, abs=20)
        assert page.refused == [] and page.errors == []


@pytest.mark.parametrize("theme", THEMES if SHOTS else ["light"])
@pytest.mark.parametrize("path", lessons()[1:-1], ids=[path.stem for path in lessons()[1:-1]])
def test_every_figure_of_a_lesson_is_drawn_without_a_network(path, theme, tmp_path):
    with opened(str(path.relative_to(ROOT)), theme, tmp_path) as page:
        if path.stem.startswith(LARGE_MODEL):
            fill(page, "model-name", f"MODEL = {str(save_llama(tmp_path / 'llama'))!r}")
        command(page, "notebook:run-all-cells")
        assert errors(page) == []
        with_figure = page.evaluate(WITH_FIGURE, PLOTLY)
        for cell_id in with_figure:
            select(page, cell_id).locator(".js-plotly-plot .main-svg").first.wait_for()
            page.wait_for_function(
                DRAWN_EQUALS_OUTPUT, arg=[cell_id, PLOTLY]
            )  # the last, where it is drawn live
            if SHOTS:
                page.wait_for_timeout(400)
                shot(page, f"{theme}-{path.stem[:2]}-{cell_id}")
        assert page.refused == [] and page.errors == []
    assert len(with_figure) >= 5
