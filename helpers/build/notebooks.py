"""The command for the lessons' files.

    python -m helpers.build.notebooks run NOTEBOOK --as solved  # or wrong, unsolved
    python -m helpers.build.notebooks commit [NOTEBOOK …]       # hints, execution, images, form
    python -m helpers.build.notebooks hints [NOTEBOOK …]        # only the hints of the exercises
    python -m helpers.build.notebooks index                     # the map in notebooks/index.md
    python -m helpers.build.notebooks address [URL]             # by default that of git's "origin"

Without the name of a notebook, ``commit`` and ``hints`` take all lessons.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from helpers.build.address import remote_address, set_address
from helpers.build.committed_form import normalise
from helpers.build.exercise_map import INDEX, with_map
from helpers.build.hint_blocks import write_hints
from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.build.lesson_runs import STATES, execute, in_state, statuses
from helpers.build.static_images import add_static_images, first_image


def main() -> None:
    """Run the command that the arguments name."""
    arguments = _parser().parse_args()
    if arguments.command == "run":
        _run(arguments.notebook, arguments.state)
    elif arguments.command == "index":
        INDEX.write_text(with_map(INDEX.read_text(encoding="utf-8")), encoding="utf-8")
    elif arguments.command == "address":
        set_address(arguments.url or remote_address() or sys.exit(NO_ADDRESS))
    else:
        for path in arguments.notebooks or lessons():
            {"commit": _commit, "hints": _hints}[arguments.command](path.resolve())


NO_ADDRESS = 'Expected an address or a git remote "origin", got neither. Add one of them.'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.notebooks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("notebook", type=Path)
    run.add_argument("--as", dest="state", choices=STATES, default="unsolved")
    for name in ("commit", "hints"):
        commands.add_parser(name).add_argument("notebooks", type=Path, nargs="*")
    commands.add_parser("address").add_argument("url", nargs="?")
    commands.add_parser("index")
    return parser


def _run(path: Path, state: str) -> None:
    """Execute a notebook in a state and print what each check says."""
    for exercise_id, status in statuses(execute(in_state(read_lesson(path), state))).items():
        print(exercise_id, status)


def _commit(path: Path) -> None:
    """Execute a notebook and write it in the committed form."""
    notebook = read_lesson(path)
    normalise(notebook, path)
    execute(notebook)
    normalise(notebook, path)  # takes off what the execution wrote into the metadata
    add_static_images(notebook)
    nbformat.write(notebook, path)
    if path == lessons()[0]:  # the README shows its first figure
        (ROOT / "data/first_picture.png").write_bytes(first_image(notebook))


def _hints(path: Path) -> None:
    """Write the hints of a notebook's exercises, and nothing else."""
    notebook = read_lesson(path)
    write_hints(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
