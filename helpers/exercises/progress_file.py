"""A learner's progress: which exercises passed, in one small file outside the repository."""

import json
import os
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_data_dir

from helpers import __version__


def path() -> Path:
    """Where progress is kept; the environment variable ``CIRCUITS_PROGRESS`` names another file."""
    default = Path(user_data_dir("transformer-circuits-course")) / f"progress-{__version__}.json"
    return Path(os.environ.get("CIRCUITS_PROGRESS") or default)


def read() -> tuple[set[str], str]:
    """Ids of the passed exercises, and a note for the learner (empty when all is well)."""
    try:
        return _load(path())
    except OSError as error:
        return set(), f"Your progress could not be read ({error.strerror}): {path()}"


def _load(file: Path) -> tuple[set[str], str]:
    """As ``read``, but raises ``OSError``. A damaged file is kept aside as ``….damaged`` and progress starts over."""
    try:
        passed = json.loads(file.read_text(encoding="utf8"))["passed"]
        if not all(isinstance(id, str) for id in passed):
            raise ValueError("ids are strings")
        return set(passed), ""
    except FileNotFoundError:
        return set(), ""
    except (ValueError, KeyError, TypeError, RecursionError):
        aside = file.with_suffix(".damaged")
        os.replace(file, aside)
        return set(), f"Your progress file was damaged, so progress starts over. The old file: {aside}"


def record(exercise_id: str) -> str:
    """Add a passed exercise; returns a note when that was not possible. The file is replaced whole, never half written."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=2):
            passed, note = _load(file)
            if exercise_id not in passed:
                new = file.with_suffix(".new")
                new.write_text(json.dumps({"passed": sorted(passed | {exercise_id})}), encoding="utf8")
                os.replace(new, file)
        return note
    except (OSError, Timeout, NotImplementedError) as error:  # the last where files can not be locked
        reason = (
            getattr(error, "strerror", None)
            or "the file is locked: another notebook is saving, or locks do not work here"
        )
        return f"Passed, but your progress could not be saved ({reason}): {file}"
