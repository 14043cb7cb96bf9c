"""The exercise engine survives whatever a learner's function does, and says what it was."""

import json
import random
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helpers import exercises
from helpers.exercises import engine, progress_file, sandbox
from helpers.exercises.cards import result_card


def answer_0_3(body):
    """A function for exercise 0.3 with this body, as a learner's cell would define it."""
    return lambda patterns: body(patterns)


def endless(patterns):
    while True:
        pass


def endless_and_stubborn(patterns):
    while True:
        try:
            time.sleep(0.01)
        except:  # noqa: E722
            pass


def asleep(patterns):
    time.sleep(60)


def recursive(patterns):
    return recursive(patterns)


def not_attempted(patterns):
    raise NotImplementedError


def in_place(patterns):
    patterns[..., 0] = 0
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)


def silent(patterns):
    patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)


def talkative(patterns):
    print("x" * 5_000_000)
    return exercises.get("0.3").reference(patterns)


def talkative_and_wrong(patterns):
    for _ in range(1000):
        print("here", patterns.shape)
    return patterns


def leaves(patterns):
    sys.exit("bye")


def typo(patterns):
    return patern.mean()  # noqa: F821


def shuffles_the_random_state(patterns):
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    return exercises.get("0.3").reference(patterns.float())


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


def raises_unprintable(patterns):
    raise Unprintable


OUTCOMES = [
    (not_attempted, "not attempted", None),
    (endless, "failed", "too slow"),
    (endless_and_stubborn, "failed", "too slow"),
    (asleep, "failed", "too slow"),
    (recursive, "failed", "exception"),
    (in_place, "failed", "changed its input"),
    (silent, "failed", "returned None"),
    (talkative, "passed", None),
    (talkative_and_wrong, "failed", "wrong shape"),
    (leaves, "failed", "exception"),
    (typo, "failed", "exception"),
    (shuffles_the_random_state, "passed", None),
    (raises_unprintable, "failed", "exception"),
    (answer_0_3(lambda p: "0.9"), "failed", "wrong type"),
    (answer_0_3(lambda p: 0.9), "failed", "wrong type"),
    (answer_0_3(lambda p: p.numpy()), "failed", "wrong type"),
    (answer_0_3(lambda p: torch.zeros(0)), "failed", "wrong shape"),
    (answer_0_3(lambda p: torch.zeros(p.shape[:2])), "failed", "wrong values"),
    (answer_0_3(lambda p: torch.full(p.shape[:2], torch.nan)), "failed", "NaN"),
    (answer_0_3(lambda p: torch.zeros(p.shape[:2], dtype=torch.long)), "failed", "wrong dtype"),
    (answer_0_3(lambda p: torch.zeros(p.shape[:2], dtype=torch.complex64)), "failed", "wrong dtype"),
    (answer_0_3(lambda p: torch.zeros(p.shape[:2]).to_sparse()), "failed", None),
    (answer_0_3(lambda p: torch.zeros(p.shape[:2], device="meta")), "failed", None),
    (answer_0_3(lambda p: 1 / 0), "failed", "exception"),
    ("not a function", "failed", "not a function"),
    (lambda: 1, "failed", "exception"),
    (lambda p: torch.bincount(p.flatten()), "failed", "exception"),  # torch's own NotImplementedError
    (lambda p: torch.nn.Module()(p), "failed", "exception"),  # raised by torch's Python
    (torch.no_grad()(not_attempted), "not attempted", None),
]


@pytest.mark.parametrize(("answer", "status", "diagnosis"), OUTCOMES)
def test_a_check_survives(answer, status, diagnosis, monkeypatch):
    monkeypatch.setattr(engine, "TIME_LIMIT_SECONDS", 0.5)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    result = exercises.get("0.3").check(answer)
    assert result.status == status
    assert diagnosis is None or result.diagnosis == diagnosis
    assert len(result.printed) < sandbox.MAX_PRINTED_CHARACTERS + 100
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())
    card = result_card(result)
    assert result.exercise.id in repr(card) and "</div>" in card._repr_html_()


def test_an_exception_is_shown_with_the_learners_own_line():
    message = exercises.get("0.3").check(typo).message
    assert (
        "NameError: name 'patern' is not defined in your line" in message
        and "return patern.mean()" in message
    )


def test_a_wrong_result_is_told_by_its_first_entry():
    message = exercises.get("0.3").check(lambda p: torch.zeros(p.shape[:2])).message
    assert "first at layer=0, head=0: expected" in message


def leaves_a_hook(model, tokens, layer, head):
    model.add_hook(f"blocks.{layer}.attn.hook_z", lambda z, hook: z * 0)
    return model(tokens), [(4, 7, 3, 5)]


def changes_the_weights(model, tokens, layer, head):
    model.blocks[layer].attn.o.weight[:, head * 5 : (head + 1) * 5] = 0
    return model(tokens), [(4, 7, 3, 5)]


