"""Wrong answers of every lesson are rejected with the diagnosis that names the mistake; right ones pass."""

import importlib
import pkgutil

import pytest

from helpers import exercises
from helpers.exercises import engine
from tests import answers

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.iter_modules(answers.__path__, "tests.answers.")
]
WRONG = {id: by_diagnosis for module in MODULES for id, by_diagnosis in module.WRONG.items()}
RIGHT = {id: given for module in MODULES for id, given in module.RIGHT.items()}


@pytest.fixture(autouse=True)
def a_busy_machine_explains_the_same(monkeypatch):
    monkeypatch.setattr(engine, "EXPLANATION_SECONDS", 60)


def as_list(answers) -> list:
    return answers if isinstance(answers, list) else [answers]


WRONG_CASES = [
    pytest.param(id, diagnosis, answer, id=f"{id} {diagnosis}")
    for id, by_diagnosis in WRONG.items()
    for diagnosis, given in by_diagnosis.items()
    for answer in as_list(given)
]
RIGHT_CASES = [pytest.param(id, answer, id=id) for id, given in RIGHT.items() for answer in as_list(given)]


@pytest.mark.parametrize(("id", "diagnosis", "answer"), WRONG_CASES)
def test_a_wrong_answer_is_rejected_and_named(id, diagnosis, answer):
    result = exercises.get(id).check(answer)
    assert (result.status, result.diagnosis) == ("failed", diagnosis), result.message


@pytest.mark.parametrize(("id", "answer"), RIGHT_CASES)
def test_a_right_answer_in_another_way_passes(id, answer):
    result = exercises.get(id).check(answer)
    assert result.status == "passed", result.message


def test_every_exercise_has_answers():
    ids = {exercise.id for exercise in exercises.all_exercises()}
    assert WRONG.keys() == RIGHT.keys() == ids
    assert all(len(by_diagnosis) >= 4 for by_diagnosis in WRONG.values())
