"""The committed form: brought about, in files of every editor, and every way out of it noticed."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import ScriptExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers import __repository__
from helpers.build import notebooks
from helpers.build.committed_form import METADATA, badge, first_cell, normalise, problems
from helpers.build.lesson_files import PLOTLY, lessons, read_lesson

FIGURE = new_output("display_data", nbformat.from_dict({PLOTLY: {"data": [], "layout": {}}}))
FOLDED_SOURCE = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # for JupyterLab, and for Colab


@pytest.fixture
def path():
    return lessons()[0]


@pytest.fixture
def notebook(path):
    notebook = read_lesson(path)
    normalise(notebook, path)
    return notebook


def test_a_notebook_saved_by_an_editor_is_brought_into_form(path, notebook):
    before = [cell.id for cell in notebook.cells]
    notebook.metadata = nbformat.from_dict(
        {"widgets": {"state": {}}, "kernelspec": {"name": "other", "display_name": "Other"}}
    )
    notebook.cells[1].id = "3f2a9c1e"
    notebook.cells[1].source = first_cell().replace("import sys", "import system")  # of another version
    notebook.cells[2].metadata = nbformat.from_dict({"editable": True, "slideshow": {"slide_type": ""}})
    address = __repository__.removeprefix("https://github.com/")
    notebook.cells[0].source = notebook.cells[0].source.replace(address, "someone/else")
    assert len(problems(notebook, path)) == 4
    normalise(notebook, path)
    assert problems(notebook, path) == []
    after = [cell.id for cell in notebook.cells]
    assert after[0] == before[0] and after[2:] == before[2:]
    normalise(notebook, path)
    assert [cell.id for cell in notebook.cells] == after


def add_output(notebook, *arguments, **named):
    notebook.cells[1].outputs.append(nbformat.v4.new_output(*arguments, **named))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda nb: nb.cells[1].update(execution_count=None), "execution counts"),
        (lambda nb: nb.metadata.update(widgets={}), "metadata"),
        (lambda nb: nb.cells[3].update(id="A b"), "cell ids"),
        (lambda nb: nb.cells[3].update(id=nb.cells[4].id), "cell ids"),
        (lambda nb: nb.cells[1].update(source="pass"), "first code cell"),
        (lambda nb: nb.cells[-1].outputs.append(FIGURE), "no static image"),
        (lambda nb: [cell.metadata.pop("tags", 0) for cell in nb.cells], "holds MODEL"),
        (
            lambda nb: add_output(nb, "display_data", data={"image/png": ""}),
            "no alternative text",
        ),
        (lambda nb: add_output(nb, "stream", name="stderr", text="warning"), "on stderr"),
        (lambda nb: add_output(nb, "error", ename="E", evalue="e", traceback=[]), "an error"),
        (
            lambda nb: add_output(
                nb, "execute_result", data={"application/vnd.jupyter.widget-view+json": {}}
            ),
            "a widget",
        ),
        (
            lambda nb: add_output(nb, "display_data", data={"text/plain": "patching: 72%"}),
            "a progress bar",
        ),
        (lambda nb: nb.cells[0].update(source="# no badge"), "no Colab badge"),
        (
            lambda nb: [cell.update(source=cell.source.replace("Hint 1", "Hint")) for cell in nb.cells],
            "hints of 0.1, 0.2, 0.3 differ",
        ),
    ],
)
def test_a_notebook_out_of_form_is_noticed(path, notebook, spoil, problem):
    assert problems(notebook, path) == []
    spoil(notebook)
    [sentence] = problems(notebook, path)
    assert problem in sentence and sentence.endswith("Run python -m helpers.build.notebooks commit.")


def test_badge_and_first_cell_point_at_this_version_of_this_repository(path):
    assert path.name in badge(path)
    assert f'"{__repository__}"' in first_cell()


LINES = ["# 9 · A lesson", badge(Path("09_a_lesson.ipynb")), "**Try** $x$"]


def saved(**changes):
    """A small lesson as JSON of nbformat 4.5, with some entries replaced."""
    printed = new_output("stream", name="stdout", text="1\n")
    cells = [
        new_markdown_cell("\n\n".join(LINES)),
        new_code_cell(first_cell(), execution_count=1),
        new_code_cell('MODEL = "attn-only-2l"  # or another', execution_count=2),
        new_code_cell("print(1)", execution_count=3, outputs=[printed]),
        new_code_cell("2", execution_count=4, outputs=[new_output("execute_result", {"text/plain": "2"})]),
    ]
    cells[4].outputs[0].execution_count = 4
    return json.loads(nbformat.writes(new_notebook(cells=cells, metadata=METADATA))) | changes


def of_colab():
    notebook = saved(nbformat_minor=0)
    notebook["metadata"] = {
        "accelerator": "GPU",
        "colab": {"provenance": [], "gpuType": "T4"},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook["cells"]):
        del cell["id"]
        cell["metadata"] = {"id": f"aB{number}_-Xy"}
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"outputId": "0a1b2c3d", "colab": {"base_uri": "https://localhost:8080/"}}
    notebook["cells"][4]["outputs"][0]["metadata"] = {"outputId": "0a1b2c3d"}
    button = '<a href="https://colab.research.google.com/x"><img src="https://x/colab-badge.svg"/></a>'
    metadata = {"id": "view-in-github", "colab_type": "text"}
    notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": metadata, "source": [button]})
    return notebook


def of_visual_studio_code():
    notebook = saved(nbformat_minor=2, metadata={"interpreter": {"hash": "31f2"}, "orig_nbformat": 4})
    for cell in notebook["cells"]:
        del cell["id"]
        cell["metadata"] = {"vscode": {"languageId": "python"}}
        cell["source"] = [line.replace("\n", "\r\n") for line in cell["source"]]
    return notebook


def of_old_jupyter():
    notebook = saved(nbformat_minor=2)
    for cell in notebook["cells"]:
        del cell["id"]
        if cell["cell_type"] == "code":
            cell["metadata"] = {"collapsed": False, "scrolled": True}
    return notebook


def without_ids():
    notebook = of_old_jupyter()
    return notebook | {"nbformat_minor": 5}


def without_metadata():
    return saved(metadata={})


def of_a_kernel_elsewhere():
    """Saved by a kernel of another name, with its version of Python, its times and widgets."""
    info = {**METADATA["language_info"], "version": "3.13.1"}
    kernel = {"name": "conda-env-x", "display_name": "x", "language": "python"}
    notebook = saved(metadata={"kernelspec": kernel, "language_info": info, "widgets": {}, "toc": {}})
    notebook["cells"][3]["metadata"] = {"execution": {"iopub.status.busy": "2026-01-01"}, "trusted": True}
    return notebook


def of_nbformat_3():
    notebook = saved()
    text, *code = notebook["cells"]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text["source"]}]
    for number, cell in enumerate(code, start=1):
        cells.append(
            {
                "cell_type": "code",
                "collapsed": False,
                "input": cell["source"],
                "language": "python",
                "metadata": {},
                "outputs": [],
                "prompt_number": number,
            }
        )
    cells[3]["outputs"] = [{"output_type": "stream", "stream": "stdout", "text": ["1\n"]}]
    cells[4]["outputs"] = [{"output_type": "pyout", "prompt_number": 4, "metadata": {}, "text": ["2"]}]
    sheets = [{"cells": cells, "metadata": {}}]
    return {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": sheets}


EDITORS = [
    of_colab,
    of_visual_studio_code,
    of_old_jupyter,
    without_ids,
    without_metadata,
    of_a_kernel_elsewhere,
    of_nbformat_3,
]


def run(command, path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["notebooks", command, str(path)])
    notebooks.main()


@pytest.mark.parametrize("editor", EDITORS)
def test_a_notebook_of_any_editor_is_brought_into_form_with_its_text_code_and_outputs(
    editor, tmp_path, monkeypatch
):
    path = tmp_path / "09_a_lesson.ipynb"
    path.write_text(json.dumps(editor()), encoding="utf-8")
    run("form", path, monkeypatch)
    written = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(written)
    notebook = read_lesson(path)
    assert problems(notebook, path) == []
    expected = nbformat.from_dict(saved())
    assert [cell.source for cell in notebook.cells] == ["".join(cell.source) for cell in expected.cells]
    assert notebook.cells[3].outputs[0].text == "1\n"
    assert (
        notebook.cells[4].outputs[0].data == {"text/plain": "2"}
        and notebook.cells[4].outputs[0].metadata == {}
    )
    assert "\r" not in path.read_text(encoding="utf-8")
    assert [cell.metadata for cell in notebook.cells] == [{}, FOLDED_SOURCE, {"tags": ["parameters"]}, {}, {}]


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("import os\nfrom a import b", True),
        ('predict(\n    "0.a", "Which?", ["one", "two"])', True),
        ("import os\nprint(os.name)", False),
        ("from a import b\n%matplotlib inline", False),
        ("", False),
    ],
)
def test_the_source_of_imports_and_of_predictions_is_folded(source, folded):
    notebook = new_notebook(cells=[new_code_cell(first_cell()), new_code_cell(source)])
    normalise(notebook, lessons()[0])
    assert notebook.cells[1].metadata == (FOLDED_SOURCE if folded else {})


def test_a_notebook_of_colab_is_executed_and_committed(tmp_path, monkeypatch):
    path = tmp_path / "09_a_lesson.ipynb"
    path.write_text(json.dumps(of_colab()), encoding="utf-8")
    run("commit", path, monkeypatch)
    assert problems(read_lesson(path), path) == []


def test_a_notebook_without_the_first_cell_gets_one_and_keeps_its_own(tmp_path):
    path = tmp_path / "09_a_lesson.ipynb"
    for cells in ([new_code_cell("import mine")], [new_markdown_cell("# A")]):
        notebook = new_notebook(cells=cells)
        normalise(notebook, path)
        assert first_cell() in [cell.source for cell in notebook.cells]
        assert cells[-1].source in [cell.source for cell in notebook.cells]
        normalise(notebook, path)
        assert [cell.source for cell in notebook.cells].count(first_cell()) == 1


def test_a_lesson_is_exported_as_a_python_file(path, notebook):
    _, resources = ScriptExporter().from_notebook_node(notebook)
    assert resources["output_extension"] == ".py"


def test_bad_input_is_answered_with_a_sentence_and_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "09_a_lesson.ipynb"
    path.write_text("<<<<<<< HEAD", encoding="utf-8")
    for command in ("commit", "form", "hints"):
        with pytest.raises(SystemExit, match="Expected a notebook with cells in"):
            run(command, path, monkeypatch)
        with pytest.raises(SystemExit, match="Expected a notebook, found no file"):
            run(command, tmp_path / "none.ipynb", monkeypatch)
    assert path.read_text(encoding="utf-8") == "<<<<<<< HEAD"
