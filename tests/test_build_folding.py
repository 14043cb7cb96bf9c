"""Folding: results after a prediction are hidden, readable without scripts, and all kept."""

import copy

from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.build.folding import fold_results, is_folded, unfolded
from helpers.build.lesson_files import PLOTLY

PICTURE = {PLOTLY: {"data": []}, "image/png": "aGVsbG8="}


def lesson():
    """A lesson with a question, two cells that measure, and one after the answer."""
    figure = new_output("display_data", from_dict(PICTURE), metadata={"image/png": {"alt": "Heatmap: <a>"}})
    printed = new_output("stream", name="stdout", text="loss < 2\n")
    view = new_output(
        "display_data", {"text/html": "<p>a view</p><script>draw()</script>", "text/plain": "view"}
    )
    return new_notebook(
        cells=[
            new_code_cell("before()", outputs=[copy.deepcopy(printed)]),
            new_code_cell('predict("0.a", "Which?", {"one": "", "two": ""})', outputs=[view]),
            new_markdown_cell("text"),
            new_code_cell("measure()", outputs=[printed, copy.deepcopy(view)]),
            new_code_cell('figure()\nreveal("0.a", "one")', outputs=[figure]),
            new_code_cell("after()", outputs=[copy.deepcopy(printed)]),
        ]
    )


def test_cells_from_a_question_to_its_answer_are_folded_and_no_other():
    notebook = lesson()
    fold_results(notebook)
    assert [is_folded(cell) for cell in notebook.cells] == [False, False, False, True, True, False]


def test_a_question_between_another_and_its_answer_is_not_folded():
    notebook, question = lesson(), new_output("display_data", {"text/html": "<p>How many?</p>"})
    notebook.cells.insert(2, new_code_cell('predict("0.b", "How many?", ["one", "two"])', outputs=[question]))
    notebook.cells[5].source += '\nreveal("0.b", "one")'
    fold_results(notebook)
    assert [is_folded(cell) for cell in notebook.cells] == [False, False, False, False, True, True, False]


def test_a_folded_cell_shows_text_and_pictures_without_scripts():
    notebook = lesson()
    fold_results(notebook)
    printed, drawn = (cell.outputs[0].data["text/html"] for cell in notebook.cells[3:5])
    assert printed.startswith("<details><summary>") and "loss &lt; 2" in printed
    assert "<p>a view</p>" in printed and "script" not in printed
    assert (
        '<img style="background: #ffffff" alt="Heatmap: &lt;a&gt;" src="data:image/png;base64,aGVsbG8=">'
        in drawn
    )


def test_unfolding_undoes_folding():
    notebook, before = lesson(), lesson()
    fold_results(notebook)
    assert [unfolded(cell) for cell in notebook.cells if cell.cell_type == "code"] == [
        cell.outputs for cell in before.cells if cell.cell_type == "code"
    ]


def test_a_lesson_folded_without_the_data_of_its_figures_keeps_their_stills():
    notebook = lesson()
    fold_results(notebook)
    del notebook.cells[4].outputs[0].metadata["folded"][0]["data"][PLOTLY]
    assert unfolded(notebook.cells[4])[0].data == {"image/png": "aGVsbG8="}


def test_folding_twice_is_folding_once():
    once, twice = lesson(), lesson()
    for notebook in (once, twice, twice):
        fold_results(notebook)
    assert once.cells[3].outputs[0].data == twice.cells[3].outputs[0].data
