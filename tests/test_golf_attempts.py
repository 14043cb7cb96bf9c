"""Submitted circuits: the card, the table of attempts, and what a bad input leaves as it was."""

import pytest

from helpers.exercises import golf_attempts, progress_file
from helpers.exercises.golf_attempts import submit


@pytest.fixture
def cards(monkeypatch):
    shown = []
    monkeypatch.setattr(golf_attempts, "display", shown.append)
    return shown


@pytest.fixture
def model(shipped_model):
    return shipped_model("attn-only-2l")


def attempts() -> list[dict[str, str]]:
    return progress_file.attempts("ioi, 2 layers of 6 heads")


def test_an_attempt_is_kept_once_and_shown(model, cards):
    for _ in range(2):
        score = submit(model, "ioi", {"END": [(1, 2)]})
    submit(model, "ioi", {})
    assert score.size == 1 and [entry["size"] for entry in attempts()] == ["1", "0"]
    assert "ioi: 1 head-position, faithfulness" in cards[0].heading
    assert len(cards[-1].code.splitlines()) == 2


def test_the_newest_attempt_is_in_the_table_and_it_says_how_many_are_hidden(model, cards):
    for head in range(6):
        for layer in range(2):
            submit(model, "ioi", {"END": [(layer, head)]})
    submit(model, "ioi", {"END": [(1, head) for head in range(6)]})
    rows = cards[-1].code.splitlines()
    assert len(attempts()) == 13 and len(rows) == 12 and "size    6" in rows[0]
    assert cards[-1].paragraphs[-1] == "This attempt, then your others (1 more are kept):"


def test_the_card_says_what_the_stored_circuits_score(model, cards, monkeypatch):
    stored = {"greedy": {"END": [(1, 2), (1, 3)]}, "best": {"END": [(1, 2)]}}
    monkeypatch.setattr(golf_attempts, "SMOLLM2", (2, 6))
    monkeypatch.setattr(golf_attempts, "known_circuits", lambda name: stored)
    submit(model, "ioi", {})
    greedy, best = cards[-1].paragraphs[-3:-1]
    assert "Greedy baseline: size    2, faithfulness" in greedy and "known: size    1, faith" in best


@pytest.mark.parametrize(
    ("behaviour", "circuit"),
    [("ioi", None), ("ioi", {"IO": [(0, 0)]}), ("chess", {}), ("ioi", {"END": "1.2"})],
)
def test_bad_input_is_explained_and_leaves_the_attempts_as_they_were(behaviour, circuit, model, cards):
    submit(model, "ioi", {"END": [(1, 2)]})
    progress_file.record("rotate")
    assert submit(model, behaviour, circuit) is None
    assert "expected" in cards[-1].paragraphs[0] and len(attempts()) == 1
    assert progress_file.read() == ({"rotate"}, "")


def test_attempts_that_cannot_be_saved_are_shown_with_a_note(model, cards, monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "/proc/nobody/progress.json")
    assert submit(model, "ioi", {"END": [(1, 2)]}).size == 1
    assert any("Your attempt could not be saved" in text for text in cards[0].paragraphs)
    assert len(cards[0].code.splitlines()) == 1
