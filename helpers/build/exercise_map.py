"""The map of the exercises in ``notebooks/index.md``, with minutes and difficulty."""

import re

from nbformat import NotebookNode

from helpers.build.lesson_files import ROOT, exercise_of, lessons, read_lesson
from helpers.exercises import all_exercises, number

INDEX = ROOT / "notebooks" / "index.md"
START = "<!-- The map, written by `python -m helpers.build.notebooks index`. -->"
END = "<!-- End of the map. -->"


def with_map(text: str) -> str:
    """Return the index with the map of the exercises written again between its two markers."""
    return f"{text.partition(START)[0]}{START}\n\n{exercise_map()}\n{END}{text.partition(END)[2]}"


def exercise_map() -> str:
    """Return the table of all exercises, lesson by lesson."""
    rows, lesson_minutes = ["| id | exercise | minutes | difficulty |", "| --- | --- | --- | --- |"], 0
    for path in lessons():
        notebook, lesson = read_lesson(path), int(path.name[:2])
        head = re.search(r"^# \d+ · (.+)(?s:.*?)about (\d+) minutes", notebook.cells[0].source)
        if not head:
            raise ValueError(
                f'Expected a title and "about N minutes" in the first cell of {path.name}, got '
                f"{notebook.cells[0].source[:80]!r}. Write them there."
            )
        exercises = [exercise for exercise in all_exercises() if number(exercise.id)[0] == lesson]
        title = f"**[{head[1]}]({path.name})**, {len(exercises)} exercises in about {head[2]} minutes"
        rows.append(f"| **{lesson}** | {title} | **{sum(exercise.minutes for exercise in exercises)}** | |")
        sections = _sections(notebook)
        for exercise in exercises:
            link = f"[{exercise.title}]({path.name}#{sections[exercise.id]})"
            rows.append(f"| {exercise.id} | {link} | {exercise.minutes} | {'●' * exercise.difficulty:○<3} |")
        lesson_minutes += int(head[2])
    everything = f"{len(all_exercises())} exercises in about {lesson_minutes} minutes"
    total = sum(exercise.minutes for exercise in all_exercises())
    return "\n".join([*rows, f"| **all** | {everything} | **{total}** | |"]) + "\n"


def _sections(notebook: NotebookNode) -> dict[str, str]:
    """Return the anchor of the section that holds each exercise: exercise id → anchor."""
    anchors, section = {}, ""
    for cell in notebook.cells:
        exercise_id = exercise_of(cell)
        if exercise_id:
            anchors[exercise_id] = section
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^#+ (?!Exercise )(.+)", cell.source, re.MULTILINE):
                section = heading.replace(" ", "-")
    return anchors
