"""Lessons as files: their order, files of other editors, exercise cells, links, copies."""

import json
import os
import re
import sys
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from helpers.build import lesson_files, notebooks
from helpers.build.lesson_files import (
    ROOT,
    copy_lesson,
    exercise_of,
    figures_of,
    lessons,
    outputs_of,
    read_lesson,
    with_links,
)


def test_the_lessons_are_numbered_from_0_without_a_gap():
    assert [int(path.name[:2]) for path in lessons()] == list(range(len(lessons())))


def test_a_learners_notebooks_are_no_lessons(tmp_path, monkeypatch):
    names = ["00_start_here.ipynb", "01_residual_stream.ipynb"]
    others = [
        "01_residual_stream-Copy1.ipynb",
        "01_residual_stream (copy).ipynb",
        "01_residual_stream 2.ipynb",
        "Untitled.ipynb",
        "my_notes.ipynb",
        "1_notes.ipynb",
        "01_Notes.ipynb",
        "index.md",
    ]
    (tmp_path / "notebooks").mkdir()
    for name in names + others:
        (tmp_path / "notebooks" / name).touch()
    monkeypatch.setattr(lesson_files, "ROOT", tmp_path)
    assert [path.name for path in lessons()] == names


def test_reading_fills_in_what_old_formats_and_other_editors_leave_out(tmp_path):
    path = tmp_path / "lesson.ipynb"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A\r\n", "text"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "1",
            "outputs": [],
            "execution_count": 1,
            "id": "kept",
        },
    ]
    content = {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": cells}
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    notebook = read_lesson(path)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == ["# A\ntext", "1"]
    assert notebook.cells[0].id and notebook.cells[1].id == "kept"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": 1}', "<<<<<<< HEAD", '{"cells": [], "nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "lesson.ipynb"
    path.write_text(text, encoding="utf-8")
    message = f"Expected a notebook with cells in {path}, got {text!r}. Save it as .ipynb."
    with pytest.raises(ValueError, match=re.escape(message)):
        read_lesson(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="Expected a notebook, found no file .*x.ipynb. Check its name."
    ):
        read_lesson(tmp_path / "x.ipynb")


def test_an_exercise_cell_is_code_with_the_decorator_at_the_start_of_a_line():
    line = '@exercise("1.10")\ndef f(x):\n    return x'
    assert exercise_of(new_code_cell(f"def g(x):\n    return x\n\n\n{line}")) == "1.10"
    assert exercise_of(new_code_cell(f"# {line}")) is None
    assert exercise_of(new_markdown_cell(line)) is None


def test_figures_are_outputs_with_plotly_data():
    notebook = read_lesson(lessons()[4])
    figures = figures_of(notebook.cells)
    assert 0 < len(figures) < len(outputs_of(notebook.cells))
    assert all("data" in figure["application/vnd.plotly.v1+json"] for figure in figures)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("[a](index.md)", "[a](/index.md)"),
        ("[a](index.md#terms) ![b](../LICENSE)", "[a](/index.md#terms) ![b](/LICENSE)"),
        ('<img src="index.md"> <a href="index.md">a</a>', '<img src="/index.md"> <a href="/index.md">a</a>'),
        ("`x[0](index.md)` [a](index.md)", "`x[0](index.md)` [a](/index.md)"),
        ("```\n[a](index.md)\n```", "```\n[a](index.md)\n```"),
        ("[a](#index.md) [b](https://x.org/index.md) [c](missing.md)", None),
        ("[a](../README.md)", None),
    ],
)
def test_links_to_files_are_changed_and_nothing_else(text, changed):
    def address_of(path):
        return "" if path.name == "README.md" else f"/{path.name}"

    assert with_links(text, ROOT / "notebooks", address_of) == (changed or text)


@pytest.fixture
def answered(tmp_path):
    """A copy of the course's files in which lesson 0 has an answer of a learner."""
    folder = tmp_path / "the course" / "notebooks"
    folder.mkdir(parents=True)
    for name in ("index.md", "01_residual_stream.ipynb", "../README.md"):
        (folder / name).write_text("x", encoding="utf-8")
    notebook = read_lesson(lessons()[0])
    cell = next(cell for cell in notebook.cells if exercise_of(cell))
    cell.source = cell.source.replace("raise NotImplementedError", "return q  # mine")
    path = folder / lessons()[0].name
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize("place", ["mine", "my own/answers", "the course/notebooks/mine"])
def test_a_copy_holds_answers_and_outputs_and_its_links_lead_to_the_course(answered, tmp_path, place):
    before = read_lesson(answered)
    copy = copy_lesson(answered, tmp_path / place)
    assert copy == tmp_path / place / answered.name
    after = read_lesson(copy)
    assert [cell for cell in after.cells if cell.cell_type == "code"] == [
        cell for cell in before.cells if cell.cell_type == "code"
    ]
    assert "return q  # mine" in copy.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!#|http)([^)#]+)", after.cells[0].source)
    paths = [(copy.parent / unquote(target)).resolve() for target in targets]
    assert len(paths) == 3 and {path.name for path in paths} == {
        "README.md",
        "index.md",
        "01_residual_stream.ipynb",
    }
    assert all(path.exists() and tmp_path / "the course" in path.parents for path in paths)
    assert " " not in "".join(targets)


def test_a_copy_never_replaces_a_file(answered, tmp_path):
    copy = copy_lesson(answered, tmp_path / "mine")
    copy.write_text("answers", encoding="utf-8")
    message = (
        f"Expected no {copy.name} in {copy.parent}, found one, which may hold answers. Choose another folder."
    )
    for folder in (copy.parent, answered.parent):
        before = (folder / copy.name).read_text(encoding="utf-8")
        with pytest.raises(FileExistsError, match=re.escape(message.replace(str(copy.parent), str(folder)))):
            copy_lesson(answered, folder)
        assert (folder / copy.name).read_text(encoding="utf-8") == before


def test_the_command_copies_and_wants_a_folder(answered, tmp_path, monkeypatch, capsys):
    def run(folder):
        monkeypatch.setattr(sys, "argv", ["notebooks", "copy", str(answered), str(folder)])
        notebooks.main()

    run(tmp_path / "mine")
    assert capsys.readouterr().out == f"Wrote {tmp_path / 'mine' / answered.name}.\n"
    with pytest.raises(SystemExit, match="which may hold answers"):
        run(tmp_path / "mine")
    with pytest.raises(SystemExit):
        run(answered)
    assert f"Expected a folder, got the file {answered}. Name another." in capsys.readouterr().err


def test_a_copy_on_another_drive_has_absolute_links(answered, tmp_path, monkeypatch):
    def no_way(*arguments):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", no_way)
    text = copy_lesson(answered, tmp_path / "mine").read_text(encoding="utf-8")
    assert (answered.parent / "index.md").as_uri() in text
