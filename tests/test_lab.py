"""Lesson 0 in a real JupyterLab: run it, answer an exercise in every way, look at the pictures."""

import os
from pathlib import Path

import pytest

from tests.lab import (
    DARK,
    browser,
    command,
    course,
    errors,
    fill,
    jupyterlab,
    open_notebook,
    run_cell,
    select,
)

LESSON = "notebooks/00_start_here.ipynb"
SHOTS = os.environ.get("CIRCUITS_SHOTS")  # a folder, to keep the screenshots for a look

HEAD = '@exercise("0.1")\ndef attention_pattern(q, k):\n'
SCORES = (
    "    scores = einsum(q, k, 'query head d_head, key head d_head -> head query key') / q.shape[-1] ** 0.5\n"
)
MASK = "    scores = scores.masked_fill(torch.ones(len(q), len(k)).triu(1).bool(), float('-inf'))\n"
ANSWERS = [
    ("    raise NotImplementedError", "Not attempted"),
    ("    pass", "returned None"),
    (SCORES, "returned None"),
    (SCORES + "    return scores.softmax(-1)", "mask missing"),
    (SCORES + MASK + "    return scores.softmax(-2)", "softmax over the query axis"),
    ("    return q @ k", "RuntimeError"),
    ("    while True: pass", "stopped after 10 s"),
    (SCORES + MASK + "    return scores.softmax(-1)", "Passed"),
]


def shot(page, name):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.fixture(params=[{}, DARK], ids=["light", "dark"])
def page(request, tmp_path):
    home = tmp_path / "home"
    (tmp_path / "course").mkdir()
    with jupyterlab(course(tmp_path / "course"), home, request.param) as (address, token), browser() as page:
        page.theme = request.node.callspec.id
        open_notebook(page, address, token, LESSON)
        yield page


def test_lesson_0_runs_answers_and_draws(page):
    command(page, "notebook:run-all-cells")
    assert errors(page) == []
    for cell_id in ("first-picture", "shared-memory", "address", "line", "cut-every-head", "all-heads"):
        select(page, cell_id).locator(".js-plotly-plot .main-svg").first.wait_for(timeout=20_000)
        page.wait_for_timeout(500)
        shot(page, f"{page.theme}-{cell_id}")
    for number, (body, expected) in enumerate(ANSWERS):
        fill(page, "exercise-0-1", HEAD + body)
        run_cell(page, "exercise-0-1")
        said = run_cell(page, "check-0-1")
        assert expected in said
        shot(page, f"{page.theme}-check-{number}")
    assert "pattern is the model's" in run_cell(page, "compare-0-1")
    assert "1 of 3" in run_cell(page, "progress")
    assert page.refused == [] and page.errors == []