@pytest.mark.parametrize(
    ("answer", "diagnosis"),
    [(leaves_a_hook, "hook left behind"), (changes_the_weights, "changed the weights")],
)
def test_the_model_is_as_before(answer, diagnosis):
    exercise = exercises.get("0.2")
    assert exercise.check(answer).diagnosis == diagnosis
    assert exercise.check(exercise.reference).status == "passed"


def test_a_learners_function_is_used_when_it_passed_and_the_reference_otherwise():
    patterns = torch.eye(4).roll(-1, dims=1)[None, None]

    @exercises.exercise("0.3")
    def unsolved(patterns):
        raise NotImplementedError

    @exercises.exercise("0.3")
    def wrong(patterns):
        return patterns.sum(dim=(-1, -2))

    @exercises.exercise("0.3")
    def solved(patterns):
        """Mine."""
        return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)

    for attempt, status in [(unsolved, "not attempted"), (wrong, "failed"), (solved, "passed")]:
        assert attempt(patterns).item() == 1
        assert attempt.result.status == status
    assert solved.__doc__ == "Mine." and solved.__name__ == "solved"


def test_check_says_when_it_is_given_something_else(capsys):
    exercises.check(lambda: None)
    assert "under its @exercise line" in capsys.readouterr().out


def test_hints_come_one_at_a_time_and_the_solution_is_the_references_source(capsys):
    exercises._hints_given.clear()
    for count in (1, 2, 3, 3):
        exercises.hint("0.1")
        assert f"Hint {count} of 3" in capsys.readouterr().out
    exercises.solution("0.1")
    assert "def attention_pattern(" in capsys.readouterr().out


def test_an_unknown_exercise_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no exercise '9.9'; the exercises are 0.1, 0.2, 0.3"):
        exercises.get("9.9")


def test_a_number_without_quotes_is_told_where_they_go(capsys):
    exercises.hint(0.1)
    assert 'expected the number of an exercise in quotes, such as "0.2", got 0.1' in capsys.readouterr().out


def test_a_cell_that_could_not_be_read_is_not_judged_by_the_function_before(capsys, monkeypatch):
    attempt = exercises.exercise("0.1")(exercises.get("0.1").reference)
    cells = [
        '@exercise("0.1")\ndef f():\n    return 1',
        '@exercise("0.1")\ndef f():\n    return (1',
        "check(f)",
    ]
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_parsed=cells))
    monkeypatch.setattr(exercises, "get_ipython", lambda: shell)
    exercises.check(attempt)
    assert "your cell could not be read, line 3" in capsys.readouterr().out
    assert attempt.result.diagnosis == "syntax error"
    for unusual in ("f(\0)", "(" * 1000 + ")" * 1000, "'\\d'"):  # the last one draws a warning only
        shell.history_manager.input_hist_parsed = ['@exercise("0.1")\ndef f(): ' + unusual]
        exercises.check(attempt)
    assert attempt.result.status == "passed"
    shell.history_manager.input_hist_parsed = cells[:1]
    exercises.check(attempt)
    assert attempt.result.status == "passed"


def test_every_exercise_is_complete():
    for exercise in exercises.all():
        assert exercise.check(exercise.reference).status == "passed", exercise.id
        assert len(exercise.hints) >= 2 and len(exercise.mistakes) >= 4
        for mistake in exercise.mistakes:
            assert exercise.check(mistake.answer).diagnosis == mistake.name


def test_cards_escape_what_a_learner_prints():
    def prints_html(patterns):
        print("<img src=x onerror=alert(1)>")
        return patterns

    html = result_card(exercises.get("0.3").check(prints_html))._repr_html_()
    assert "<img" not in html and "&lt;img" in html


def test_progress_is_recorded_once_and_shown(capsys):
    attempt = exercises.exercise("0.3")(exercises.get("0.3").reference)
    exercises.check(attempt)
    exercises.check(attempt)
    assert json.loads(progress_file.path().read_text()) == {"passed": ["0.3"]}
    capsys.readouterr()
    exercises.progress()
    count = len([exercise for exercise in exercises.all() if exercise.id.startswith("0.")])
    assert f"■{'□' * (count - 1)}  1 of {count}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"passed": 3}', '{"passed": [1]}', "\x00\xff", '{"passed": null}']
)
def test_a_damaged_progress_file_is_kept_aside_with_a_note(content):
    file = progress_file.path()
    file.write_text(content)
    note = progress_file.record("0.1")
    assert "damaged" in note and file.with_suffix(".damaged").read_text() == content
    assert progress_file.read() == ({"0.1"}, "")


def test_progress_that_can_not_be_saved_does_not_fail_the_check(monkeypatch, capsys):
    monkeypatch.setattr(
        progress_file.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    exercises.check(exercises.exercise("0.3")(exercises.get("0.3").reference))
    said = capsys.readouterr().out
    assert "✔ 0.3 Passed" in said and "could not be saved (No space left on device)" in said
