"""Answers are checked again alone, and what they try beside the exercise gets a name."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.assignment import assignment
from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.build.recheck import recheck

ATTACKS = {  # code in an answer → what the verdict calls it
    "open('{file}', 'a')": "writes a file (open kept.txt)",
    "import os; os.remove('{file}')": "changes files (os.remove kept.txt)",
    "open('{file}').read()": "reads a file of the class (open kept.txt)",
    "import os; os.system('true')": "starts a program (os.system true)",
    "import subprocess; subprocess.run(['true'])": "starts a program (subprocess.Popen true)",
    "import socket; socket.create_connection(('127.0.0.1', 9))": "uses the network (socket.getaddrinfo 127.0.0.1)",
    "import ctypes; ctypes.CDLL(None)": "loads native code (ctypes.dlopen )",
}


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "kept.txt").write_text("kept", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def verdicts(private):
    """The verdicts on an attack each, all in one process: lesson 1 has enough exercises."""
    bodies = [attack.format(file=private / "kept.txt") for attack in ATTACKS]
    hidden = f"try: open('{private}/kept.txt', 'w')\n    except BaseException: pass"
    bodies += [hidden, "import tempfile; tempfile.TemporaryFile().write(b'x')"]
    cells = [
        new_code_cell(f'@exercise("1.{number}")\ndef answer(*arguments):\n    {body}\n    return 0')
        for number, body in enumerate(bodies, start=1)
    ]
    return recheck(new_notebook(cells=cells), private)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_answer_that_reaches_out_is_refused_by_name(verdicts, private, attack):
    verdict = verdicts[list(ATTACKS).index(attack)]
    assert (verdict.status, verdict.diagnosis) == ("failed", "not allowed")
    assert verdict.message == f"The answer {ATTACKS[attack]}."
    assert (private / "kept.txt").read_text(encoding="utf-8") == "kept"


def test_an_answer_that_hides_its_attempt_is_refused_all_the_same(verdicts):
    assert verdicts[len(ATTACKS)].diagnosis == "not allowed"


def test_temporary_files_are_allowed(verdicts):
    assert verdicts[len(ATTACKS) + 1].diagnosis == "wrong type"


def test_exercises_without_a_cell_are_missing(verdicts):
    assert [verdict.status for verdict in verdicts[len(ATTACKS) + 2 :]] == ["missing"] * 4


@pytest.mark.parametrize("number", [4, 5])  # with parts in the solution, and with a form to fill in
def test_the_instructors_solutions_pass(number):
    path = lessons()[number]
    verdicts = recheck(assignment(read_lesson(path), path.parent))
    assert {verdict.status for verdict in verdicts} == {"passed"}


def test_a_line_that_the_checks_did_not_write_ends_the_verdicts(monkeypatch):
    from helpers.build import recheck as module
    from helpers.build.answers import Answer

    answers = [Answer("0.1", ""), Answer("0.2", "")]
    good = '{"id": "0.1", "status": "failed"}'
    for line in ("forged", '{"id": "0.3", "status": "passed"}', '{"status": "passed"}', "[]", "3"):
        assert [verdict.id for verdict in module._verdicts(answers, [good, line])] == ["0.1"]


def test_a_process_that_does_not_start_is_an_error_not_a_grade(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(ROOT))
    with pytest.raises(RuntimeError, match="Expected a process that checks answers, got"):
        recheck(read_lesson(lessons()[0]))
