"""Cards: check results, hints, solutions and progress as small HTML boxes, and as plain text."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Result
from helpers.exercises.trial import Comparison
from helpers.theme import FAILED, NOT_ATTEMPTED, NOTE, PASSED

PICTURE_SIZE = 5  # rows and columns of a matrix that a card shows

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
    picture: str = ""  # HTML, below the first paragraph

    def __repr__(self) -> str:
        return "\n".join([self.heading, *self.paragraphs, *([self.code] if self.code else [])])

    def _repr_html_(self) -> str:
        paragraphs = [
            re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text)) for text in self.paragraphs
        ]
        boxes = [f"<p style='margin:4px 0;white-space:pre-wrap'>{text}</p>" for text in paragraphs]
        body = "".join([*boxes[:1], self.picture, *boxes[1:]])
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
    heading = f"{sign} {exercise.id} {word}: {exercise.title}"
    help = f'hint("{exercise.id}")', f'solution("{exercise.id}")'
    if result.status == "not attempted":
        message = [result.message] if result.message else []
        return Card(" · ".join([heading, *help]), message + result.notes, colour, result.printed)
    if result.status == "passed":
        return Card(heading, ["The cells below use your function.", *result.notes], colour, result.printed)
    message = result.message if result.diagnosis is None else f"{result.diagnosis}: {result.message}"
    next_step = (
        f"{help[0]} gives a hint, {help[1]} shows a solution. "
        "Until your function passes, the cells below use the reference solution."
    )
    picture = difference_picture(result.comparison) if result.comparison else ""
    return Card(heading, [message, next_step, *result.notes], colour, result.printed, picture)


def difference_picture(comparison: Comparison) -> str:
    """Return small tables of what is expected, of an output and of their difference, as HTML.

    They show the matrix around the first wrong entry, wrong entries underlined. Empty for single
    numbers and for outputs of another shape.
    """
    expected, output = comparison.expected, comparison.observed
    if not isinstance(output, Tensor) or output.shape != expected.shape or expected.ndim == 0:
        return ""
    output = output.detach().to(expected)
    wrong = ~torch.isclose(
        output, expected, atol=comparison.tolerance, rtol=comparison.tolerance, equal_nan=True
    )
    first = wrong.nonzero()[0].tolist()
    starts = [max(0, min(i - PICTURE_SIZE // 2, n - PICTURE_SIZE)) for i, n in zip(first, expected.shape)]
    window = (*first[:-2], *(slice(start, start + PICTURE_SIZE) for start in starts[-2:]))
    names = comparison.axes.split()
    places = [f"{name}={i}" for name, i in zip(names, first[:-2])]
    ranges = [
        f"{name} {part.start} to {min(part.stop, n) - 1}"
        for name, part, n in zip(names[-2:], window[-2:], expected.shape[-2:])
    ]
    tables = "".join(
        _table(title, numbers[window], wrong[window])
        for title, numbers in (("expected", expected), ("yours", output), ("difference", output - expected))
    )
    place = html.escape(", ".join([*places, *ranges]))
    return (
        f"<div style='display:flex;flex-wrap:wrap;gap:20px'>{tables}</div><p style='margin:4px 0'>{place}</p>"
    )


def _table(title: str, numbers: Tensor, wrong: Tensor) -> str:
    """Return a matrix, or a vector as one row, as an HTML table."""
    rows = zip(numbers.reshape(-1, numbers.shape[-1]).tolist(), wrong.reshape(-1, wrong.shape[-1]).tolist())
    cells = (
        "".join(
            f"<td style='text-align:right'>{_number(number, is_wrong, title)}</td>"
            for number, is_wrong in zip(*row)
        )
        for row in rows
    )
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table style='color:inherit;font-size:13px;margin:4px 0'><caption style='text-align:left;color:inherit'>{title}</caption><tbody>{body}</tbody></table>"


def _number(number: float, is_wrong: bool, title: str) -> str:
    if title == "difference" and not is_wrong:
        return "·"
    text = "0" if abs(number) < 1e-20 else f"{number:.3g}"  # what underflow leaves
    return f"<b><u>{text}</u></b>" if is_wrong and title != "expected" else text


def progress_card(exercises: list[Exercise], passed: set[str], note: str, more: Sequence[str] = ()) -> Card:
    """Return the card with one line per lesson: a bar, and how many of its exercises passed.

    ``passed`` are the exercises' names; ``more`` lines follow.
    """
    lessons = sorted({exercise.id.split(".")[0] for exercise in exercises}, key=int)
    lines = []
    for lesson in lessons:
        names = [exercise.name for exercise in exercises if exercise.id.split(".")[0] == lesson]
        done = sum(name in passed for name in names)
        lines.append(f"Lesson {lesson}  {'■' * done}{'□' * (len(names) - done)}  {done} of {len(names)}")
    return Card("Your progress", [*lines, *more, *([note] if note else [])])
