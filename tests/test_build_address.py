"""The repository's address, set everywhere at once."""

import json

import pytest

from helpers import __repository__
from helpers.build import address, lesson_files
from helpers.build.lesson_files import ROOT, lessons


def test_the_address_is_set_everywhere_from_one_command(tmp_path, monkeypatch):
    lesson = f"notebooks/{lessons()[0].name}"
    for name in ("helpers/__init__.py", "README.md", lesson):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    for module in (address, lesson_files):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    address.set_address("git@github.com:someone/course.git\n")
    package = (tmp_path / "helpers/__init__.py").read_text(encoding="utf-8")
    cells = json.loads((tmp_path / lesson).read_text(encoding="utf-8"))["cells"]
    assert '"https://github.com/someone/course"' in package
    assert "github/someone/course/blob/" in "".join(cells[0]["source"])
    assert '"https://github.com/someone/course"' in "".join(cells[1]["source"])
    old = __repository__.removeprefix("https://github.com/")
    assert old not in package + (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("url", ["", "https://example.org/a/b", "https://github.com/alone"])
def test_an_address_that_colab_cannot_open_is_refused(url):
    with pytest.raises(ValueError, match="Expected an address on GitHub.*Give one"):
        address.set_address(url)
