"""The course on the oldest and newest packages that requirements.txt allows, and on Colab's.

    python -m tests.versions oldest FOLDER --python python3.11    # makes an environment in FOLDER, runs all tests in it
    python -m tests.versions newest FOLDER --python python3.13
    python -m tests.versions colab FOLDER --python python3.13     # runs every notebook as on Colab, alone in a folder

Needs uv (``pip install uv``), which finds the oldest versions that go together. An existing environment is used again.
Further options go to pytest.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from helpers import __repository__, __version__
from helpers.build.lesson_files import ROOT, lessons, outputs_of, read_lesson
from helpers.build.lesson_runs import seconds, statuses
from helpers.environment import UNTOUCHED

REQUIREMENTS = ("-r", str(ROOT / "requirements.txt"))
COLAB = (  # packages that Colab ships and the course uses
    "torch==2.11.*", "numpy==2.1.*", "transformers==5.15.*", "plotly==5.24.*", "ipywidgets==7.7.1", "ipython==7.34.0",
    "ipykernel==6.17.1", "nbclient", "accelerate", "datasets", "einops", "pandas", "sentencepiece", "wandb", "matplotlib",
    "platformdirs", "filelock",
)  # fmt: skip
EXECUTE = (
    "import nbclient, nbformat, sys; notebook = nbformat.read(sys.argv[1], 4); "
    "nbclient.execute(notebook, timeout=600, kernel_name='python3'); nbformat.write(notebook, sys.argv[1])"
)


def environment(folder: Path, python: str, *requirements: str) -> Path:
    """Return the Python of a virtual environment with these requirements; make it if there is none."""
    inside = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        subprocess.run(
            ["uv", "venv", "--quiet", "--seed", "--clear", "--python", python, str(folder)], check=True
        )
        subprocess.run(
            ["uv", "pip", "install", "--quiet", "--python", str(inside), *requirements], check=True
        )
        complete.touch()
    return inside


def installed(python: Path) -> tuple[dict[str, str], float]:
    """Return the versions of all packages of an environment, and its size in MB."""
    frozen = subprocess.run(
        [str(python), "-m", "pip", "freeze"], capture_output=True, encoding="utf-8", check=True
    )
    versions = dict(line.split("==") for line in frozen.stdout.splitlines() if "==" in line)
    size = sum(file.stat().st_size for file in python.parents[1].rglob("*") if not file.is_symlink())
    return versions, size / 1e6


def as_on_colab(folder: Path) -> dict[str, str]:
    """Return a process environment with a stub of ``google.colab`` and a local clone at the course's address."""
    (folder / "stub/google/colab").mkdir(parents=True)
    (folder / "stub/google/colab/__init__.py").touch()
    (folder / "stub/sitecustomize.py").write_text(
        "import google.colab\n", encoding="utf-8"
    )  # Colab's kernels have imported it
    remote = folder / "remote"
    subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", str(remote)], check=True)
    subprocess.run(["git", "tag", "--force", f"v{__version__}"], cwd=remote, check=True, capture_output=True)
    return {
        **os.environ,
        "PYTHONPATH": str(folder / "stub"),
        "HOME": str(folder),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.file://{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": __repository__,
        "GIT_CONFIG_KEY_1": "advice.detachedHead",
        "GIT_CONFIG_VALUE_1": "false",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def run_on_colab(base: Path) -> None:
    """Run every notebook alone in a folder and print what its first cell installed.

    All share one environment, so the first notebook installs.
    """
    python = base / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        settings = as_on_colab(Path(scratch))
        print(
            f"{'notebook':42}{'seconds':>9}{'first cell':>12}{'installed MB':>14}   installed packages, exercises"
        )
        for path in lessons():
            alone = Path(scratch) / path.stem
            alone.mkdir()
            shutil.copy(path, alone)
            before, size = installed(python)
            started = time.perf_counter()
            subprocess.run([str(python), "-c", EXECUTE, path.name], cwd=alone, env=settings, check=True)
            taken = time.perf_counter() - started
            after, grown = installed(python)
            changed = {name for name in before if after.get(name) != before[name]}
            assert not changed, f"changed what Colab ships: {changed}"
            notebook = read_lesson(alone / path.name)
            assert set(statuses(notebook).values()) <= {"not attempted"}
            errors = [output.text for output in outputs_of(notebook.cells) if output.get("name") == "stderr"]
            assert not any("Traceback" in text for text in errors), errors
            first = seconds(next(cell for cell in notebook.cells if cell.cell_type == "code"))
            added = ", ".join(sorted(after.keys() - before.keys())) or "nothing"
            print(
                f"{path.stem:42}{taken:9.1f}{first:12.1f}{grown - size:14.1f}   {added}; {len(statuses(notebook))}",
                flush=True,
            )
        print("untouched:", ", ".join(f"{name} {after[name]}" for name in UNTOUCHED))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.versions", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("kind", choices=["oldest", "newest", "colab"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="python3", help="the interpreter")
    arguments, pytest_options = parser.parse_known_args()
    if arguments.kind == "colab":
        environment(arguments.folder, arguments.python, *COLAB)
        run_on_colab(arguments.folder.resolve())
        return
    resolution = "lowest-direct" if arguments.kind == "oldest" else "highest"
    python = environment(arguments.folder, arguments.python, "--resolution", resolution, *REQUIREMENTS)
    command = [str(python.absolute()), "-m", "pytest", "-n", "2", "--dist", "loadfile", *pytest_options]
    raise SystemExit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
