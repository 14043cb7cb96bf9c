"""A learner's own folder on a hub: copies of the lessons, and links to the rest of the course."""

import os
import shutil
import tempfile
from pathlib import Path

from helpers.build.lesson_files import ROOT, lessons

LINKED = ("helpers", "data", "README.md", "requirements.txt")  # what lessons read, and link to


def prepare(folder: Path) -> list[Path]:
    """Lay out a learner's folder; return the lessons that were copied into it.

    The course itself may be read-only. A file that is there is never replaced, so a learner who
    renames a lesson gets a fresh one beside it. Raises ``OSError``, for example when the learner's
    home is full; no file is then half written.

    >>> with tempfile.TemporaryDirectory() as home:
    ...     first, again = prepare(Path(home)), prepare(Path(home))
    ...     first[0].name, again
    ('00_start_here.ipynb', [])
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        _link(folder / name, ROOT / name)
    files = [*lessons(), ROOT / "notebooks/index.md"]
    missing = [file for file in files if not (notebooks / file.name).exists()]
    for file in missing:
        _copy(file, notebooks / file.name)
    return [notebooks / file.name for file in missing]


def _link(link: Path, target: Path) -> None:
    """Let a link lead to the course, also after the course has moved; leave a real file alone."""
    if link.is_symlink() and Path(os.readlink(link)) != target:
        link.unlink()
    if not link.exists():
        link.symlink_to(target)


def _copy(file: Path, copy: Path) -> None:
    """Copy a file, or leave nothing behind."""
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".") as temporary:
        written = shutil.copyfile(file, Path(temporary) / file.name)
        os.replace(written, copy)
