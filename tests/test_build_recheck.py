"""Answers are checked again alone: what a notebook does elsewhere, or to the course, does not count."""

import pytest

from helpers.build.lesson_files import lessons, read_lesson
from helpers.build.lesson_runs import in_state
from helpers.build.recheck import recheck


@pytest.fixture(scope="module")
def lesson():
    return read_lesson(lessons()[0])


def judged(lesson, body, tmp_path, above=""):
    from tests.class_of_twenty import answering

    notebook = answering(body, above=above)(in_state(lesson, "unsolved"))
    return next(verdict for verdict in recheck(notebook, tmp_path) if verdict.id == "0.3")
