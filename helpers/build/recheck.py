"""The answers of a learner's notebook, checked again in a process of their own.

The process executes the exercise cells and the statements that they need, nothing else. So a
deleted set-up cell, an endless loop in another cell or a changed ``check`` does not matter.
"""

import contextlib
import faulthandler
import functools
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from traitlets.config import Config

from helpers import exercises
from helpers.build.answers import Answer, answers_in, exercises_of_lessons
from helpers.build.guard import guarded
from helpers.build.lesson_files import ROOT
from helpers.exercises.engine import Exercise

START_SECONDS = 120  # to import the course
READY = "ready"  # the first line of the process
ANSWER_SECONDS = 60  # for one answer with what it needs


@dataclass(frozen=True)
class Verdict:
    """The outcome of one exercise.

    ``status`` is "passed", "failed", "not attempted", "stopped" or "missing".
    """

    id: str
    status: str
    diagnosis: str = ""
    message: str = ""
    source: str = ""


def recheck(notebook: NotebookNode, private: Path | None = None) -> list[Verdict]:
    """Check every answer of a notebook; exercises without a cell are "missing".

    An answer that ends the process, or that takes longer than ``ANSWER_SECONDS``, is "stopped". The
    process may not read files in ``private``, the folder with the other notebooks of the class.
    """
    waiting, verdicts = answers_in(notebook), {}
    while waiting:
        outcomes = _in_process(waiting, private)
        if len(outcomes) < len(waiting):
            outcomes.append(_stopped(waiting[len(outcomes)]))
        verdicts |= {verdict.id: verdict for verdict in outcomes}
        waiting = waiting[len(outcomes) :]
    ids = exercises_of_lessons(notebook)
    return [verdicts.get(id) or Verdict(id, "missing", "no answer cell", _missing(id)) for id in ids]


def _missing(id: str) -> str:
    return f'Expected a cell with the line @exercise("{id}"), found none.'


def _stopped(answer: Answer) -> Verdict:
    message = f"The answer ended its process, or ran longer than {ANSWER_SECONDS} s."
    return Verdict(answer.id, "stopped", "stopped", message, answer.source)


def _in_process(answers: list[Answer], private: Path | None) -> list[Verdict]:
    """Return the verdicts that a process gave before it ended."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "CIRCUITS_PROGRESS": os.path.join(scratch, "progress.json"),
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "IPYTHONDIR": scratch,
            "TMPDIR": scratch,
        }
        command = [sys.executable, "-m", "helpers.build.recheck", os.path.abspath(private or scratch)]
        try:
            done = subprocess.run(
                command,
                input=json.dumps([answer.as_dict() for answer in answers]).encode(),
                capture_output=True,
                cwd=scratch,
                env=environment,
                timeout=START_SECONDS + ANSWER_SECONDS * len(answers),
            )
            output, errors = done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            output, errors = error.output or b"", b""
    ready, *lines = output.decode(errors="replace").splitlines() or [""]
    if ready != READY:
        text = errors.decode(errors="replace")[-500:]
        raise RuntimeError(f"Expected a process that checks answers, got: {text}")
    return list(_verdicts(answers, lines))


def _verdicts(answers: list[Answer], lines: list[str]) -> Iterator[Verdict]:
    """Yield the verdicts on the answers, up to a line that the checks did not write."""
    for answer, line in zip(answers, lines):
        with contextlib.suppress(ValueError, TypeError):
            verdict = Verdict(**json.loads(line))
            if verdict.id == answer.id:
                yield verdict
                continue
        return


def _check_here(private: Path) -> None:
    """Check the answers on standard input, and write a line per verdict to standard output."""
    answers = [Answer(**answer) for answer in json.load(sys.stdin)]
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what answers print
        os.dup2(nowhere, stream)
    memory = Config(HistoryManager={"hist_file": ":memory:"})
    shell = InteractiveShell.instance(config=memory)
    exercises.all_exercises()
    guard = guarded(Path.cwd(), private)
    print(READY, file=results, flush=True)
    for answer in answers:
        faulthandler.dump_traceback_later(ANSWER_SECONDS, exit=True, file=nowhere)
        verdict = judged(answer, shell.run_cell, guard.refused)
        print(json.dumps(asdict(verdict)), file=results, flush=True)


def judged(answer: Answer, run_cell: Callable, refused: list[str]) -> Verdict:
    """Execute an answer with what it needs, check it, and say what is wrong."""
    refused.clear()
    exercises.last_attempts.pop(answer.id, None)
    for statement in ("from helpers.exercises import exercise", *answer.context):
        run_cell(statement)
    outcome = run_cell(answer.source, store_history=True)
    attempt = exercises.last_attempts.get(answer.id)
    if attempt is None:
        error = outcome.error_before_exec or outcome.error_in_exec
        text = (
            f"{type(error).__name__}: {getattr(error, 'msg', error)}" if error else "It defines no function."
        )
        return Verdict(answer.id, "failed", "the cell fails", text, answer.source)
    watched = _Watched(attempt.answer, attempt.exercise.reference)
    attempt.answer = watched.answer
    result = attempt.check()
    status, diagnosis, message = result.status, result.diagnosis or "", result.message
    if refused:
        status, diagnosis, message = "failed", "not allowed", f"The answer {refused[0]}."
    elif status == "passed" and watched.calls_reference:
        text = "The answer calls the course's own solution."
        status, diagnosis, message = "failed", "calls the reference", text
    elif status == "passed" and _passes_a_mistake(attempt.exercise):
        text = "The check then passes a wrong function: an answer has changed the course's code."
        status, diagnosis, message = "failed", "changes the check", text
    return Verdict(answer.id, status, diagnosis, message, answer.source)


def _passes_a_mistake(exercise: Exercise) -> bool:
    """Return True if the check passes a known mistake, as it does only where it was changed."""
    return exercise.check(exercise.mistakes[0].answer).status == "passed"


class _Watched:
    """An answer, and whether it called the reference of its exercise."""

    def __init__(self, answer: Callable, reference: Callable):
        code, self.calls_reference = inspect.unwrap(reference).__code__, False

        def watch(frame, event, argument):
            self.calls_reference |= event == "call" and frame.f_code is code

        @functools.wraps(answer)
        def watched(*arguments, **named):
            sys.setprofile(watch)
            try:
                return answer(*arguments, **named)
            finally:
                sys.setprofile(None)

        self.answer = watched if callable(answer) else answer


if __name__ == "__main__":
    _check_here(Path(sys.argv[1]))
