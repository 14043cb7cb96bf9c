"""The first cell of every lesson, wherever it is run; what is installed and what is only named; torch's threads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbclient
import nbformat
import pytest

import helpers
from helpers import PYTHON_VERSIONS, __repository__, __version__, environment
from helpers.build.committed_form import first_cell
from helpers.build.lesson_files import ROOT
from helpers.environment import REQUIREMENTS, check_environment, cpu_quota, set_thread_defaults


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


def run_alone(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess:
    """Run code with Python in a folder of its own, with nothing of this process's environment."""
    (folder / "alone.py").write_text(code, encoding="utf-8")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUTF8": "1"} | variables
    return subprocess.run(
        [sys.executable, "alone.py"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


WHERE = "import helpers\nprint(helpers.__file__, sys.path.count(str(root)))"
AWAY = "import sys\nsys.prefix = '/nowhere/.venv'\n"  # a Python that is not that of the course's .venv


@pytest.mark.parametrize("host", ["Colab", "Kaggle"])
def test_colab_and_kaggle_fetch_the_course_once_and_the_cell_is_safe_to_run_twice(host, remote, tmp_path):
    (tmp_path / "google").mkdir()
    (tmp_path / "google/colab.py").touch()
    cell = first_cell().replace(__repository__, f"file://{remote}")
    start = AWAY + ("import google.colab\n" if host == "Colab" else "")
    variables = {"PYTHONPATH": str(tmp_path)} | (
        {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"} if host == "Kaggle" else {}
    )
    done = run_alone(tmp_path, f"{start}{cell}\n{cell}\n{WHERE}", **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "transformer-circuits/helpers/__init__.py"), "1"]


def test_without_a_network_kaggle_gets_one_sentence(tmp_path):
    cell = first_cell().replace(__repository__, f"file://{tmp_path}/nothing")
    done = run_alone(tmp_path, AWAY + cell, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    assert "access to the internet turned on?" in done.stderr.splitlines()[-1]


def test_elsewhere_a_lesson_away_from_its_course_fetches_nothing_and_says_what_to_do(tmp_path):
    """Unless its Python is that of the course's .venv, which leads to the course."""
    done = run_alone(tmp_path, AWAY + first_cell())
    assert f"Expected the course in {tmp_path} or above it, found none." in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["alone.py"]
    inside = f"import sys\nsys.prefix = {str(ROOT / '.venv')!r}\n"
    done = run_alone(tmp_path, f"{inside}{first_cell()}\n{WHERE}")
    assert done.stdout.split() == [str(ROOT / "helpers/__init__.py"), "1"], done.stderr


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 15), (4, 0)])
def test_another_python_gets_one_sentence(version, monkeypatch):
    source = Path(helpers.__file__).read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    with pytest.raises(ImportError) as caught:
        exec(source, {})
    sentence = str(caught.value)
    assert (
        f"needs Python 3.11 to 3.14; this is Python {version[0]}.{version[1]}, {sys.executable}" in sentence
    )


def test_the_check_of_the_version_is_read_by_old_pythons():
    """No syntax younger than Python 3.5 up to the check, and nothing imported before it but sys."""
    source = Path(helpers.__file__).read_text(encoding="utf-8").partition("from helpers")[0]
    compile(source, "helpers", "exec")
    assert 'f"' not in source and ":=" not in source and "match " not in source
    assert [line for line in source.splitlines() if line.startswith(("import", "from"))] == ["import sys"]


def test_the_readme_names_the_pythons():
    oldest, newest = (f"{major}.{minor}" for major, minor in PYTHON_VERSIONS)
    assert f"Python {oldest} to {newest}" in (ROOT / "README.md").read_text(encoding="utf-8")


def with_versions(monkeypatch, **versions: str | None) -> None:
    """Let packages be installed in other versions, or not at all."""
    real = environment.importlib.metadata.version

    def version(name):
        if versions.get(name, "") is None:
            raise environment.importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(environment.importlib.metadata, "version", version)


@pytest.fixture
def pip(monkeypatch) -> list[tuple[list[str], str]]:
    """The pip commands that would have been run, each with its constraints."""
    commands = []

    def run(command, check):
        constraints = Path(command[command.index("--constraint") + 1])
        commands.append((command, constraints.read_text(encoding="utf-8")))

    monkeypatch.setattr(environment.subprocess, "run", run)
    return commands


@pytest.fixture
def on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())


def test_nothing_is_installed_where_nothing_is_missing(pip):
    check_environment()
    assert pip == []


def test_on_colab_only_what_is_missing_is_installed_and_torch_is_kept(monkeypatch, pip, on_colab):
    with_versions(monkeypatch, transformer_lens=None, circuitsvis=None, nbval=None, jupyterlab=None)
    check_environment()
    [(command, constraints)] = pip
    assert [part.split(">")[0] for part in command[-2:]] == ["transformer_lens", "circuitsvis"]
    assert not any(part.startswith(("torch>", "torch=", "numpy")) for part in command)
    assert {line.split("==")[0] for line in constraints.splitlines()} == set(environment.UNTOUCHED)


def test_on_colab_an_old_transformer_lens_is_replaced_and_an_old_plotly_is_not(monkeypatch, pip, on_colab):
    with_versions(monkeypatch, transformer_lens="2.15.4", plotly="5.24.1", ipywidgets="7.7.1", torch="2.20.0")
    check_environment()
    [(command, constraints)] = pip
    assert [part for part in command if ">" in part] == ["transformer_lens>=4.3,<5"]
    assert "plotly==5.24.1" in constraints and "torch==2.20.0" in constraints


