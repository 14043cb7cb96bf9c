"""The command for the lessons' files.

    python -m helpers.build.notebooks run NOTEBOOK --as solved  # or wrong, unsolved
    python -m helpers.build.notebooks commit [NOTEBOOK …]       # hints, execution, images, form
    python -m helpers.build.notebooks form [NOTEBOOK …]         # hints and form, no execution
    python -m helpers.build.notebooks hints [NOTEBOOK …]        # only the hints of the exercises
    python -m helpers.build.notebooks index                     # the map in notebooks/index.md
    python -m helpers.build.notebooks address [URL]             # by default that of git's "origin"
    python -m helpers.build.notebooks handout NOTEBOOK FOLDER   # for paper; [--solutions]
    python -m helpers.build.notebooks copy NOTEBOOK FOLDER      # a personal copy, with answers

Without the name of a notebook, ``commit``, ``form`` and ``hints`` take all lessons.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from helpers.build.address import remote_address, set_address
from helpers.build.committed_form import normalise
from helpers.build.exercise_map import INDEX, with_map
from helpers.build.folding import fold_results
from helpers.build.handouts import write_handout
from helpers.build.hint_blocks import write_hints
from helpers.build.lesson_files import ROOT, copy_lesson, lessons, read_lesson
from helpers.build.lesson_runs import STATES, execute, in_state, statuses
from helpers.build.static_images import add_static_images, first_image

NO_ADDRESS = 'Expected an address or a git remote "origin", got neither. Add one of them.'


def main() -> None:
    """Run the command that the arguments name."""
    arguments = vars(_parser().parse_args())
    command = arguments.pop("command")
    try:
        command(**arguments)
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.notebooks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)

    def add(command: Callable) -> argparse.ArgumentParser:
        added = commands.add_parser(command.__name__.strip("_"), help=command.__doc__)
        added.set_defaults(command=command)
        return added

    for command in (_commit, _form, _hints):
        add(command).add_argument("notebooks", type=Path, nargs="*")
    for command in (_run, _handout, _copy):
        add(command).add_argument("notebook", type=Path)
    for name in ("handout", "copy"):
        commands.choices[name].add_argument("folder", type=_folder)
    commands.choices["run"].add_argument("--as", dest="state", choices=STATES, default="unsolved")
    commands.choices["handout"].add_argument("--solutions", action="store_true")
    add(_address).add_argument("url", nargs="?")
    add(_index)
    return parser


def _folder(text: str) -> Path:
    """Return the path of a folder that is there, or that can be made."""
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"Expected a folder, got the file {text}. Name another.")
    return Path(text)


def _run(notebook: Path, state: str) -> None:
    """Execute a notebook in a state and print what each check says."""
    for exercise_id, status in statuses(execute(in_state(read_lesson(notebook), state))).items():
        print(exercise_id, status)


def _commit(notebooks: list[Path]) -> None:
    """Execute notebooks and write them in the committed form."""
    for path in notebooks or lessons():
        notebook = read_lesson(path)
        normalise(notebook, path)
        execute(notebook)
        normalise(notebook, path)  # takes off what the execution wrote into the metadata
        add_static_images(notebook)
        if path.resolve() == lessons()[0].resolve():  # the README shows its first figure
            (ROOT / "data/first_picture.png").write_bytes(first_image(notebook))
        fold_results(notebook)
        nbformat.write(notebook, path)


def _form(notebooks: list[Path]) -> None:
    """Write all of the committed form that needs neither an execution nor images."""
    for path in notebooks or lessons():
        notebook = read_lesson(path)
        normalise(notebook, path)
        nbformat.write(notebook, path)


def _hints(notebooks: list[Path]) -> None:
    """Write the hints of the notebooks' exercises, and nothing else."""
    for path in notebooks or lessons():
        notebook = read_lesson(path)
        write_hints(notebook)
        nbformat.write(notebook, path)


def _index() -> None:
    """Write the map of the exercises into the index."""
    INDEX.write_text(with_map(INDEX.read_text(encoding="utf-8")), encoding="utf-8")


def _address(url: str | None) -> None:
    """Write the repository's address into badges, first cells, README and package."""
    set_address(url or remote_address() or sys.exit(NO_ADDRESS))


def _handout(notebook: Path, folder: Path, solutions: bool) -> None:
    """Write a lesson for paper into a folder, as HTML and PDF."""
    for path in write_handout(notebook.resolve(), folder, solutions):
        print(f"Wrote {path}.")


def _copy(notebook: Path, folder: Path) -> None:
    """Write a personal copy of a lesson, with its answers, into a folder."""
    print(f"Wrote {copy_lesson(notebook.resolve(), folder)}.")


if __name__ == "__main__":
    main()
