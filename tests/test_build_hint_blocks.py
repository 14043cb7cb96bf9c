"""Hints in the notebooks: those of the modules, in folded blocks that can be written again and again."""

import html
import re
import shutil
import sys
from pathlib import Path

import pytest
from nbconvert.filters import markdown2html
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build import notebooks
from helpers.build.hint_blocks import outdated_hints, with_hints, write_hints
from helpers.build.lesson_files import exercise_of, lessons, read_lesson
from helpers.exercises import all_exercises, get

BLOCKS = """\
<details><summary>Hint 1</summary>

{}

</details>

<details><summary>Hint 2</summary>

{}

</details>"""


@pytest.mark.parametrize("path", lessons(), ids=[path.stem for path in lessons()])
def test_the_hints_of_a_lesson_are_those_of_its_exercise_modules(path):
    assert outdated_hints(read_lesson(path)) == [], "run python -m helpers.build.notebooks hints"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Do it.", "Do it.\n\n{}"),
        ("Do it.\n\n<details><summary>Hint</summary>\n\nOld.\n\n</details>", "Do it.\n\n{}"),
        (
            "Do it.\n\n<details><summary>Hint</summary>\n\nOld.\n\n</details>\n\nThen.",
            "Do it.\n\n{}\n\nThen.",
        ),
        (
            "<details><summary>Hint 1</summary>\n\nOld.\n\n</details>\n\n"
            "<details><summary>Hint 2</summary>\n\nOlder.\n\n</details>\n",
            "{}",
        ),
        (
            "<details><summary>More</summary>\n\nKept.\n\n</details>",
            "<details><summary>More</summary>\n\nKept.\n\n</details>\n\n{}",
        ),
    ],
)
def test_blocks_are_replaced_or_added_and_the_rest_is_kept(before, after):
    exercise = next(exercise for exercise in all_exercises() if len(exercise.hints) == 2)
    text = with_hints(before, exercise)
    assert text == after.format(BLOCKS.format(*exercise.hints))
    assert with_hints(text, exercise) == text


def test_writing_the_hints_changes_only_the_cells_above_exercise_cells():
    before, notebook = read_lesson(lessons()[0]), read_lesson(lessons()[0])
    above = [index - 1 for index, cell in enumerate(before.cells) if exercise_of(cell)]
    for index in above:
        notebook.cells[index].source = notebook.cells[index].source.partition("<details>")[0]
    assert outdated_hints(notebook) == [exercise_of(before.cells[index + 1]) for index in above]
    write_hints(notebook)
    assert outdated_hints(notebook) == []
    for index, (cell, written) in enumerate(zip(before.cells, notebook.cells)):
        exercise_id = exercise_of(before.cells[index + 1]) if index in above else None
        expected = with_hints(cell.source, get(exercise_id)) if exercise_id else cell.source
        assert written == {**cell, "source": expected}


def test_hints_are_written_into_text_only():
    exercise = '@exercise("0.1")\ndef f(x):\n    raise NotImplementedError'
    notebook = new_notebook(cells=[new_code_cell("%%time"), new_code_cell(exercise)])
    write_hints(notebook)
    assert [cell.source for cell in notebook.cells] == ["%%time", exercise]


def test_the_command_writes_the_hints_of_a_notebook_without_a_run(tmp_path, monkeypatch):
    path = Path(shutil.copy(lessons()[0], tmp_path))
    before = read_lesson(path)
    monkeypatch.setattr(sys, "argv", ["notebooks", "hints", str(path)])
    notebooks.main()
    after = read_lesson(path)
    assert outdated_hints(after) == []
    write_hints(before)
    assert after == before


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.id)
def test_a_notebook_shows_a_hint_as_it_is_written(exercise):
    """Markdown outside backticks, such as `*` or `$`, would be formatted there and not on the card."""
    for hint in exercise.hints:
        shown = html.unescape(re.sub(r"<[^>]+>", "", markdown2html(hint)))
        assert shown.strip() == hint.replace("`", "")
        assert "$" not in hint