@pytest.mark.parametrize("version", [None, "2.15.4"])
def test_elsewhere_packages_are_named_with_interpreter_file_and_kernel(version, monkeypatch, pip):
    with_versions(monkeypatch, transformer_lens=version, torch=version)
    with pytest.raises(ImportError) as caught:
        check_environment()
    sentence = str(caught.value)
    found = f" (found {version})" if version else ""
    assert "Expected the packages torch>=2.11" in sentence
    assert f", transformer_lens>=4.3,<5{found} in the kernel's Python, {sys.executable}," in sentence
    assert (
        f"the kernel's Python, {sys.executable}" in sentence
        and "the kernel of the course's .venv" in sentence
    )
    assert f'"{sys.executable}" -m pip install -r "{REQUIREMENTS}"' in sentence
    assert REQUIREMENTS.is_absolute() and pip == []


@pytest.mark.parametrize("name", ["torch", "einops", "plotly", "helpers"])
def test_a_learners_own_file_hides_no_package(name, tmp_path):
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong file')", encoding="utf-8")
    (tmp_path / "mine.py").write_text("x = 3", encoding="utf-8")
    done = run_alone(
        tmp_path,
        f"import sys\nsys.prefix = {str(ROOT / '.venv')!r}\n{first_cell()}\nimport {name}, mine\nprint(mine.x)",
    )
    assert done.stdout.split() == ["3"], done.stderr


def test_a_python_without_docstrings_and_a_torch_without_its_libraries_get_a_sentence(monkeypatch):
    def fail(name):
        raise OSError(f"[WinError 126] Error loading fbgemm.dll of {name}")

    monkeypatch.setattr(environment.importlib, "import_module", fail)
    with pytest.raises(
        ImportError, match=r"fbgemm.dll of torch\). On Windows install the Microsoft Visual C\+\+"
    ):
        check_environment()
    monkeypatch.setattr(sys, "flags", SimpleNamespace(optimize=2))
    with pytest.raises(ImportError, match="Unset PYTHONOPTIMIZE and start Jupyter again"):
        check_environment()


def groups(folder: Path, membership: str, **files: str) -> dict[str, Path]:
    """Control groups as files: ``cpu.max`` and others by their path, with ``__`` for a slash."""
    (folder / "membership").write_text(membership, encoding="utf-8")
    for name, content in files.items():
        file = folder / "groups" / name.replace("__", "/").replace("_max", ".max").replace("cfs", "cpu.cfs")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n", encoding="utf-8")
    return {"membership": folder / "membership", "groups": folder / "groups"}


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/", {}, float("inf")),
        ("0::/", {"cpu_max": "max 100000"}, float("inf")),
        ("0::/", {"cpu_max": "150000 100000"}, 1.5),
        ("0::/pod/lesson", {"pod__cpu_max": "50000 100000", "pod__lesson__cpu_max": "max 100000"}, 0.5),
        ("4:cpu,cpuacct:/docker/1\n0::/", {"cpu__cfs_quota_us": "200000", "cpu__cfs_period_us": "100000"}, 2),
        ("1:cpu:/q", {"cpu__q__cfs_quota_us": "-1", "cpu__q__cfs_period_us": "100000"}, float("inf")),
        ("not a group", {}, float("inf")),
    ],
)
def test_the_quota_of_a_container(membership, files, expected, tmp_path):
    assert cpu_quota(**groups(tmp_path, membership, **files)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path / "absent", tmp_path) == float("inf")


@pytest.mark.parametrize(("quota", "threads"), [(0.5, "1"), (1.0, "1"), (2.5, "2"), (64, None)])
def test_torch_gets_as_many_threads_as_the_quota_allows(quota, threads, monkeypatch):
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is set back
        monkeypatch.delenv(name)
    monkeypatch.setattr(environment, "cpu_quota", lambda: quota)
    monkeypatch.setattr(environment, "usable_cores", lambda: 64)
    set_thread_defaults()
    assert os.environ.get("OMP_NUM_THREADS") == threads and os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_the_users_own_setting_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setattr(environment, "cpu_quota", lambda: 1.0)
    set_thread_defaults()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"]) == ("7", "ACTIVE")


def test_threads_are_set_before_torch_is_imported():
    code = "import sys, helpers; assert 'torch' not in sys.modules; import os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.split() == ["PASSIVE"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems get freed memory back, or keep it")
def test_a_kernel_gives_back_what_a_cell_freed_and_collects_no_garbage_of_libraries():
    """Blocks below one that stays are what glibc keeps by itself."""
    sources = [
        "from helpers.environment import check_environment\ncheck_environment(); check_environment();",
        "import gc, psutil\nkernel = psutil.Process()\nprint(gc.isenabled(), gc.get_freeze_count() > 200_000)",
        "blocks = [bytearray(10_000) for _ in range(20_000)]\nlast = bytearray(10_000)\ndel blocks\n"
        "freed = kernel.memory_info().rss",
        "print(freed - kernel.memory_info().rss > 150_000_000)",
        "mine = [[] for _ in range(1000)]\nfrozen = gc.get_freeze_count()\ncheck_environment()\n"
        "print(gc.get_freeze_count() == frozen)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbclient.execute(notebook, cwd=str(ROOT))
    printed = [output.text for cell in notebook.cells for output in cell.outputs if "text" in output]
    assert "".join(printed).split() == ["True", "True", "True", "True"]


def test_a_missing_name_says_what_to_run_first_and_why_a_model_is_missing(tmp_path):
    """Each later cell of a lesson whose model could not be loaded names the reason."""
    sources = [
        "from helpers.environment import check_environment\ncheck_environment();",
        "from helpers.models import load_model\nmodel = load_model('smollm2-135')",
        "model.cfg",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.execute(notebook, cwd=str(ROOT), allow_errors=True)
    first, second = (cell.outputs[-1].evalue for cell in notebook.cells[1:])
    assert first in second and "run that cell first" in second
