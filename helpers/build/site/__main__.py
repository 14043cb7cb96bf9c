"""The command that writes the site from the committed notebooks, without running them.

    python -m helpers.build.site FOLDER

Needs the packages of ``helpers/build/requirements.txt`` and no network. Open FOLDER/index.html.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.build.lesson_files import ROOT
from helpers.build.site.staging import stage

BUILT = ".buildinfo"  # what Sphinx leaves in a folder
SCRIPT = r'<script[^>]* src="(?:[^"]*/)?(?:{names})\.js[^"]*"></script>'
ICONS, SEARCH = "fontawesome", "searchtools|language_data|searchindex"
PLAIN_CODE = re.compile(r'<span class="[npw]">([^<]*)</span>')  # names, punctuation, space: as the rest


def main() -> None:
    """Build the site into the folder that the argument names."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.site",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    try:
        build(parser.parse_args().folder)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def build(folder: Path) -> None:
    """Write the site into a folder that is empty, or that holds an older build, which it replaces.

    Raises ``ValueError`` for a folder with other files, and ``OSError`` when Sphinx fails.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / BUILT).exists()):
        raise ValueError(f"Expected an empty folder or a built site, got {folder}. Name another.")
    with tempfile.TemporaryDirectory() as scratch:
        source, files, doctrees, site = (
            Path(scratch) / name for name in ("source", "files", "doctrees", "site")
        )
        stage(source, files)
        options = ["-q", "-W", "--keep-going", "-j", "auto", "-c", Path(__file__).parent, "-d", doctrees]
        command = [sys.executable, "-m", "sphinx", *options, source, site]
        done = subprocess.run(command, cwd=ROOT)
        if done.returncode != 0:
            raise OSError(
                "Expected a site without warnings, got those above. Repair the page that each names, "
                "or install helpers/build/requirements.txt if Sphinx is missing."
            )
        shutil.copytree(files, site, dirs_exist_ok=True)
        _slim(site)
        shutil.rmtree(folder, ignore_errors=True)  # only now: a failed build leaves the old site
        shutil.copytree(site, folder)
    print(f"Wrote {folder / 'index.html'}.")


def _slim(folder: Path) -> None:
    """Take off what pages do not need: 1.6 MB for icons that fonts show, search, spans in code."""
    for name in ("*.map", "fontawesome.js*", "*webpack-macros.html"):
        for file in (folder / "_static").rglob(name):
            file.unlink()
    for page in folder.rglob("*.html"):
        unused = ICONS if page.name == "search.html" else f"{ICONS}|{SEARCH}"
        text = re.sub(SCRIPT.format(names=unused), "", page.read_text(encoding="utf-8"))
        page.write_text(PLAIN_CODE.sub(r"\1", text), encoding="utf-8")


if __name__ == "__main__":
    main()
