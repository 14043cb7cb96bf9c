"""The whole cycle with the real nbgrader: assignment, release, twenty submissions, grades."""

import contextlib
import csv
import hashlib
import importlib.util
import os
import subprocess
import sys

import nbformat
import pytest

from helpers.build.assignment import write_assignment
from helpers.build.lesson_files import lessons, outputs_of, read_lesson
from tests.class_of_twenty import CLASS, notebook_of
from tests.classroom import PATH
from tests.conftest import OFFLINE

REMEDY = "install helpers/build/requirements.txt"
if importlib.util.find_spec("nbgrader") is None and "CI" not in os.environ:
    pytest.skip(REMEDY, allow_module_level=True)
LESSON = lessons()[0].stem
COURSE = "course"  # the name of the folder
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's exchange needs Linux or macOS")


class Course:
    """A course of nbgrader in a folder, with an exchange."""

    def __init__(self, folder):
        self.root, self.exchange = folder / "course", folder / "exchange"
        self.learners, self.home = folder / "learners", folder / "home"
        self.exchange.mkdir(parents=True)
        self.exchange.chmod(0o777)
        write_assignment(lessons()[0], self.root)

    def nbgrader(self, *words, cwd=None):
        """Run a command of nbgrader as a teacher or a learner does."""
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
        environment = {**os.environ, **{name: str(self.home / name.lower()) for name in names}}
        environment["PYTHONPATH"] = str(OFFLINE)  # without the course, which the configuration names
        environment["PATH"] = PATH  # the environment is active
        options = [f"--Exchange.root={self.exchange}", f"--Exchange.cache={self.home / 'cache'}"]
        command = [sys.executable, "-m", "nbgrader", *words, *options]
        done = subprocess.run(
            command, cwd=cwd or self.root, env=environment, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    def submit(self, name):
        """Put a learner's folder where ``nbgrader submit`` puts it, without a process for each."""
        from nbgrader.auth import Authenticator
        from nbgrader.coursedir import CourseDirectory
        from nbgrader.exchange.default import ExchangeSubmit
        from traitlets.config import Config

        exchange = {"root": str(self.exchange), "cache": str(self.home / "cache" / name)}
        config = Config(
            Exchange={**exchange, "assignment_dir": str(self.learners / name)},
            CourseDirectory={"course_id": COURSE, "student_id": name, "assignment_id": LESSON},
        )
        coursedir = CourseDirectory(config=config)
        ExchangeSubmit(coursedir=coursedir, authenticator=Authenticator(config=config), config=config).start()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = Course(tmp_path_factory.mktemp("nbgrader"))
    course.nbgrader("generate_assignment", LESSON)
    course.nbgrader("release_assignment", LESSON)
    fetched = course.learners / "fetched"
    fetched.mkdir(parents=True)
    course.nbgrader("fetch_assignment", LESSON, "--course", COURSE, cwd=fetched)
    released = read_lesson(fetched / LESSON / f"{LESSON}.ipynb")
    for name in CLASS:
        folder = course.learners / name / LESSON
        folder.mkdir(parents=True)
        nbformat.write(notebook_of(name, released), folder / f"{LESSON}.ipynb")
        course.submit(name)
    course.nbgrader("collect", LESSON, "--update", "--ExchangeCollect.check_owner=False")
    course.before = fingerprints(course.root / "submitted")
    course.log = course.nbgrader("autograde", LESSON)
    course.nbgrader("export", "--to", "grades.csv")
    course.nbgrader("generate_feedback", LESSON, "--force")
    return course


def fingerprints(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def graded(course, name):
    return read_lesson(course.root / "autograded" / name / LESSON / f"{LESSON}.ipynb")


def test_the_gradebook_is_right_for_every_learner(course):
    rows = list(csv.DictReader((course.root / "grades.csv").open(encoding="utf-8")))
    assert {row["student_id"]: float(row["score"]) for row in rows} == {
        name: learner.points for name, learner in CLASS.items()
    }
    assert {float(row["max_score"]) for row in rows} == {4.0}


@pytest.mark.parametrize("name", CLASS)
def test_what_takes_points_off_has_a_name(course, name):
    errors = [output for output in outputs_of(graded(course, name).cells) if output.output_type == "error"]
    expected = [status for status in CLASS[name].statuses if status != "passed"]
    assert len(errors) == len(expected)
    named = [error.ename for error in errors if error.ename not in ("not attempted", "no answer cell")]
    assert named == list(CLASS[name].diagnoses)


def test_feedback_names_what_takes_points_off(course):
    page = (course.root / "feedback/wrong" / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")
    assert "scale missing" in page and "Score: 0.0 / 4.0" in page


def test_no_submission_changed_another_or_left_a_file(course):
    assert fingerprints(course.root / "submitted") == course.before
    assert (course.root / "gradebook.db").read_bytes()[:6] == b"SQLite"
    left = {path.name for path in (course.root / "autograded").rglob("*") if path.is_file()}
    assert left == {f"{LESSON}.ipynb", "timestamp.txt", "submission_secret.txt"}


def test_the_release_is_the_lesson_with_locked_checks(course):
    released = read_lesson(course.root / "release" / LESSON / f"{LESSON}.ipynb")
    for mine, theirs in zip(read_lesson(lessons()[0]).cells, released.cells, strict=True):
        if mine.cell_type == "code":
            assert mine.source == theirs.source
    checks = [cell.metadata.nbgrader for cell in released.cells if cell.source.startswith("check(")]
    assert [check.points for check in checks] == [1, 2, 1] and all(check.locked for check in checks)


def test_the_validate_button_tells_a_learner_that_answers_are_missing(course):
    folder = course.learners / "fetched" / LESSON
    assert "VALIDATION FAILED" in course.nbgrader("validate", f"{LESSON}.ipynb", cwd=folder)


def test_a_check_raises_for_nbgrader_alone(monkeypatch):
    from helpers.exercises import NotPassed, check, exercise

    @exercise("0.3")
    def wrong(pattern):
        return pattern

    check(wrong)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(NotPassed, match="0.3 wrong shape: expected shape"):
        check(wrong)
    with contextlib.suppress(NotPassed):
        check(exercise("0.3")(lambda pattern: pattern.diagonal(-1, -2, -1).mean(-1)))
