"""The repository's address, which badges, first cells, the README and the package name."""

import re
import subprocess

from helpers import __repository__
from helpers.build.lesson_files import ROOT, lessons


def set_address(url: str) -> None:
    """Write the address into the package, the README, and every lesson's first cell and badge.

    Raises ``ValueError`` when it is not that of a repository on GitHub.
    """
    url = re.sub(r"^git@github.com:|^ssh://git@github.com/", "https://github.com/", url.strip())
    url = url.removesuffix(".git")
    if not re.fullmatch(r"https://github\.com/[^/]+/[^/]+", url):
        raise ValueError(
            f"Expected an address on GitHub, from which Colab opens notebooks, got {url!r}. "
            "Give one such as https://github.com/OWNER/REPOSITORY."
        )
    old, new = (address.removeprefix("https://github.com/") for address in (__repository__, url))
    for file in [ROOT / "helpers/__init__.py", ROOT / "README.md", *lessons()]:
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def remote_address() -> str:
    """Return the address of the git remote "origin", empty where there is none."""
    command = ["git", "remote", "get-url", "origin"]
    return subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()
