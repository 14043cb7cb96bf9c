"""Answers are checked again alone, and what they try beside the exercise gets a name."""

import sys

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build import recheck as module
from helpers.build.answers import Answer
from helpers.build.assignment import assignment
from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.build.recheck import recheck
from helpers.exercises import get

ATTACKS = {  # code in an answer → what the verdict calls it
    "open('{file}', 'a')": "writes a file (open kept.txt)",
    "import os; os.remove('{file}')": "changes files (os.remove kept.txt)",
    "open('x', 'w'); import os; os.rename('x', '{file}')": "changes files (os.rename x)",
    "open('{file}').read()": "reads a file of the class (open kept.txt)",
    "import sqlite3; sqlite3.connect('{file}')": "changes files (sqlite3.connect kept.txt)",
    "import os; os.system('true')": "starts a program (os.system true)",
    "import subprocess; subprocess.run(['true'])": "starts a program (subprocess.Popen true)",
    "import socket; socket.create_connection(('127.0.0.1', 9))": "uses the network (socket.getaddrinfo 127.0.0.1)",
    "import ctypes; ctypes.CDLL(None)": "loads native code (ctypes.dlopen )",
}
UNASKED = {  # what Python does not ask about, or code that switches the second layer off
    "torch.save(1, '{file}')",
    "torch.from_file('{file}', size=4, dtype=torch.uint8).tolist() and open('{seen}', 'w')",
    "import os; os.open('{file}'.lstrip('/'), os.O_WRONLY | os.O_TRUNC, dir_fd=os.open('/', 0))",
    "import helpers.build.guard as guard; guard.REFUSED.clear(); open('{file}', 'w')",
    "import os; os.path.realpath = lambda *a, **k: os.getcwd(); open('{file}', 'w')",
    "import _posixsubprocess as p, os; p.fork_exec([b'touch', b'{seen}'], [b'/usr/bin/touch'], True, (), None, None, -1, "
    "-1, -1, -1, -1, -1, *os.pipe(), True, False, 0, None, None, None, -1, None, False)",
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


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is a part of Linux")
def test_linux_itself_keeps_files_and_programs_from_answers(private):
    """Nothing here is refused by name; nothing happens either."""
    values = dict(file=private / "kept.txt", seen=private / "seen.txt")
    cells = [
        new_code_cell(f'@exercise("2.{number}")\ndef answer(*_):\n    import torch; {code.format(**values)}')
        for number, code in enumerate(sorted(UNASKED), start=1)
    ]
    verdicts = recheck(new_notebook(cells=cells), private)
    assert {verdict.status for verdict in verdicts[: len(UNASKED)]} <= {"failed", "stopped"}
    assert [(path.name, path.read_text(encoding="utf-8")) for path in private.iterdir()] == [
        ("kept.txt", "kept")
    ]


def test_temporary_files_are_allowed(verdicts):
    assert verdicts[len(ATTACKS) + 1].diagnosis in ("wrong type", "wrong shape")


def test_exercises_without_a_cell_are_missing(verdicts):
    assert [verdict.status for verdict in verdicts[len(ATTACKS) + 2 :]] == ["missing"] * 2


@pytest.mark.parametrize("number", [4, 5])  # with parts in the solution, and with a form to fill in
def test_the_instructors_solutions_pass(number):
    path = lessons()[number]
    verdicts = recheck(assignment(read_lesson(path), path.parent))
    assert {verdict.status for verdict in verdicts} == {"passed"}


def test_a_line_that_the_checks_did_not_write_ends_the_verdicts():
    answers = [Answer("0.1", ""), Answer("0.2", "")]
    good = 'token{"id": "0.1", "status": "failed"}'
    forged = (
        '{"id": "0.2", "status": "passed"}',
        'token{"id": "0.3", "status": "passed"}',
        "token[]",
        "token3",
    )
    strange = (
        'token{"status": "passed"}',
        'token{"id": "0.2", "status": "?"}',
        'token{"id": "0.2", "status": []}',
    )
    for line in (*forged, *strange):
        assert [verdict.id for verdict in module._verdicts(answers, [good, line], "token")] == ["0.1"]


@pytest.mark.parametrize("id", ["0.3", "1.1", "5.1"])
def test_a_reference_fails_only_within_the_answer(id):
    reference = get(id).reference
    result = get(id).check(module.without_reference(lambda *inputs: reference(*inputs), reference))
    assert result.status == "failed" and module.REFERENCE_CALLED in result.message
    assert get(id).check(reference).status == "passed"


def test_a_process_that_does_not_start_is_an_error_not_a_grade(monkeypatch):
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setattr(module, "ROOT", ROOT / "absent")
    with pytest.raises(RuntimeError, match="Expected a process that checks answers, got"):
        recheck(read_lesson(lessons()[0]))
