"""A learner's folder on a hub: copies that are never replaced, links to the course, nothing half written."""

import errno

import pytest

from helpers.build import learner_folder
from helpers.build.learner_folder import LINKED, prepare
from helpers.build.lesson_files import ROOT, lessons

FIRST = "notebooks/00_start_here.ipynb"


def test_lessons_are_copies_and_the_rest_are_links(tmp_path):
    copied = prepare(tmp_path / "course")
    assert [path.name for path in copied] == [*(path.name for path in lessons()), "index.md"]
    assert all(path.is_file() and not path.is_symlink() for path in copied)
    assert all((tmp_path / "course" / name).resolve() == ROOT / name for name in LINKED)


def test_answers_stay_and_a_renamed_lesson_gets_a_fresh_one_beside_it(tmp_path):
    prepare(tmp_path)
    answers = tmp_path / FIRST
    answers.write_text("answers", encoding="utf-8")
    assert prepare(tmp_path) == [] and answers.read_text(encoding="utf-8") == "answers"
    answers.rename(tmp_path / "notebooks/mine.ipynb")
    assert prepare(tmp_path) == [answers]
    assert answers.read_bytes() == (ROOT / FIRST).read_bytes()
    assert (tmp_path / "notebooks/mine.ipynb").read_text(encoding="utf-8") == "answers"


def test_links_follow_a_course_that_has_moved_and_own_files_stay(tmp_path):
    (tmp_path / "helpers").symlink_to(tmp_path / "former place/helpers")
    (tmp_path / "README.md").write_text("own", encoding="utf-8")
    prepare(tmp_path)
    assert (tmp_path / "helpers").resolve() == ROOT / "helpers"
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "own"


def test_a_full_home_leaves_no_half_lesson(tmp_path, monkeypatch):
    def half(source, target):
        target.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(learner_folder.shutil, "copyfile", half)
        with pytest.raises(OSError, match="No space left"):
            prepare(tmp_path)
    assert list((tmp_path / "notebooks").iterdir()) == []
    assert len(prepare(tmp_path)) == len(lessons()) + 1
