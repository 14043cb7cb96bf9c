"""A check survives whatever a learner's function does, and says what happened."""

import bdb
import functools
import random
import sys
import time

import numpy as np
import pytest
import torch

from helpers import exercises
from helpers.exercises import engine, sandbox, trial
from helpers.exercises.cards import result_card
from helpers.exercises.comparison import difference
from helpers.exercises.engine import Exercise, Mistake, Result, Trial, Wrong


def endless(pattern):
    while True:
        pass


def endless_and_stubborn(pattern):
    while True:
        try:  # noqa: SIM105 - what a learner may write
            time.sleep(0.01)
        except:  # noqa: E722
            pass


def asleep(pattern):
    time.sleep(5)


def recursive(pattern):
    return recursive(pattern)


def not_attempted(pattern):
    raise NotImplementedError


def in_place(pattern):
    pattern[..., 0] = 0
    return pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)


def silent(pattern):
    pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1)


def talkative(pattern):
    print("x" * 5_000_000)
    return exercises.get("0.3").reference(pattern)


def talkative_and_wrong(pattern):
    for _ in range(1000):
        print("here", pattern.shape)
    return pattern


def leaves(pattern):
    sys.exit("bye")


def typo(pattern):
    return patern.mean()  # noqa: F821


def shuffles_the_random_state(pattern):
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    return exercises.get("0.3").reference(pattern.float())


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError


def raises_unprintable(pattern):
    raise UnprintableError


async def asynchronous(pattern):
    return pattern


def generator(pattern):
    yield pattern


class Callable:
    def __call__(self, pattern):
        raise NotImplementedError


class Cyclic(Callable):
    @property
    def __wrapped__(self):
        return self


def quits_the_debugger(pattern):
    raise bdb.BdbQuit


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
    (lambda p: "0.9", "failed", "wrong type"),
    (lambda p: 0.9, "failed", "wrong shape"),
    (lambda p: p.numpy(), "failed", "wrong type"),
    (lambda p: torch.zeros(0), "failed", "wrong shape"),
    (lambda p: torch.zeros(p.shape[:2]), "failed", "one number everywhere"),
    (lambda p: torch.full(p.shape[:2], torch.nan), "failed", "NaN"),
    (lambda p: torch.zeros(p.shape[:2], dtype=torch.long), "failed", "one number everywhere"),
    (lambda p: torch.zeros(p.shape[:2], dtype=torch.complex64), "failed", "wrong dtype"),
    (lambda p: torch.zeros(p.shape[:2]).to_sparse(), "failed", None),
    (lambda p: torch.zeros(p.shape[:2], device="meta"), "failed", None),
    (lambda p: 1 / 0, "failed", "exception"),
    ("not a function", "failed", "not a function"),
    (lambda: 1, "failed", "exception"),
    (lambda p: torch.bincount(p.flatten()), "failed", "exception"),  # torch's own NotImplementedError
    (lambda p: torch.nn.Module()(p), "failed", "exception"),  # raised by torch's Python
    (torch.no_grad()(not_attempted), "not attempted", None),
    (functools.cache(torch.no_grad()(not_attempted)), "not attempted", None),
    (functools.partial(not_attempted), "not attempted", None),
    (Callable(), "not attempted", None),
    (Cyclic(), "failed", "exception"),
    (Callable, "failed", "exception"),
    (asynchronous, "failed", "returned a coroutine"),
    (generator, "failed", "returned a generator"),
    (quits_the_debugger, "failed", "stopped"),
    (lambda *patterns, **options: patterns[0], "failed", "wrong shape"),
]


@pytest.mark.parametrize(("answer", "status", "diagnosis"), OUTCOMES)
def test_a_check_survives(answer, status, diagnosis, monkeypatch):
    monkeypatch.setattr(trial, "TIME_LIMIT_SECONDS", 0.5)
    exercise = exercises.get("0.3")
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    result = exercise.check(answer)
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
    assert "NameError: name 'patern' is not defined in your line" in message
    assert "return patern.mean()" in message


def test_what_returns_nothing_is_told_what_to_write_and_no_warning_comes_with_it():
    result = exercises.get("0.3").check(asynchronous)
    assert result.message == "your function returned a coroutine. Write def in place of async def."
    assert result.printed == ""
    result = exercises.get("0.3").check(generator)
    assert result.message == "your function returned a generator. Write return in place of yield."


def test_a_function_that_takes_too_long_is_asked_for_the_usual_reasons(monkeypatch):
    monkeypatch.setattr(trial, "TIME_LIMIT_SECONDS", 0.2)
    message = exercises.get("0.3").check(endless).message
    assert message.startswith("Stopped after 0.2 s. Is there an infinite loop, or is the whole d_model")


def test_a_wrong_result_is_described_by_its_first_entry():
    message = exercises.get("0.3").check(lambda p: torch.zeros(p.shape[:2])).message
    assert "first at layer=0, head=0: expected" in message


def exercise_of(test, *mistakes) -> Exercise:
    return Exercise("9.9", "", 1, 1, (), lambda x: 2 * x, (test,), mistakes)


def test_a_known_mistake_is_named_by_what_it_returns():
    x, tripled = torch.tensor([1.0, 2.0, 5.0]), Mistake("tripled", "this is 3 x.", lambda x: 3 * x)
    broken = Mistake("broken", "this raises.", lambda x: 1 / 0)
    exercise = exercise_of(lambda trial: trial.matches((x,), 2 * x, "entry"), broken, tripled)
    result = exercise.check(lambda x: x + x + x)
    assert (result.diagnosis, result.message) == ("tripled", "this is 3 x.")
    assert exercise.check(lambda x: x**2 + 3).diagnosis == "wrong values"


def test_an_experiment_names_what_it_compares():
    exercise = exercise_of(
        lambda trial: trial.behaves(lambda f: f(torch.ones(2)).sum(), torch.tensor(4.0), "", what="the sum")
    )
    assert exercise.check(lambda x: x).message.startswith("the sum: expected")
    assert exercise.check(exercise.reference).status == "passed"


def test_inputs_of_every_kind_are_copied_and_compared():
    inputs = ({"W": torch.ones(2)}, [torch.ones(2)], (torch.ones(2), 3))

    def changes(weights, *_):
        weights["W"] += 1
        return 1

    trial = Trial(exercise_of(lambda trial: None), changes)
    with pytest.raises(Wrong, match="changed one of its inputs in place"):
        trial.call(*inputs)
    assert inputs[0]["W"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (2, torch.tensor(2.0)),
        (torch.tensor([1, 2]), torch.tensor([1.0, 2.0])),
        (torch.tensor([torch.nan]), torch.tensor([torch.nan])),
    ],
)
def test_what_may_stand_for_the_expected_numbers(output, expected):
    assert difference(output, expected, "entry") is None


def test_a_message_is_cut_to_a_length_that_a_card_can_show():
    result = Result(exercises.get("0.3"), "failed", "x" * 10**6)
    assert len(result.message) == engine.MAX_MESSAGE_CHARACTERS
