"""Cards: check results, hints, solutions and progress as small HTML boxes, and as plain text."""

import html
import re
from dataclasses import dataclass

from helpers.exercises.engine import Exercise, Result
from helpers.theme import FAILED, NOT_ATTEMPTED, NOTE, PASSED

SIGNS = {
    "passed": ("✔", "Passed", PASSED),
    "failed": ("✘", "Not yet", FAILED),
    "not attempted": ("○", "Not attempted", NOT_ATTEMPTED),
}


@dataclass
class Card:
    """A heading and paragraphs with a coloured edge, readable on light and on dark themes."""

    heading: str
    paragraphs: list[str]
    colour: str = NOTE
    code: str = ""

    def __repr__(self) -> str:
        return "\n".join([self.heading, *self.paragraphs, *([self.code] if self.code else [])])

    def _repr_html_(self) -> str:
        paragraphs = [
            re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text)) for text in self.paragraphs
        ]
        body = "".join(f"<p style='margin:4px 0;white-space:pre-wrap'>{text}</p>" for text in paragraphs)
        code = (
            f"<pre style='margin:6px 0;overflow-x:auto'>{html.escape(self.code)}</pre>" if self.code else ""
        )
        return (
            f"<div role='status' class='tex2jax_ignore' style='border-left:5px solid {self.colour};padding:4px 12px;margin:6px 0'>"
            f"<strong>{html.escape(self.heading)}</strong>{body}{code}</div>"
        )


def result_card(result: Result) -> Card:
    """Return the card that shows the result of a check."""
    sign, word, colour = SIGNS[result.status]
    exercise = result.exercise
    paragraphs = []
    if result.status == "failed":
        paragraphs.append(
            result.message if result.diagnosis is None else f"{result.diagnosis}: {result.message}"
        )
    if result.status == "passed":
        paragraphs.append("The cells below use your function.")
    else:
        if result.status == "not attempted":
            paragraphs.append(
                f"Replace `raise NotImplementedError` in {exercise.name}, then run that cell and this one again."
            )
        paragraphs.append(f'hint("{exercise.id}") gives a hint, solution("{exercise.id}") shows a solution.')
        paragraphs.append("Until your function passes, the cells below use the reference solution.")
    return Card(
        f"{sign} {exercise.id} {word}: {exercise.title}", paragraphs + result.notes, colour, result.printed
    )


def progress_card(exercises: list[Exercise], passed: set[str], note: str) -> Card:
    """Return the card with one line per lesson: a bar, and how many of its exercises passed.

    ``passed`` are the exercises' names.
    """
    lessons = sorted({exercise.id.split(".")[0] for exercise in exercises}, key=int)
    lines = []
    for lesson in lessons:
        names = [exercise.name for exercise in exercises if exercise.id.split(".")[0] == lesson]
        done = sum(name in passed for name in names)
        lines.append(f"Lesson {lesson}  {'■' * done}{'□' * (len(names) - done)}  {done} of {len(names)}")
    return Card("Your progress", lines + ([note] if note else []))
