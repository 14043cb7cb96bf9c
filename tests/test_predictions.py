"""Predictions: a choice is kept, never needed, and compared with what the run says."""

import ast
import re

import pytest

from helpers.build.lesson_files import lessons, read_lesson
from helpers.exercises import predict, predictions, progress_file, reveal
from helpers.exercises.predictions import calibration, explanations

OPTIONS = ["one <b>", "two"]
EXPLAINED = {"one <b>": "It is one.", "two": "It is not two."}


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """What was displayed."""
    outputs = []
    monkeypatch.setattr(predictions, "display", lambda output, metadata=None: outputs.append(output))
    monkeypatch.setattr(predictions, "explanations", lambda id: EXPLAINED)
    return outputs


def ask(shown):
    """Show a question; return its output and its widgets: buttons, and how sure."""
    predict("0.a", "Which <i>?", OPTIONS)
    buttons, row = predictions._form(shown[-1]).children
    return shown[-1]._repr_mimebundle_(), buttons, row.children[1]


def said(shown, answer="two"):
    """The text of the card that reveals an answer."""
    reveal("0.a", answer)
    return repr(shown[-1])


def test_a_choice_is_kept_with_how_sure_it_was(shown):
    _, buttons, sureness = ask(shown)
    assert buttons.value is None and progress_file.predictions() == {}
    buttons.value, sureness.value = "two", "sure"
    assert progress_file.predictions() == {"0.a": {"choice": "two", "sureness": "sure"}}
    assert ask(shown)[1].value == "two" and ask(shown)[2].value == "sure"


def test_a_choice_among_former_options_is_none(shown):
    progress_file.record_prediction("0.a", choice="three", sureness="sure")
    assert ask(shown)[1].value is None


def test_a_saved_question_that_is_opened_again_shows_no_code(shown):
    ask(shown)
    assert repr(predictions._form(shown[-1])) == "Run this cell to see or change your choice."


def test_the_question_is_readable_without_widgets_and_shown_verbatim(shown):
    data, *_ = ask(shown)
    assert data["text/plain"] == "Predict (0.a). Which <i>?\n○ one <b>\n○ two"
    assert "Which &lt;i&gt;?" in data["text/html"] and "<li>one &lt;b&gt;</li>" in data["text/html"]


def test_the_reveal_names_choice_answer_and_explanations(shown):
    _, buttons, _ = ask(shown)
    buttons.value = "one <b>"
    assert said(shown) == (
        "0.a: the run says “two”\nYou said “one <b>” (likely).\n✘ one <b>: It is one.\n✔ two: It is not two."
    )
    assert progress_file.predictions()["0.a"]["answer"] == "two"
    assert "You said so, too: “one <b>” (likely)." in said(shown, "one <b>")
    assert progress_file.predictions()["0.a"]["answer"] == "two"  # the first run's


def test_a_choice_after_the_reveal_is_not_counted(shown):
    _, buttons, row = ask(shown)[0], *predictions._form(shown[-1]).children
    assert said(shown).startswith("0.a: the run says “two”\nYou made no prediction.")
    buttons.value = "two"
    assert row.children[2].value == "Not counted: the run has answered."
    assert calibration(progress_file.predictions()) == []


def test_an_answer_that_is_no_option_is_refused(shown):
    ask(shown)
    with pytest.raises(ValueError, match="expected an answer among one <b>, two for 0.a, got 'three'"):
        reveal("0.a", "three")


def test_a_question_that_makes_no_sense_for_a_model_has_no_answer(shown):
    ask(shown)
    assert said(shown, None) == "0.a: this model gives no answer"
    assert progress_file.predictions() == {}


def test_one_option_is_no_question(shown):
    with pytest.raises(ValueError, match="expected two options or more for 0.b, got 1"):
        predict("0.b", "Which?", ["one"])


def test_a_reveal_without_its_question_says_what_to_do(shown, monkeypatch):
    monkeypatch.setattr(predictions, "_questions", {})
    assert "Run the cell above that begins with predict" in said(shown)


def test_calibration_counts_revealed_predictions_by_how_sure_they_were(shown):
    entries = {
        "a": dict(choice="x", sureness="sure", answer="x"),
        "b": dict(choice="x", sureness="sure", answer="y"),
        "c": dict(choice="x", sureness="a guess", answer="y"),
        "d": dict(choice="x", sureness="a guess"),
    }
    assert calibration(entries) == ["Predictions, a guess: 0 of 1 right", "Predictions, sure: 1 of 2 right"]


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_each_question_of_a_lesson_is_answered_below_and_each_option_explained(path):
    cells = [cell for cell in read_lesson(path).cells if cell.cell_type == "code"]
    asked, revealed = {}, {}
    for place, cell in enumerate(cells):
        if cell.source.startswith("predict("):
            id, _, options = map(ast.literal_eval, ast.parse(cell.source).body[0].value.args)
            asked[id] = place, options
        revealed |= {id: place for id in re.findall(r'^\s*reveal\(\s*"([\w.]+)"', cell.source, re.MULTILINE)}
    assert asked.keys() == revealed.keys()
    assert all(asked[id][0] < place for id, place in revealed.items())
    assert {id: list(explanations(id)) for id in asked} == {id: options for id, (_, options) in asked.items()}
