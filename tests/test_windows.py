"""As on Windows, imitated: the package is read, a lesson runs, and an endless answer is stopped."""

import os
import subprocess
import sys

import pytest

from tests.windows import CODECS, ROOT, windows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="imitates Windows on Linux")
IMPORT_ALL = """
import importlib, pkgutil, helpers
for module in pkgutil.walk_packages(helpers.__path__, "helpers."):
    importlib.import_module(module.name)
"""
ENDLESS = """
import signal
assert not hasattr(signal, "SIGALRM")
from helpers.exercises import get, trial
trial.TIME_LIMIT_SECONDS = 0.5
def answer(pattern):
    while True:
        try:
            sum(range(1000))
        except BaseException:
            pass
result = get("0.3").check(answer)
print(result.diagnosis)
"""


@pytest.fixture(scope="module", params=CODECS)
def run(request, tmp_path_factory):
    """Run Python with arguments as on Windows and return what it prints."""
    settings = windows(request.param, tmp_path_factory.mktemp("locale"))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def test_a_text_file_without_an_encoding_is_an_error(run):
    with pytest.raises(AssertionError, match="EncodingWarning"):
        run("-c", "import helpers.models as models; exec('open(__file__)', vars(models))")


def test_all_modules_are_read(run):
    run("-c", IMPORT_ALL)


def test_a_lesson_runs(run):
    printed = run("-m", "helpers.build.notebooks", "run", "notebooks/00_start_here.ipynb", "--as", "solved")
    assert printed.split() == ["0.1", "passed", "0.2", "passed", "0.3", "passed"]


def test_an_answer_that_swallows_every_exception_is_stopped(run):
    assert run("-c", ENDLESS).split() == ["too", "slow"]
