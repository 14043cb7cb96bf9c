"""Every lesson: the form it is committed in, its exercises, and a run in every state and on another model."""

import re
import subprocess
import sys

import nbformat
import pytest

from helpers.build.committed_form import badge, problems
from helpers.build.lesson_files import ROOT, exercise_of, lessons, read_lesson
from helpers.build.lesson_runs import execute, in_state, statuses
from helpers.exercises import all_exercises, get
from tests.forms import in_other_forms
from tests.hub import LARGE_MODEL, on_model, save_gpt2, save_llama, serve, word_tokenizer
from tests.names import shared_names

ON_LLAMA = (
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "07",
    "08",
)  # lessons for rotary positions and shared keys, too
LESSONS = pytest.mark.parametrize("path", lessons(), ids=[path.stem for path in lessons()])


def ids_of(path):
    return [exercise_of(cell) for cell in read_lesson(path).cells if exercise_of(cell)]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The folder of a small random Llama with the course's tokenizer."""
    return save_llama(tmp_path_factory.mktemp("models") / "llama")


@LESSONS
def test_a_lesson_is_in_the_form_it_is_committed_in(path):
    assert problems(read_lesson(path), path) == []
    assert path.stat().st_size < 3e6
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/\w", text)


@pytest.mark.parametrize(("state", "status"), [("solved", "passed"), ("wrong", "failed")])
def test_the_command_runs_a_lesson_with_answers(state, status):
    path = lessons()[0]
    command = [sys.executable, "-m", "helpers.build.notebooks", "run", str(path), "--as", state]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    results = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert results == dict.fromkeys(ids_of(path), status)


@LESSONS
def test_a_solved_lesson_runs_in_other_forms_with_every_cell_run_twice(path, llama):
    """An answer that a check accepts works in every later cell; as shipped, run once: nbval."""
    notebook = in_other_forms(in_state(read_lesson(path), "solved"))
    if path.stem.startswith(LARGE_MODEL):
        on_model(notebook, llama)
    notebook.cells = [
        nbformat.from_dict({**cell, "id": f"{cell.id}-{time}"})
        for cell in notebook.cells
        for time in ((1, 2) if cell.cell_type == "code" else (1,))
    ]
    assert statuses(execute(notebook)) == dict.fromkeys(ids_of(path), "passed")


@LESSONS
def test_a_cell_that_runs_again_finds_what_it_found(path):
    """A name that a cell reads is bound by one other cell only: no later cell has put something else under it."""
    assert shared_names(read_lesson(path).cells) == []


def test_shared_names_are_found():
    sources = [
        "a = 1\nfor b in [2]:\n    c = b",
        "print(a, f'{b}')\nb = 3",
        "d = lambda b: b + a",
        "import a",
    ]
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    assert shared_names(cells) == [
        ("cell-1", "a", ["cell-0", "cell-3"]),
        ("cell-1", "b", ["cell-0", "cell-1"]),
        ("cell-2", "a", ["cell-0", "cell-3"]),
    ]


def test_every_exercise_stands_in_its_lesson_in_three_cells():
    ids = []
    for path in lessons():
        cells = read_lesson(path).cells
        for above, cell, below in zip(cells, cells[1:], cells[2:]):
            if exercise_of(cell):
                ids.append(exercise_of(cell))
                exercise = get(ids[-1])
                heading = f"### exercise {exercise.id} · {exercise.title}".lower()
                assert heading in above.source.lower().replace("`", "")
                difficulty = f"{'●' * exercise.difficulty:○<3}"
                assert f"⏱ {exercise.minutes} minutes · difficulty {difficulty}" in above.source
                assert "raise NotImplementedError" in cell.source
                assert below.source == f"check({exercise.reference.__name__})"
                assert f"def {exercise.reference.__name__}(" in cell.source
    assert ids == [exercise.id for exercise in all_exercises()]


@LESSONS
def test_nbval_really_compares_some_outputs(path):
    cells = read_lesson(path).cells
    tagged = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    compared = [cell for cell in tagged if cell.outputs and cell.execution_count]
    assert len(compared) >= len(ids_of(path)) + 1
    assert len(compared) == len(tagged)


@LESSONS
def test_no_cell_is_longer_than_a_screen(path):
    code = [cell for cell in read_lesson(path).cells if cell.cell_type == "code"]
    shown = [cell for cell in code if "jupyter" not in cell.metadata]  # the source of others is folded
    assert max(len(cell.source.splitlines()) for cell in shown) <= 16


@LESSONS
def test_badge_and_links_of_a_lesson(path):
    cells = [cell for cell in read_lesson(path).cells if cell.cell_type == "markdown"]
    assert badge(path) in cells[0].source and "minutes" in cells[0].source
    text = "\n".join(cell.source for cell in cells)
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (path.parent / target).exists(), target
    anchors = {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.*)", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


@pytest.fixture(scope="module")
def hub_with_gpt2(tmp_path_factory):
    """A hub whose gpt2 is small and random, with a tokenizer that is not the course's."""
    folder = tmp_path_factory.mktemp("hub")
    save_gpt2(folder / "gpt2", word_tokenizer(), n_layer=3, n_head=4, n_embd=48, n_positions=256)
    with serve(folder) as address:
        yield address


@pytest.mark.parametrize("path", lessons()[1:], ids=[path.stem for path in lessons()[1:]])
def test_a_lesson_with_wrong_answers_runs_on_another_model(path, hub_with_gpt2, llama, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub_with_gpt2)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    name = llama if path.stem.startswith(LARGE_MODEL) else "gpt2-small"
    notebook = on_model(in_state(read_lesson(path), "wrong"), name)
    assert statuses(execute(notebook)) == dict.fromkeys(ids_of(path), "failed")


@pytest.mark.parametrize("number", ON_LLAMA)
def test_a_lesson_runs_on_rotary_positions_and_shared_keys(number, llama):
    path = next(path for path in lessons() if path.stem.startswith(number))
    notebook = on_model(read_lesson(path), llama)
    for cell in notebook.cells:  # toys, which are the same on every model, train a tenth as long
        cell.source = re.sub(r"^(STEPS\b.* = \d+)0\b", r"\1", cell.source, flags=re.MULTILINE)
    assert statuses(execute(notebook)) == dict.fromkeys(ids_of(path), "not attempted")
