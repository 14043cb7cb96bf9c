"""Predictions: a question with choices before a measurement, and what the run says after it.

The choice is kept in the progress file. No choice is needed to go on. The answer is computed by the
cell that measures, so it also holds for another model. A lesson's ``predictions.py`` holds a line
for each option, which the reveal shows.
"""

import html
import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
from IPython import get_ipython
from IPython.display import display

from helpers.exercises import progress_file
from helpers.exercises.cards import Card
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import FAILED, NOTE, PASSED

SURENESS = ("a guess", "likely", "sure")


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
        text = f"<b>Predict.</b> {_escaped(self.text)}"
        if "google.colab" not in sys.modules:  # its frames show the buttons, and no style that hides the list
            text += f"<ul class='prediction-options'>{options}</ul>"
        return {"text/html": f"<div class='{VERBATIM_CLASSES}'>{text}</div>", "text/plain": repr(self)}


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
    if get_ipython():  # by itself, so that a saved lesson shows the question without a kernel
        display(_form(asked), metadata={"prediction": id})


class _Form(widgets.VBox):
    """Buttons; their text stands in a saved lesson that is opened again."""

    def __repr__(self) -> str:
        return "Run this cell to see or change your choice."


def _form(asked: Question) -> _Form:
    """Return the buttons of a question; what was chosen before is chosen.

    A choice that is made after the run has answered is not kept.
    """
    before = progress_file.predictions().get(asked.id, {})
    choice = before.get("choice") if before.get("choice") in asked.options else None
    wide = widgets.Layout(width="auto", max_width="700px")
    buttons = widgets.RadioButtons(options=asked.options, value=choice, layout=wide)
    sureness = widgets.ToggleButtons(options=SURENESS, value=before.get("sureness", SURENESS[1]))
    sureness.style.button_width = "80px"
    note = widgets.HTML()

    def keep(change):
        if buttons.value is None:
            return
        if "answer" in progress_file.predictions().get(asked.id, {}):
            note.value = "Not counted: the run has answered."
            return
        entry = dict(choice=buttons.value, sureness=sureness.value)
        note.value = html.escape(progress_file.record_prediction(asked.id, **entry) or "Kept.")

    buttons.observe(keep, "value")
    sureness.observe(keep, "value")
    return _Form([buttons, widgets.HBox([widgets.Label("How sure?"), sureness, note])])


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
    ✘ on the diagonal: ...
    """
    asked = _questions.get(id)
    if asked is None:
        text = f'The question was not asked. Run the cell above that begins with predict and holds "{id}".'
        return display(Card(f"{id}: the run says “{answer}”", [text]))
    if answer is None:
        return display(Card(f"{id}: this model gives no answer", []), metadata={"prediction": id})
    if answer not in asked.options:
        raise ValueError(f"expected an answer among {', '.join(asked.options)} for {id}, got {answer!r}.")
    before = progress_file.predictions().get(id, {})
    choice, sureness = before.get("choice"), before.get("sureness")
    # the first answer counts: a choice may not follow it, and another model may give another
    note = "" if "answer" in before else progress_file.record_prediction(id, answer=answer)
    if choice is None:
        said, colour = "You made no prediction.", NOTE
    elif choice == answer:
        said, colour = f"You said so, too: “{choice}” ({sureness}).", PASSED
    else:
        said, colour = f"You said “{choice}” ({sureness}).", FAILED
    marked = {option: "✔" if option == answer else "✘" for option in asked.options}
    lines = [f"{mark} {option}: {explanations(id).get(option, '')}" for option, mark in marked.items()]
    card = Card(f"{id}: the run says “{answer}”", [said, *lines, *([note] if note else [])], colour)
    chosen = {} if choice is None else {"choice": choice}
    display(card, metadata={"prediction": id, "answer": answer, **chosen})


def calibration(predictions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a line per degree of sureness: how many revealed predictions were right.

    >>> calibration({"0.a": {"choice": "x", "sureness": "sure", "answer": "x"}})
    ['Predictions, sure: 1 of 1 right']
    """
    revealed = [entry for entry in predictions.values() if {"answer", "choice"} <= entry.keys()]
    lines = []
    for sureness in SURENESS:
        right = [entry["choice"] == entry["answer"] for entry in revealed if entry["sureness"] == sureness]
        if right:
            lines.append(f"Predictions, {sureness}: {sum(right)} of {len(right)} right")
    return lines
