"""What Google Colab lacks: the packages of requirements.txt that a lesson imports, installed without touching the rest."""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

NEEDED = ("transformer_lens", "circuitsvis", "plotly", "ipywidgets", "einops", "jaxtyping")
UNTOUCHED = ("torch", "numpy", "transformers", "ipywidgets", "plotly")


def _missing() -> list[str]:
    """The lines of requirements.txt for packages that a lesson needs and that are not installed."""
    lines = (Path(__file__).parents[1] / "requirements.txt").read_text().splitlines()
    requirements = [line.split("#")[0].strip() for line in lines]
    return [
        line
        for line in requirements
        if line and re.split(r"[<>=!~ ]", line)[0] in NEEDED and not _version(line)
    ]


def _version(requirement: str) -> str | None:
    """The installed version of a requirement's package, if any."""
    try:
        return importlib.metadata.version(re.split(r"[<>=!~ ]", requirement)[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def install_missing() -> None:
    """On Colab, install what is missing and keep what Colab ships at its version; elsewhere, say how to install."""
    packages = _missing()
    if packages and "google.colab" not in sys.modules:
        raise ImportError(
            f"missing: {', '.join(packages)}. Install them with: pip install -r requirements.txt"
        )
    if packages:
        kept = [f"{name}=={_version(name)}" for name in UNTOUCHED if _version(name)]
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
            constraints.write("\n".join(kept))
            constraints.flush()
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--constraint",
                constraints.name,
                *packages,
            ]
            subprocess.run(command, check=True)
