"""The committed form: brought about, and every way out of it noticed."""

import nbformat
import pytest

from helpers import __repository__
from helpers.build.committed_form import badge, first_cell, normalise, problems
from helpers.build.lesson_files import figures_of, lessons, read_lesson


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
    notebook.cells[1].source = "pass"
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
        (lambda nb: figures_of(nb.cells)[0].pop("image/png"), "no static image"),
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
