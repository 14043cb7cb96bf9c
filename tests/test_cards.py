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
    assert 'hint("0.3") gives a hint' in texts["failed"]
    assert "the cells below use the reference solution" in texts["failed"]


def test_an_exercise_without_an_answer_takes_one_line():
    def stub(pattern):
        """Return the score."""
        raise NotImplementedError

    def begun(pattern):
        diagonal = pattern.diagonal(-1)
        raise NotImplementedError(diagonal)

    exercise = exercises.get("0.3")
    line = '○ 0.3 Not attempted: find the previous-token head · hint("0.3") · solution("0.3")'
    assert repr(result_card(exercise.check(stub))) == line
    remedy = "Remove the line `raise NotImplementedError` once your code is complete."
    assert repr(result_card(exercise.check(begun))) == f"{line}\n{remedy}"


def test_a_difference_is_shown_as_small_tables_that_need_no_colour():
    """Of the matrix around the first wrong entry, wrong entries underlined."""

    def wrong_at_the_end(q, k):
        pattern = exercises.get("0.1").reference(q, k)
        pattern[1, -1, -1] += 0.5
        return pattern

    html = result_card(exercises.get("0.1").check(wrong_at_the_end))._repr_html_()
    assert html.count("<table ") == 3 and html.count("<u>") == 2
    for text in ("expected", "yours", "difference", "·", "head=1, query 0 to"):
        assert text in html
    assert "color" not in html.split("<div style='display:flex")[1].replace("color:inherit", "")


def test_a_single_number_or_another_shape_has_no_tables():
    for answer in (lambda pattern: pattern, lambda pattern: "text"):
        assert "<table" not in result_card(exercises.get("0.3").check(answer))._repr_html_()
    vector = result_card(exercises.get("1.12").check(lambda residuals, W_U, token: residuals[:, 0]))
    assert vector._repr_html_().count("<tr>") == 3


def test_progress_is_one_bar_per_lesson():
    card = progress_card([exercises.get(id) for id in ("0.1", "0.2", "1.1")], {"attention_pattern"}, "a note")
    assert card.paragraphs == ["Lesson 0  ■□  1 of 2", "Lesson 1  □  0 of 1", "a note"]
