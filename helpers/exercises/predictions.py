"""Predictions: a question with choices before a measurement, and what the run says after it.

The choice is kept in the progress file. No choice is needed to go on. The answer is computed by the
cell that measures, so it also holds for another model. A lesson's ``predictions.py`` holds a line
for each option, which the reveal shows.
"""

import html
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
from IPython.display import display

from helpers.exercises import progress_file
from helpers.exercises.cards import Card
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import FAILED, NOTE, PASSED

SURENESS = ("a guess", "likely", "sure")
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True, repr=False)
class Question:
    """A question and its options."""

    id: str
    text: str
    options: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([f"Predict ({self.id}). {self.text}", *(f"○ {option}" for option in self.options)])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        options = "".join(f"<li>{_escaped(option)}</li>" for option in self.options)
        page = (
            f"<div class='{VERBATIM_CLASSES}'><b>Predict.</b> {_escaped(self.text)}<ul>{options}</ul></div>"
        )
        view = {"version_major": 2, "version_minor": 0, "model_id": _form(self).model_id}
        return {WIDGET: view, "text/html": page, "text/plain": repr(self)}


_questions: dict[str, Question] = {}  # id → the question that was asked last


def predict(id: str, question: str, options: Sequence[str]) -> None:
    """Ask for a prediction; a click on an option keeps it.

    Raises ``ValueError`` for fewer than two options.

    >>> predict("0.a", "Where is the pattern dark?", ["on the diagonal", "one step below it"])
    Predict (0.a). Where is the pattern dark?
    ○ on the diagonal
    ○ one step below it
    """
    if len(options) < 2:
        raise ValueError(f"expected two options or more for {id}, got {len(options)}.")
    asked = _questions[id] = Question(id, question, tuple(options))
    display(asked, metadata={"prediction": id})


def _form(asked: Question) -> widgets.VBox:
    """Return the question with its buttons; what was chosen before is chosen."""
    before = progress_file.predictions().get(asked.id, {})
    choice = before.get("choice") if before.get("choice") in asked.options else None
    wide = widgets.Layout(width="auto", max_width="700px")
    buttons = widgets.RadioButtons(options=asked.options, value=choice, layout=wide)
    sureness = widgets.ToggleButtons(options=SURENESS, value=before.get("sureness", SURENESS[1]))
    sureness.style.button_width = "80px"
    note = widgets.HTML()

    def keep(change):
        if buttons.value is not None:
            entry = dict(choice=buttons.value, sureness=sureness.value)
            note.value = html.escape(progress_file.record_prediction(asked.id, **entry) or "Kept.")

    buttons.observe(keep, "value")
    sureness.observe(keep, "value")
    question = widgets.HTML(f"<b>Predict.</b> {_escaped(asked.text)}", layout=wide)
    return widgets.VBox([question, buttons, widgets.HBox([widgets.Label("How sure?"), sureness, note])])


def _escaped(text: str) -> str:
    """Return a text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def explanations(id: str) -> dict[str, str]:
    """Return the line for each option of a question: why it is right, or plausible and wrong.

    >>> list(explanations("0.a"))
    ['on the diagonal', 'one step below the diagonal', 'in the first column']
    """
    lesson = importlib.import_module(f"helpers.exercises.lesson_{id.split('.')[0]:>02}.predictions")
    return lesson.EXPLANATIONS.get(id, {})


def reveal(id: str, answer: str | None) -> None:
    """Show what the run says beside what was predicted; ``answer`` is the text of an option.

    None: the question makes no sense for this model.

    Raises ``ValueError`` for an answer that is no option.

    >>> predict("0.a", "Where?", ["on the diagonal", "one step below the diagonal"])
    Predict (0.a). ...
    >>> reveal("0.a", "one step below the diagonal")
    0.a: the run says “one step below the diagonal”
    You made no prediction.
    on the diagonal: ...
    """
    asked = _questions.get(id)
    if asked is None:
        text = (
            f'The run says “{answer}”. The question was not asked: run its cell, which holds predict("{id}".'
        )
        return display(Card(f"{id}: the run says “{answer}”", [text]))
    if answer is None:
        return display(Card(f"{id}: this model gives no answer", []), metadata={"prediction": id})
    if answer not in asked.options:
        raise ValueError(f"expected an answer among {', '.join(asked.options)} for {id}, got {answer!r}.")
    choice = progress_file.predictions().get(id, {}).get("choice")
    note = progress_file.record_prediction(id, answer=answer) if choice else ""
    if choice is None:
        said, colour = "You made no prediction.", NOTE
    elif choice == answer:
        said, colour = f"You said so, too: “{choice}”.", PASSED
    else:
        said, colour = f"You said “{choice}”.", FAILED
    explained = explanations(id)
    lines = [f"{option}: {explained[option]}" for option in asked.options if option in explained]
    card = Card(f"{id}: the run says “{answer}”", [said, *lines, *([note] if note else [])], colour)
    display(card, metadata={"prediction": id})


def calibration(predictions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a line per degree of sureness: how many revealed predictions were right.

    >>> calibration({"0.a": {"choice": "x", "sureness": "sure", "answer": "x"}})
    ['Predictions, sure: 1 of 1 right']
    """
    revealed = [entry for entry in predictions.values() if "answer" in entry]
    lines = []
    for sureness in SURENESS:
        right = [entry["choice"] == entry["answer"] for entry in revealed if entry["sureness"] == sureness]
        if right:
            lines.append(f"Predictions, {sureness}: {sum(right)} of {len(right)} right")
    return lines
