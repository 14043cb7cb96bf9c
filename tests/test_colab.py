"""The first cell of every lesson, alone in a folder as on Colab; and what would be installed there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import __repository__, __version__, colab
from helpers.build.committed_form import first_cell
from helpers.build.lesson_files import ROOT


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """The package as a repository with the course's tag."""
    folder = tmp_path_factory.mktemp("remote")
    shutil.copytree(ROOT / "helpers", folder / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", folder)
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], ["tag", f"v{__version__}"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def test_the_first_cell_fetches_the_course_once_and_is_safe_to_run_twice(remote, tmp_path):
    (tmp_path / "google").mkdir()
    (tmp_path / "google/colab.py").touch()
    cell = first_cell().replace(__repository__, f"file://{remote}")
    code = f"import google.colab\n{cell}\n{cell}\nimport helpers\nprint(helpers.__file__, sys.path.count(str(root)))"
    (tmp_path / "alone.py").write_text(code, encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "alone.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "transformer-circuits/helpers/__init__.py"), "1"]


def without(monkeypatch, *absent):
    real = colab.importlib.metadata.version

    def version(name):
        if name in absent:
            raise colab.importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(colab.importlib.metadata, "version", version)


def test_nothing_is_installed_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(colab.subprocess, "run", lambda *_, **__: pytest.fail("ran pip"))
    colab.install_missing()


def test_on_colab_only_what_is_missing_is_installed_and_torch_is_kept(monkeypatch):
    without(monkeypatch, "transformer_lens", "circuitsvis", "nbval", "jupyterlab")
    monkeypatch.setitem(sys.modules, "google.colab", object())
    ran = []

    def run(command, check):
        file = Path(command[command.index("--constraint") + 1])
        ran.append((command, file.read_text(encoding="utf-8")))

    monkeypatch.setattr(colab.subprocess, "run", run)
    colab.install_missing()
    [(command, constraints)] = ran
    assert [part.split(">")[0] for part in command[-2:]] == ["transformer_lens", "circuitsvis"]
    assert not any(part.startswith(("torch>", "torch=", "numpy")) for part in command)
    assert {line.split("==")[0] for line in constraints.splitlines()} == set(colab.UNTOUCHED)


def test_elsewhere_a_missing_package_is_named_with_the_command(monkeypatch):
    without(monkeypatch, "transformer_lens")
    with pytest.raises(ImportError, match="missing: transformer_lens.*pip install -r requirements.txt"):
        colab.install_missing()
