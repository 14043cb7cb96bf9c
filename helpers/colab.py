"""Installation on Google Colab: the packages that a lesson needs and Colab lacks, nothing else."""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = ("transformer_lens", "circuitsvis", "plotly", "ipywidgets", "einops", "jaxtyping")
UNTOUCHED = ("torch", "numpy", "transformers", "ipywidgets", "plotly")


def install_missing() -> None:
    """Install missing packages on Colab and keep those it ships; elsewhere raise ``ImportError``.

    The error names the packages and the command that installs them.

    >>> install_missing()  # does nothing where all packages are installed
    """
    packages = _missing()
    if packages and "google.colab" not in sys.modules:
        raise ImportError(
            f"packages are missing: {', '.join(packages)}. "
            "Install them with `pip install -r requirements.txt`."
        )
    if packages:
        versions = [f"{name}=={_version(name)}" for name in UNTOUCHED if _version(name)]
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as constraints:
            constraints.write("\n".join(versions))
            constraints.flush()
            pip = [sys.executable, "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--constraint", constraints.name, *packages], check=True)


def _missing() -> list[str]:
    """Lines of requirements.txt for packages that a lesson needs and that are not installed."""
    file = Path(__file__).parents[1] / "requirements.txt"
    lines = [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if _package(line) in NEEDED and not _version(line)]


def _version(requirement: str) -> str | None:
    """Return the installed version of a requirement's package, or None."""
    try:
        return importlib.metadata.version(_package(requirement))
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(requirement: str) -> str:
    """Name of a requirement's package."""
    return re.split(r"[<>=!~ ]", requirement)[0]
