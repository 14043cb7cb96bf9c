"""The environment of a lesson: its packages, its memory, and the threads that torch may use.

Runs before anything is installed, so it imports the standard library alone.
"""

import ctypes
import gc
import importlib
import importlib.metadata
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements.txt"
NEEDED = ("torch", "transformer_lens", "circuitsvis", "plotly", "ipywidgets", "einops", "gguf", "jaxtyping")
UNTOUCHED = ("torch", "numpy", "transformers", "ipywidgets", "plotly")  # in Colab's and Kaggle's versions


def check_environment():
    """Install what Colab and Kaggle lack, and keep what they have; elsewhere only look.

    Return the style of a lesson's page as HTML, which the set-up cell shows.

    A file of the learner's beside the lesson, such as ``torch.py``, hides no package after it.
    Raises ``ImportError`` when this kernel lacks packages, has them in versions that do not suit or
    cannot run them; the message says what to do.

    >>> check_environment()  # installs nothing where all packages are installed
    <IPython.core.display.HTML object>
    """
    _search_own_files_last()
    if sys.flags.optimize > 1:
        raise ImportError(
            "Expected a Python that keeps docstrings, which the package transformers reads, got one that "
            "drops them. Unset PYTHONOPTIMIZE and start Jupyter again."
        )
    hosted = "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ
    unmet = _unmet(except_for=UNTOUCHED if hosted else ())
    if unmet and not hosted:
        raise ImportError(_wrong_kernel(unmet))
    if unmet:
        _install(unmet)
    try:
        _import_libraries()
    except OSError as error:  # Windows says so of a DLL
        raise ImportError(
            f"torch is installed and cannot be loaded ({error}). On Windows install the Microsoft Visual "
            "C++ runtime, https://aka.ms/vs/17/release/vc_redist.x64.exe, and start Jupyter again."
        ) from error
    _explain_missing_names()
    _return_freed_memory()
    return _page_style()


def _import_libraries() -> None:
    """Import torch and TransformerLens while Python's garbage collector rests.

    It would go through their 350,000 objects again and again, for a fifth of the time. Nor does it
    later (``gc.freeze``): a collection during a lesson takes 10 ms instead of 200.
    """
    first = "transformer_lens.model_bridge" not in sys.modules
    gc.disable()
    try:
        importlib.import_module("torch")
        importlib.import_module("transformer_lens.model_bridge")
    finally:
        gc.enable()
    if first:  # a second freeze would keep what the learner drops
        gc.freeze()


def _return_freed_memory() -> None:
    """Let each cell end with what it freed given back to the system, which glibc alone would keep.

    Loading smollm2-135m frees 400 MB that would stay with this kernel.
    """
    from IPython import get_ipython

    if (shell := get_ipython()) and sys.platform == "linux":
        shell.events.register("post_run_cell", _trim_memory)


def _trim_memory(result=None) -> None:
    """Give freed memory back; other systems, and musl, have no such function or need none."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _explain_missing_names() -> None:
    """Let a ``NameError`` in a notebook say what to run first, and why a model is missing."""
    from IPython import get_ipython

    def explain(shell, kind, error, traceback, tb_offset=None):
        models = sys.modules.get("helpers.hub_errors")
        reasons = [models.ModelError.latest] if models and models.ModelError.latest else []
        advice = " ".join(["If a cell above defines it, run that cell first.", *reasons])
        error.args = (f"{error}. {advice}",)
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)

    if shell := get_ipython():
        shell.set_custom_exc((NameError,), explain)


def _page_style():
    """Return page.css as HTML; a script moves it to where scrolling does not remove it."""
    from IPython.display import HTML

    css = (ROOT / "helpers" / "page.css").read_text(encoding="utf-8")
    move = "document.head.append(document.getElementById('course-style'))"
    return HTML(f'<style id="course-style">{css}</style><script>{move}</script>')


def _search_own_files_last() -> None:
    """Move the kernel's working folder to the end of the module search path."""
    own = [path for path in sys.path if Path(path or ".").resolve() == Path.cwd() != ROOT]
    sys.path[:] = [path for path in sys.path if path not in own] + own


def _wrong_kernel(unmet: list[str]) -> str:
    """Say which packages the kernel lacks, which kernel to choose, and how to install them."""
    versions = {line: _version(_package(line)) for line in unmet}
    lines = [f"{line} (found {version})" if version else line for line, version in versions.items()]
    jupyter = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "jupyter"
    return (
        f"Expected the packages {', '.join(lines)} in the kernel's Python, {sys.executable}, and did not "
        f"find them. Choose the kernel of the course's .venv; in JupyterLab, start it as "
        f'"{jupyter}" lab. Or install them into this kernel\'s Python and restart the kernel: '
        f'"{sys.executable}" -m pip install -r "{REQUIREMENTS}"'
    )


def _install(requirements: list[str]) -> None:
    """Install packages, and keep those that Colab and Kaggle ship in the versions they have."""
    versions = [f"{name}=={_version(name)}" for name in UNTOUCHED if _version(name)]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(versions), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
        subprocess.run([*pip, *requirements], check=True)


def _unmet(except_for: tuple[str, ...]) -> list[str]:
    """Lines of requirements.txt that the installed packages do not meet, among ``NEEDED``."""
    lines = [line.split("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    return [
        line
        for line in lines
        if _package(line) in NEEDED and not _met(line, any_version=_package(line) in except_for)
    ]


def _met(requirement: str, any_version: bool) -> bool:
    """Return whether a requirement's package is installed, in a version that suits or in any."""
    installed = _version(_package(requirement))
    if installed is None or any_version:
        return installed is not None
    try:
        from packaging.requirements import Requirement
    except ImportError:  # it comes with pip's packages and with Jupyter's: nearly always there
        return True
    return Requirement(requirement).specifier.contains(installed, prereleases=True)


def _version(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(requirement: str) -> str:
    """Name of a requirement's package."""
    return re.split(r"[<>=!~ ]", requirement)[0]


def set_thread_defaults() -> None:
    """Set how torch's threads wait and how many there are, unless the user's environment says so.

    Waiting threads sleep instead of spinning: on a busy machine a spinning thread waits for one
    that has no core, and a lesson takes ten times as long. OpenMP counts the cores that this
    process may run on, but not a container's quota of CPU time. Both settings are read when torch
    is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if cpu_quota() < usable_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(cpu_quota()))))


def usable_cores() -> int:
    """Return the number of cores that this process may run on.

    >>> usable_cores() <= os.cpu_count()
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(membership: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the CPUs' worth of time that this process may use; infinite where there is no limit.

    Linux containers limit it by control groups, version 1 or 2
    (https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files).

    >>> cpu_quota() > 0
    True
    """
    return min(_quotas(membership, groups), default=math.inf)


def _quotas(membership: Path, groups: Path) -> Iterator[float]:
    """Yield the limits of the process's control groups and of all groups around them."""
    text = membership.read_text(encoding="utf-8") if membership.exists() else ""
    for controllers, path in re.findall(r"^\d+:([^:]*):(.*)$", text, re.MULTILINE):
        root = groups / "cpu" if "cpu" in controllers.split(",") else groups
        group = root / path.strip("/")
        for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(root))):
            try:
                yield _quota(folder)
            except (OSError, ValueError, IndexError):  # no limit: no such file, "max", -1
                continue


def _quota(folder: Path) -> float:
    """Return the limit of one control group; raise where it has none."""
    if (folder / "cpu.max").exists():
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
    else:
        quota, period = (
            (folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period")
        )
    if int(quota) <= 0:
        raise ValueError("no limit")
    return int(quota) / int(period)
