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
import secrets
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
ANSWER_SECONDS = 60  # for one answer with what it needs
STATUSES = ("passed", "failed", "not attempted", "stopped", "missing")
KEPT = (  # of the environment: where programs and caches are, and how torch counts its threads
    *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "LD_LIBRARY_PATH", "LANG"),
    *("LC_ALL", "XDG_CACHE_HOME", "XDG_DATA_HOME", "CIRCUITS_CACHE", "HF_HOME", "OMP_NUM_THREADS"),
)
REFERENCE_CALLED = "The answer calls the course's own solution."
MOST_CHARACTERS = 10_000  # of an answer's source, and of a message


@dataclass(frozen=True)
class Verdict:
    """The outcome of one exercise.

    ``status`` is one of ``STATUSES``. Raises ``ValueError`` for what no check has written.
    """

    id: str
    status: str
    diagnosis: str = ""
    message: str = ""
    source: str = ""

    def __post_init__(self):
        texts = (self.id, self.diagnosis, self.message, self.source)
        if self.status not in STATUSES or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"expected a verdict, got {self!r:.200}.")


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
    token = secrets.token_hex()  # begins each line that a check writes
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "CIRCUITS_PROGRESS": os.path.join(scratch, "progress.json"),
            "CUDA_VISIBLE_DEVICES": "",
            "TORCHDYNAMO_DISABLE": "1",  # torch.compile would start a compiler
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "IPYTHONDIR": scratch,
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        }
        command = [sys.executable, "-m", "helpers.build.recheck", os.path.abspath(private or scratch)]
        try:
            done = subprocess.run(
                command,
                input=json.dumps([token, [answer.as_dict() for answer in answers]]).encode(),
                capture_output=True,
                cwd=scratch,
                env=environment,
                timeout=START_SECONDS + ANSWER_SECONDS * len(answers),
            )
            output, errors = done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            output, errors = error.output or b"", b""
    ready, *lines = output.decode(errors="replace").splitlines() or [""]
    if ready != token:
        text = errors.decode(errors="replace")[-500:]
        raise RuntimeError(f"Expected a process that checks answers, got: {text}")
    return list(_verdicts(answers, lines, token))


def _verdicts(answers: list[Answer], lines: list[str], token: str) -> Iterator[Verdict]:
    """Yield the verdicts on the answers, up to a line that the checks did not write."""
    for answer, line in zip(answers, lines):
        with contextlib.suppress(ValueError, TypeError):
            verdict = Verdict(**json.loads(line.removeprefix(token)))
            if verdict.id == answer.id and line.startswith(token):
                yield verdict
                continue
        return


def _check_here(private: Path) -> None:
    """Check the answers on standard input, and write a line per verdict to standard output."""
    token, sources = json.load(sys.stdin)
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what answers print
        os.dup2(nowhere, stream)
    exercises.all_exercises()
    refused = guarded(Path.cwd(), private)
    memory = Config(HistoryManager={"hist_file": ":memory:"})
    shell = InteractiveShell.instance(config=memory)
    print(token, file=results, flush=True)
    for answer in sources:
        faulthandler.dump_traceback_later(ANSWER_SECONDS, exit=True, file=nowhere)
        verdict = judged(Answer(**answer), shell.run_cell, refused)
        print(token + json.dumps(asdict(verdict)), file=results, flush=True)


def judged(answer: Answer, run_cell: Callable, refused: list[str]) -> Verdict:
    """Execute an answer with what it needs, check it, and say what is wrong."""

    def verdict(status: str, diagnosis: str = "", message: str = "") -> Verdict:
        return Verdict(
            answer.id, status, diagnosis, message[:MOST_CHARACTERS], answer.source[:MOST_CHARACTERS]
        )

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
        return verdict("failed", "the cell fails", text)
    above = refused[:1]
    refused.clear()
    attempt.answer = without_reference(attempt.answer, attempt.exercise.reference)
    result = attempt.check()
    if refused:
        return verdict("failed", "not allowed", f"The answer {refused[0]}.")
    if REFERENCE_CALLED in result.message:
        return verdict("failed", "calls the reference", REFERENCE_CALLED)
    if above and result.status != "passed":
        text = f"A cell that the answer needs {above[0]}. Check this answer by hand."
        return verdict("failed", "not checked", text)
    if result.status == "passed" and _passes_a_mistake(attempt.exercise):
        text = "The check then passes a wrong function: an answer has changed the course's code."
        return verdict("failed", "changes the check", text)
    return verdict(result.status, result.diagnosis or "", result.message)


def _passes_a_mistake(exercise: Exercise) -> bool:
    """Return True if the check passes a known mistake, as it does only where it was changed."""
    return exercise.check(exercise.mistakes[0].answer).status == "passed"


def without_reference(answer: object, reference: Callable) -> object:
    """Return an answer that fails where it calls the reference of its exercise."""
    function = inspect.unwrap(reference)
    own = function.__code__

    def refusing(*arguments, **named):  # runs with the reference's globals: it uses none
        raise PermissionError("The answer calls the course's own solution.")

    @functools.wraps(answer)
    def watched(*arguments, **named):
        function.__code__ = inspect.unwrap(refusing).__code__
        try:
            return answer(*arguments, **named)
        finally:
            function.__code__ = own

    return watched if callable(answer) else answer


if __name__ == "__main__":
    _check_here(Path(sys.argv[1]))
