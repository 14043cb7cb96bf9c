"""Lessons as files: their order, and which cells are exercises."""

from nbformat.v4 import new_code_cell, new_markdown_cell

from helpers.build.lesson_files import exercise_of, figures_of, lessons, outputs_of, read_lesson


def test_the_lessons_are_numbered_from_0_without_a_gap():
    assert [int(path.name[:2]) for path in lessons()] == list(range(len(lessons())))


def test_an_exercise_cell_is_code_with_the_decorator_at_the_start_of_a_line():
    line = '@exercise("1.10")\ndef f(x):\n    return x'
    assert exercise_of(new_code_cell(f"def g(x):\n    return x\n\n\n{line}")) == "1.10"
    assert exercise_of(new_code_cell(f"# {line}")) is None
    assert exercise_of(new_markdown_cell(line)) is None


def test_figures_are_outputs_with_plotly_data():
    notebook = read_lesson(lessons()[0])
    figures = figures_of(notebook.cells)
    assert 0 < len(figures) < len(outputs_of(notebook.cells))
    assert all("data" in figure["application/vnd.plotly.v1+json"] for figure in figures)
