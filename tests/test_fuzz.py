"""Random wrong functions for every exercise never crash a check, never pass one and never hang it."""

import inspect
import time

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings

from helpers import exercises
from helpers.exercises import trial
from helpers.exercises.cards import result_card
from tests.fuzz import WRONG

EXERCISES = exercises.all_exercises()
HANG_SECONDS = 60  # a check that takes longer hangs, on any machine
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=[exercise.id for exercise in EXERCISES])


@pytest.fixture(autouse=True)
def eigenvalues_of_nan_are_an_error(monkeypatch):
    """torch.linalg.eigvals may end the whole process when a matrix holds NaN."""
    eigvals = torch.linalg.eigvals

    def of_numbers(matrix, **named):
        if matrix.isnan().any():
            raise ValueError("expected numbers, got NaN.")
        return eigvals(matrix, **named)

    monkeypatch.setattr(torch.linalg, "eigvals", of_numbers)


def rejected(exercise, answer) -> bool:
    """Check a function: true if it is rejected. In any case in time, with a card that can be shown."""
    begun = time.monotonic()
    result = exercise.check(answer)
    assert time.monotonic() - begun < HANG_SECONDS
    card = result_card(result)
    assert len(repr(card)) < 10_000 and len(card._repr_html_()) < 20_000
    return result.status != "passed"


@every_exercise
def test_a_wrong_function_never_passes(exercise, record_property):
    tried, takes_a_model = 0, "model" in inspect.signature(exercise.reference).parameters

    @seed(EXERCISES.index(exercise))
    @settings(
        database=None,
        deadline=None,
        max_examples=50 if takes_a_model else 200,
        suppress_health_check=list(HealthCheck),
    )
    @given(WRONG)
    def fuzz(make):
        nonlocal tried
        answer = make(exercise)
        assert rejected(exercise, answer) or not answer.differed
        tried += answer.differed

    fuzz()
    record_property("wrong functions", tried)
    assert exercise.check(exercise.reference).status == "passed"


def endless(*arguments):
    while True:
        pass


def stubborn(*arguments):
    while True:
        try:  # noqa: SIM105 - what a learner may write
            time.sleep(0.001)
        except BaseException:
            pass


class EndlessError(Exception):
    def __str__(self):
        endless()


def endless_error(*arguments):
    raise EndlessError


class EndlessList(list):
    __iter__ = endless


class EndlessClass:
    __class__ = property(endless)


ENDLESS = [
    endless,
    stubborn,
    endless_error,
    lambda *arguments: EndlessList(),
    lambda *arguments: EndlessClass(),
]


@every_exercise
def test_what_never_ends_is_stopped(exercise, monkeypatch, record_property):
    monkeypatch.setattr(trial, "TIME_LIMIT_SECONDS", 0.02)
    assert all(rejected(exercise, answer) for answer in ENDLESS)
    record_property("wrong functions", len(ENDLESS))
