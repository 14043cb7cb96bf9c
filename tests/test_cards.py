"""Cards show results, hints and progress as text and as HTML that runs nothing."""

from helpers import exercises
from helpers.exercises.cards import Card, progress_card, result_card
from helpers.exercises.engine import Result


def test_what_a_learner_prints_is_escaped():
    def prints_html(pattern):
        print("<img src=x onerror=alert(1)>")
        return pattern

    html = result_card(exercises.get("0.3").check(prints_html))._repr_html_()
    assert "<img" not in html and "&lt;img" in html


def test_code_in_backticks_becomes_code():
    card = Card("Heading", ["use `x < 1`"])
    assert "<code>x &lt; 1</code>" in card._repr_html_()
    assert repr(card) == "Heading\nuse `x < 1`"


def test_a_result_says_what_to_do_next():
    exercise = exercises.get("0.3")
    texts = {
        status: repr(result_card(Result(exercise, status, "the message.", "the diagnosis")))
        for status in ("passed", "failed", "not attempted")
    }
    assert "The cells below use your function." in texts["passed"]
    assert "the diagnosis: the message." in texts["failed"]
    assert "Replace `raise NotImplementedError` in previous_token_score" in texts["not attempted"]
    for status in ("failed", "not attempted"):
        assert 'hint("0.3") gives a hint' in texts[status]
        assert "the cells below use the reference solution" in texts[status]


def test_progress_is_one_bar_per_lesson():
    card = progress_card([exercises.get(id) for id in ("0.1", "0.2", "1.1")], {"attention_pattern"}, "a note")
    assert card.paragraphs == ["Lesson 0  ■□  1 of 2", "Lesson 1  □  0 of 1", "a note"]
