"""Progress is kept in one file, which survives releases, damage, a full disk and two notebooks at once."""

import errno
import json
import multiprocessing
from collections import Counter
from pathlib import Path

import pytest

from helpers import exercises
from helpers.exercises import progress_file


def write(file: Path, *passed: str) -> None:
    file.write_text(json.dumps({"passed": passed}), encoding="utf-8")


def test_a_passed_exercise_is_recorded_once():
    assert progress_file.read() == (set(), "")
    for name in ("rotate", "ablate_head", "rotate"):
        assert progress_file.record(name) == ""
    written = json.loads(progress_file.path().read_text(encoding="utf-8"))
    assert written["passed"] == ["ablate_head", "rotate"]


def test_names_of_exercises_are_unique():
    names = Counter(exercise.name for exercise in exercises.all_exercises())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_exercises_of_the_first_release_keep_their_names():
    """Progress files hold these names: a function that is renamed loses every learner's progress."""
    names = {exercise.name for exercise in exercises.all_exercises()}
    assert set(progress_file.NAME_OF.values()) <= names
    assert progress_file.NAME_OF["0.3"] == "previous_token_score"
    assert progress_file.NAME_OF["6.8"] == "kl_divergence" and len(progress_file.NAME_OF) == 69


def test_progress_of_the_first_release_counts_beside_what_passed_since():
    old = progress_file.path().with_name("progress-1.0.0.json")
    write(old, "0.3", "1.10")
    assert progress_file.read() == ({"previous_token_score", "cosine_and_norm_change"}, "")
    progress_file.record("rotate")
    assert progress_file.read() == ({"previous_token_score", "cosine_and_norm_change", "rotate"}, "")
    assert json.loads(old.read_text(encoding="utf-8")) == {"passed": ["0.3", "1.10"]}


def test_ids_in_a_file_that_the_variable_names_are_kept_and_read(monkeypatch, tmp_path):
    """The first release wrote ids there, and may be run again."""
    monkeypatch.setenv("CIRCUITS_PROGRESS", str(tmp_path / "alice.json"))
    write(tmp_path / "alice.json", "0.1")
    write(tmp_path / "progress-1.0.0.json", "0.2")  # somebody else's
    progress_file.record("rotate")
    assert progress_file.read() == ({"attention_pattern", "rotate"}, "")
    assert json.loads((tmp_path / "alice.json").read_text(encoding="utf-8"))["passed"] == ["0.1", "rotate"]


def test_a_damaged_file_of_the_first_release_does_not_hide_what_passed_since():
    progress_file.record("rotate")
    progress_file.path().with_name("progress-1.0.0.json").write_text("{", encoding="utf-8")
    passed, note = progress_file.read()
    assert passed == {"rotate"} and "progress-1.0.0.json.damaged" in note


def test_progress_is_no_matter_of_the_version(monkeypatch):
    monkeypatch.delenv("CIRCUITS_PROGRESS")
    assert progress_file.path().name == "progress.json"


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("~/kept.json", "home/kept.json"),
        ("~", "home/progress.json"),
        (".", "here/progress.json"),
        ("..", "progress.json"),
        ("~/course/", "home/course/progress.json"),
        ("kept.json", "here/kept.json"),
    ],
)
def test_the_variable_names_a_file_or_a_folder(named, file, monkeypatch, tmp_path):
    for name, folder in (("HOME", "home"), ("USERPROFILE", "home"), (None, "here")):
        (tmp_path / folder).mkdir(exist_ok=True)
        if name:
            monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("CIRCUITS_PROGRESS", named)
    assert progress_file.record("rotate") == ""
    assert progress_file.path().resolve() == (tmp_path / file).resolve()
    assert (tmp_path / file).is_file() and progress_file.read() == ({"rotate"}, "")
    assert not list(tmp_path.rglob("~"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"passed": 3}',
        '{"predictions": 3}',
        '{"predictions": {"0.a": {"choice": 3}}}',
        '{"golf": {"ioi": 3}}',
        '{"golf": {"ioi": [{"size": 3}]}}',
        '{"passed": [1]}',
        "\x00\xff",
        '{"passed": null}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_kept_aside_with_a_note(content):
    file = progress_file.path()
    file.write_text(content, encoding="utf-8")
    note = progress_file.record("rotate")
    damaged = file.with_name(f"{file.name}.damaged")
    assert "damaged" in note and damaged.read_text(encoding="utf-8") == content
    assert progress_file.read() == ({"rotate"}, "")


def test_an_empty_variable_names_no_file(monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "")
    assert progress_file.path().suffix == ".json"


def test_a_folder_that_cannot_be_written_is_reported(monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "/proc/nobody/progress.json")
    note = progress_file.record("rotate")
    assert note.startswith("Passed, but your progress could not be saved (No such file or directory)")


def test_a_file_that_cannot_be_read_is_not_written_over():
    file = progress_file.path()
    file.symlink_to(file)  # as unreadable as a file can be for every user
    assert "could not be read (Too many levels of symbolic links)" in progress_file.read()[1]
    assert "could not be saved (Too many levels of symbolic links)" in progress_file.record("spectrum")
    assert file.is_symlink()


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.ENOLCK, "No locks available")])
def test_a_file_system_without_locks_is_reported(error, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(progress_file, "FileLock", refuse)
    assert "could not be saved (" in progress_file.record("rotate")


def record_on_a_full_disk() -> str:
    resource = pytest.importorskip("resource")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
    return progress_file.record("spectrum")


def test_what_a_full_disk_refused_is_saved_with_the_next_change(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(progress_file.os, "replace", refuse)
        assert progress_file.record("rotate").endswith("run a check again.")
        assert progress_file.record_attempt("ioi", size="3").startswith("Your attempt could not be saved (No")
    assert progress_file.record("spectrum") == progress_file.record("dimensions") == ""
    assert progress_file.read() == ({"rotate", "spectrum", "dimensions"}, "")
    assert progress_file.attempts("ioi") == [{"size": "3"}]


@pytest.fixture
def fork():
    """A context whose processes are forks of this one, so that they keep its progress file."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("Windows has no fork")
    return multiprocessing.get_context("fork")


def test_a_full_disk_is_reported_and_the_progress_so_far_is_kept(fork):
    progress_file.record("rotate")
    with fork.Pool(1) as process:
        note = process.apply(record_on_a_full_disk)
    assert note.startswith("Passed, but your progress could not be saved (File too large)")
    assert progress_file.read() == ({"rotate"}, "")


def test_two_notebooks_save_at_once_and_nothing_is_lost(fork):
    names = {f"exercise_{number}" for number in range(80)}
    with fork.Pool(2) as processes:
        assert set(processes.map(progress_file.record, sorted(names), chunksize=1)) == {""}
    assert progress_file.read() == (names, "")


def test_what_was_predicted_stands_beside_what_passed():
    assert progress_file.record_prediction("0.a", choice="one") == ""
    progress_file.record("rotate")
    progress_file.record_prediction("0.a", answer="two")
    assert progress_file.predictions() == {"0.a": {"choice": "one", "answer": "two"}}
    assert progress_file.read() == ({"rotate"}, "")


def test_a_prediction_that_cannot_be_saved_is_reported(monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", "/proc/nobody/progress.json")
    note = progress_file.record_prediction("0.a", choice="one")
    assert note.startswith("Your prediction could not be saved (No such file or directory)")
    assert progress_file.predictions() == {}
