"""The guard names what it refuses; ``test_build_recheck`` tries it in a process."""

import os

import pytest

from helpers.build.guard import watcher


@pytest.fixture
def refused():
    return []


@pytest.fixture
def guard(tmp_path, refused):
    for name in ("scratch", "private"):
        (tmp_path / name).mkdir()
    return watcher(tmp_path / "scratch", tmp_path / "private", refused)


@pytest.mark.parametrize(
    ("event", "arguments", "name"),
    [
        ("open", ("{}/other/a", "r", os.O_RDONLY), ""),
        ("open", ("{}/other/a", "w", os.O_WRONLY | os.O_CREAT), "writes a file (open a)"),
        ("open", ("{}/scratch/a", "w", os.O_WRONLY), ""),
        ("open", ("{}/scratch/../other/a", "w", os.O_WRONLY), "writes a file (open a)"),
        ("open", ("{}/scratch-too/a", "w", os.O_WRONLY), "writes a file (open a)"),
        ("open", ("{}/private/a", "r", os.O_RDONLY), "reads a file of the class (open a)"),
        ("open", (3, "w", os.O_WRONLY), ""),
        ("os.rename", ("{}/scratch/a", "{}/other/a", -1, -1), "changes files (os.rename a)"),
        ("os.rename", ("{}/scratch/a", "{}/scratch/b", -1, -1), ""),
        ("sqlite3.connect", ("{}/private/a",), "changes files (sqlite3.connect a)"),
        ("open", (os.devnull, "w", os.O_WRONLY), ""),
        ("os.mkdir", ("{}/scratch", 511, -1), ""),
        ("os.mkdir", ("{}/other", 511, -1), "changes files (os.mkdir other)"),
        ("os.fork", (), "starts a program (os.fork )"),
        ("os.kill", (1, 9), "ends a program (os.kill )"),
        ("compile", (b"\0", "file"), ""),
        ("import", ("torch",), ""),
    ],
)
def test_what_is_refused_has_a_name(guard, refused, tmp_path, event, arguments, name):
    arguments = tuple(each.format(tmp_path) if isinstance(each, str) else each for each in arguments)
    if name:
        with pytest.raises(PermissionError, match="A graded answer may not do this"):
            guard(event, arguments)
    else:
        guard(event, arguments)
    assert refused == ([name] if name else [])
