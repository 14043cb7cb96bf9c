"""The report on a class: counts, mistakes with code, predictions, what to look at."""

import csv

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.build import class_report
from helpers.build.class_report import (
    exercise_rows,
    prediction_rows,
    predictions_in,
    read_class,
    without_names,
    write_report,
)
from helpers.build.lesson_files import lessons, read_lesson
from helpers.build.recheck import Verdict
from tests.class_of_twenty import write_class
from tests.lab import browser

LEARNERS = ["right", "wrong", "writes-files", "edits-the-checks", "answer-and-check-deleted"]


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    write_class(read_lesson(lessons()[0]), folder / "submitted", LEARNERS)
    (folder / "submitted" / "=damaged.ipynb").write_text("{", encoding="utf-8")
    (folder / "submitted" / "absent").mkdir()
    checkpoints = folder / "submitted" / "right" / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "00_start_here-checkpoint.ipynb").write_text("{", encoding="utf-8")
    return {each.learner: each for each in read_class(folder)}


def test_every_notebook_is_counted_once(submissions):
    assert submissions.keys() == {*LEARNERS, "=damaged", "absent"}
    counts = [row["counts"] for row in exercise_rows(list(submissions.values()))]
    assert [count["passed"] for count in counts] == [3, 2, 2]
    assert [count["failed"] for count in counts] == [2, 2, 3]
    assert [count["missing"] for count in counts] == [0, 1, 0]


def test_the_most_frequent_mistake_comes_first_with_code(submissions):
    first = exercise_rows(list(submissions.values()))[2]["mistakes"][0]
    assert first[:2] == ("current token", 2) and "diagonal(0, -2, -1)" in first[2].source


def test_predictions_are_counted(submissions):
    (row,) = prediction_rows(list(submissions.values()))
    assert (row["id"], row["total"], row["right"], row["wrong"]) == ("0.f", 2, 1, [("more than three", 1)])


def test_what_a_teacher_should_look_at_is_noted(submissions):
    notes = {name: " ".join(each.notes) for name, each in submissions.items()}
    assert notes["right"] == notes["wrong"] == ""
    assert notes["edits-the-checks"] == "0.1, 0.2, 0.3: check cell changed or gone."
    assert notes["writes-files"] == "0.3: The answer writes a file (open gradebook.db)."
    assert notes["=damaged"] == "This file is no notebook, or a damaged one."
    assert notes["absent"] == "No notebook in this folder."


def test_the_page_and_the_table_show_code_as_text(submissions, tmp_path):
    page, table = write_report(list(submissions.values()), tmp_path)
    rows = list(csv.reader(table.open(encoding="utf-8-sig")))
    assert len(rows) == 1 + 5 * 3 and rows[0] == list(class_report.FIELDS)
    assert not [cell for row in rows for cell in row if cell.startswith("=")]
    with browser() as opened:
        opened.set_content(page.read_text(encoding="utf-8"))
        assert opened.locator("details").count() == 4
        opened.locator("summary", has_text="current token").click()
        assert opened.get_by_text("diagonal(0, -2, -1)").is_visible()
        assert opened.errors == [] and opened.refused == []


def test_names_are_left_out_on_request(submissions, tmp_path):
    page, table = write_report(without_names(list(submissions.values())), tmp_path)
    learners = [row[0] for row in csv.reader(table.open(encoding="utf-8-sig"))][1:]
    assert len(set(learners)) == 5 and set(learners) <= {f"learner {number}" for number in range(1, 8)}
    text = page.read_text(encoding="utf-8")
    assert "<td>lesson 0</td>" in text
    assert not [name for name in submissions if f"<td>{name}</td>" in text] and "damaged.ipynb" not in text


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"choice": "x"},
        {"prediction": 1, "choice": "a", "answer": "a"},
        {"prediction": "x", "choice": [1]},
    ],
)
def test_metadata_that_the_course_did_not_write_are_no_predictions(metadata):
    output = new_output("display_data", {"text/plain": ""})
    output["metadata"] = metadata
    cell = new_code_cell("1")
    cell.outputs = [output]
    assert predictions_in(nbformat.from_dict({"cells": [cell]})) == {}


def test_a_notebook_that_cannot_be_judged_is_a_note_and_strange_text_is_written(tmp_path, monkeypatch):
    def fails(*arguments, **named):
        raise TypeError("list indices")

    monkeypatch.setattr(class_report, "recheck", fails)
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "ada.ipynb")
    (submission,) = read_class(tmp_path)
    assert submission.notes == ["Not all could be read (TypeError). Look at it by hand."]
    submission.verdicts = [Verdict("0.3", "failed", "exception", "\n =1+1 \ud83d", "\ud83d")]
    _, table = write_report([submission], tmp_path / "out")
    assert '"\'\n =1+1 ?"' in table.read_text(encoding="utf-8-sig")


def test_a_folder_without_notebooks_is_an_error(tmp_path):
    with pytest.raises(
        ValueError, match="Expected notebooks in .*found none. Name the folder that holds them."
    ):
        read_class(tmp_path)
