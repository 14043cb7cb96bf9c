"""Progress is kept in one file, which survives damage, a full disk and two notebooks at once."""

import errno
import json
import multiprocessing

import pytest

from helpers.exercises import progress_file


def test_a_passed_exercise_is_recorded_once():
    assert progress_file.read() == (set(), "")
    for id in ("0.3", "0.1", "0.3"):
        assert progress_file.record(id) == ""
    assert json.loads(progress_file.path().read_text(encoding="utf-8")) == {"passed": ["0.1", "0.3"]}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"passed": 3}', '{"passed": [1]}', "\x00\xff", '{"passed": null}', "[" * 100_000],
)
def test_a_damaged_file_is_kept_aside_with_a_note(content):
    file = progress_file.path()
    file.write_text(content, encoding="utf-8")
    note = progress_file.record("0.1")
    assert "damaged" in note and file.with_suffix(".damaged").read_text(encoding="utf-8") == content
    assert progress_file.read() == ({"0.1"}, "")


def test_an_empty_variable_names_no_file(monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "")
    assert progress_file.path().suffix == ".json"


def test_a_folder_that_cannot_be_written_is_reported(monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "/proc/nobody/progress.json")
    note = progress_file.record("0.1")
    assert note.startswith("Passed, but your progress could not be saved (No such file or directory)")


def test_a_file_that_cannot_be_read_is_not_written_over():
    file = progress_file.path()
    file.symlink_to(file)  # as unreadable as a file can be for every user
    assert "could not be read (Too many levels of symbolic links)" in progress_file.read()[1]
    assert "could not be saved (Too many levels of symbolic links)" in progress_file.record("0.2")
    assert file.is_symlink()


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available")])
def test_a_file_system_without_locks_is_reported(error, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(progress_file, "FileLock", refuse)
    assert "could not be saved (" in progress_file.record("0.1")


def record_on_a_full_disk() -> str:
    resource = pytest.importorskip("resource")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
    return progress_file.record("0.2")


@pytest.fixture
def fork():
    """A context whose processes are forks of this one, so that they keep its progress file."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("Windows has no fork")
    return multiprocessing.get_context("fork")


def test_a_full_disk_is_reported_and_the_progress_so_far_is_kept(fork):
    progress_file.record("0.1")
    with fork.Pool(1) as process:
        note = process.apply(record_on_a_full_disk)
    assert note.startswith("Passed, but your progress could not be saved (File too large)")
    assert progress_file.read() == ({"0.1"}, "")


def test_two_notebooks_save_at_once_and_nothing_is_lost(fork):
    ids = {f"{lesson}.{number}" for lesson in (1, 2) for number in range(40)}
    with fork.Pool(2) as processes:
        assert set(processes.map(progress_file.record, sorted(ids), chunksize=1)) == {""}
    assert progress_file.read() == (ids, "")
