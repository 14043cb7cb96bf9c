"""A learner's progress: which exercises passed, in one small file outside the repository."""

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_data_dir

from helpers import __version__


def path() -> Path:
    """Return the progress file; the variable ``CIRCUITS_PROGRESS`` names another one."""
    default = Path(user_data_dir("transformer-circuits-course")) / f"progress-{__version__}.json"
    return Path(os.environ.get("CIRCUITS_PROGRESS") or default)


def read() -> tuple[set[str], str]:
    """Return the ids of the passed exercises, and a note for the learner (empty if all is well)."""
    try:
        return _parse(path())
    except OSError as error:
        return set(), f"Your progress could not be read ({error.strerror}): {path()}"


def _parse(file: Path) -> tuple[set[str], str]:
    """Return ids and note as ``read`` does, but raise ``OSError``.

    A damaged file is renamed to ``….damaged`` and progress starts over.
    """
    try:
        passed = json.loads(file.read_text(encoding="utf-8"))["passed"]
        if not all(isinstance(id, str) for id in passed):
            raise ValueError("ids are strings")
        return set(passed), ""
    except FileNotFoundError:
        return set(), ""
    except (ValueError, KeyError, TypeError, RecursionError):
        damaged = file.with_suffix(".damaged")
        os.replace(file, damaged)
        return set(), f"Your progress file was damaged, so progress starts over. The old file: {damaged}"


def record(exercise_id: str) -> str:
    """Add a passed exercise to the file; return a note if that is not possible.

    The file is replaced as a whole, never half written.
    """
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=2):
            passed, note = _parse(file)
            if exercise_id not in passed:
                new = file.with_suffix(".new")
                new.write_text(json.dumps({"passed": sorted(passed | {exercise_id})}), encoding="utf-8")
                os.replace(new, file)
        return note
    except (OSError, Timeout, NotImplementedError) as error:  # the last where files cannot be locked
        reason = (
            getattr(error, "strerror", None)
            or "the file is locked: another notebook is saving, or locks do not work here"
        )
        return f"Passed, but your progress could not be saved ({reason}): {file}"
