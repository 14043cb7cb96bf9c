"""The lessons as files: run them in a state, commit them in one form, set the repository's address, map the exercises.

    python -m helpers.build.notebooks run notebooks/00_start_here.ipynb --as solved     # or unsolved, wrong
    python -m helpers.build.notebooks commit [notebooks/…]      # execute, add static images, normalise, write
    python -m helpers.build.notebooks address [URL]             # by default the address of the git remote "origin"
    python -m helpers.build.notebooks index             # write the map of the exercises into notebooks/index.md

A committed notebook was executed in one run from the top (counts 1..n), keeps its outputs, has readable cell ids, no
widget state, and a static image beside every interactive figure.
"""

import argparse
import base64
import inspect
import os
import re
import subprocess
import sys
import tempfile
import warnings
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from helpers import __repository__, __version__
from helpers.exercises import all_exercises, get, number

ROOT = Path(__file__).parents[2]
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
SLUG = re.compile(r"(?![0-9a-f]{8}(-|$))[a-z][a-z0-9]*(-[a-z0-9]+)*")  # and not an editor's random id
INDEX = ROOT / "notebooks" / "index.md"
MAP = ("<!-- The map, written by `python -m helpers.build.notebooks index`. -->", "<!-- End of the map. -->")
FIRST_CELL = """\
# The same cell in every lesson: it finds the course, and on Colab it fetches it and installs what is missing.
import pathlib
import subprocess
import sys

ADDRESS, TAG = "{address}", "v{version}"
here = pathlib.Path.cwd()
places = [here, *here.parents, here / "transformer-circuits"]
root = next((place for place in places if (place / "helpers" / "colab.py").exists()), places[-1])
if not root.exists():
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", TAG, ADDRESS, str(root)]
    subprocess.run(clone, check=True)
if str(root) not in sys.path:
    sys.path.insert(0, str(root))

from helpers.colab import install_missing

install_missing()"""


def lessons() -> list[Path]:
    """All notebooks, in order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def first_cell() -> str:
    """The source of the first code cell of every lesson."""
    return FIRST_CELL.format(address=__repository__, version=__version__)


def badge(notebook: Path) -> str:
    """The "Open in Colab" link of a notebook, to that notebook at the course's tag: text, since a badge's picture needs a network."""
    owner = __repository__.removeprefix("https://github.com/")
    target = f"https://colab.research.google.com/github/{owner}/blob/v{__version__}/notebooks/{notebook.name}"
    return f"[▶ Open in Colab]({target})"


def exercise_of(cell: NotebookNode) -> str | None:
    """The id of the exercise that a code cell answers."""
    found = re.search(r"^@exercise\(\"([\d.]+)\"\)", cell.source, re.M) if cell.cell_type == "code" else None
    return found[1] if found else None


def _answer(exercise_id: str, state: str) -> str:
    """Source of an exercise cell with the solution ("solved") or a known mistake ("wrong") as the answer."""
    exercise = get(exercise_id)
    name = exercise.reference.__name__
    if state == "solved":
        return exercise.solution().replace(
            inspect.getsource(exercise.reference),
            f'@exercise("{exercise_id}")\n{inspect.getsource(exercise.reference)}',
        )
    return f'''@exercise("{exercise_id}")
def {name}(*arguments, **named):
    from helpers.exercises import get

    return get("{exercise_id}").mistakes[0].answer(*arguments, **named)'''


def in_state(notebook: NotebookNode, state: str) -> NotebookNode:
    """A copy with every exercise cell as shipped ("unsolved"), "solved" or "wrong"."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if state != "unsolved" and exercise_of(cell):
            cell.source = _answer(exercise_of(cell), state)
    return copy


def execute(notebook: NotebookNode, folder: Path = ROOT / "notebooks", timeout: int = 120) -> NotebookNode:
    """The notebook run from the top in a fresh kernel; the learner's own progress is left alone."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {**os.environ, "CIRCUITS_PROGRESS": f"{scratch}/progress.json"}
        client = NotebookClient(
            notebook, timeout=timeout, kernel_name="python3", coalesce_streams=True, resources={"metadata": {"path": str(folder)}}
        )  # fmt: skip
        client.execute(env=environment)
    return notebook


def seconds(cell: NotebookNode) -> float:
    """How long a cell of an executed notebook ran, from what nbclient wrote into its metadata."""
    moments = [cell.metadata.execution[name] for name in ("iopub.execute_input", "shell.execute_reply")]
    begun, ended = (datetime.fromisoformat(moment) for moment in moments)
    return (ended - begun).total_seconds()


def statuses(notebook: NotebookNode) -> dict[str, str]:
    """What the checks of an executed notebook said: exercise id → status."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    found = [
        output.metadata
        for output in outputs
        if output.output_type == "display_data" and "exercise" in output.metadata
    ]
    return {metadata["exercise"]: metadata["status"] for metadata in found}


def _rounded(value):
    """Every number of a figure to six digits: what a screen can show, the same on most machines, and shorter."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _add_static_images(notebook: NotebookNode) -> None:
    """A PNG beside every plotly figure, for places that run no scripts; the figure's numbers rounded."""
    import kaleido
    import plotly.io

    figures = [
        o.data for cell in notebook.cells for o in cell.get("outputs", []) if PLOTLY in o.get("data", {})
    ]
    if figures:
        kaleido.start_sync_server(silence_warnings=True)
        for data in figures:
            data[PLOTLY] = nbformat.from_dict(_rounded(data[PLOTLY]))
            with warnings.catch_warnings(action="ignore"):
                data["image/png"] = base64.b64encode(plotly.io.to_image(data[PLOTLY], "png")).decode()
        kaleido.stop_sync_server()


def normalise(notebook: NotebookNode, path: Path) -> None:
    """Readable unique cell ids, the standard kernel, no widget state or editor's metadata, this course's first cell and badge."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    section, taken = path.stem.replace("_", "-").lstrip("0123456789-"), set()
    for cell in notebook.cells:
        heading = re.search(r"^#+ (.*)", cell.source, re.M) if cell.cell_type == "markdown" else None
        if heading:
            section = (
                re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-0123456789")[:40].strip("-") or section
            )
        if not SLUG.fullmatch(cell.id) or cell.id in taken:
            number = 1
            while (candidate := section if number == 1 else f"{section}-{number}") in taken:
                number += 1
            cell.id = candidate
        taken.add(cell.id)
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)  # without its state, which is not kept, an error message
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[▶ Open in Colab\]\(.*?\)", badge(path), cell.source)
    next(cell for cell in notebook.cells if cell.cell_type == "code").source = first_cell()


def problems(notebook: NotebookNode, path: Path) -> list[str]:
    """What keeps a notebook from being in the form it is committed in; empty when it is."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    found = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append(f"execution counts are not 1..{len(code)}")
    if notebook.metadata != {"kernelspec": KERNEL, "language_info": {"name": "python"}}:
        found.append(f"metadata is {dict(notebook.metadata)}")
    if not all(SLUG.fullmatch(cell.id) for cell in notebook.cells) or len(
        {cell.id for cell in notebook.cells}
    ) < len(notebook.cells):
        found.append("cell ids are not readable and unique")
    if any(
        output.output_type in ("error", "stream") and output.get("name") != "stdout" for output in outputs
    ):
        found.append("an output is an error or on stderr")
    if any(PLOTLY in output.get("data", {}) and "image/png" not in output.data for output in outputs):
        found.append("a figure has no static image")
    if code[0].source != first_cell():
        found.append("the first code cell is not the common one")
    if any(WIDGET in output.get("data", {}) for output in outputs):
        found.append("an output is a widget, which would need its state")
    if badge(path) not in notebook.cells[0].source:
        found.append("no Colab badge that points at this notebook")
    return [f"{path.name}: {problem}; run python -m helpers.build.notebooks commit" for problem in found]


def _run(path: Path, state: str) -> dict[str, str]:
    """Execute a notebook in a state; the checks' statuses."""
    return statuses(execute(in_state(nbformat.read(path, as_version=4), state)))


def _commit(path: Path) -> None:
    """Bring a notebook into the form it is committed in."""
    notebook = nbformat.read(path, as_version=4)
    normalise(notebook, path)
    execute(notebook)
    normalise(notebook, path)  # takes off what the execution wrote into the metadata
    _add_static_images(notebook)
    nbformat.write(notebook, path)
    if path == lessons()[0]:
        images = [
            o.data["image/png"]
            for c in notebook.cells
            for o in c.get("outputs", [])
            if PLOTLY in o.get("data", {})
        ]
        (ROOT / "data/first_picture.png").write_bytes(base64.b64decode(images[0]))  # the README's picture


def _remote() -> str:
    """The address of the git remote "origin", empty when there is none."""
    return subprocess.run(
        ["git", "remote", "get-url", "origin"], capture_output=True, text=True
    ).stdout.strip()


def set_address(url: str) -> None:
    """Write the repository's address into ``helpers/__init__.py``, the README and every notebook's first cell and badge."""
    url = re.sub(r"^git@github.com:|^ssh://git@github.com/", "https://github.com/", url.strip()).removesuffix(
        ".git"
    )
    if not re.fullmatch(r"https://github\.com/[^/]+/[^/]+", url):
        raise ValueError(f"expected an address on GitHub, from which Colab opens notebooks, got {url!r}.")
    old, new = (address.removeprefix("https://github.com/") for address in (__repository__, url))
    for file in [ROOT / "helpers/__init__.py", ROOT / "README.md", *lessons()]:
        file.write_text(file.read_text(encoding="utf8").replace(old, new), encoding="utf8")


def _sections(notebook: NotebookNode) -> dict[str, str]:
    """Where every exercise of a lesson stands: exercise id → the link's anchor of its section."""
    found, section = {}, ""
    for cell in notebook.cells:
        if exercise_of(cell):
            found[exercise_of(cell)] = section
        for heading in re.findall(r"^#+ (?!Exercise )(.+)", cell.source, re.M):
            section = heading.replace(" ", "-") if cell.cell_type == "markdown" else section
    return found


def exercise_map() -> str:
    """The table of all exercises, lesson by lesson: titles, minutes and difficulty from the registry."""
    rows, lasting = ["| | exercise | minutes | difficulty |", "| --- | --- | --- | --- |"], 0
    for path in lessons():
        notebook, lesson = nbformat.read(path, as_version=4), int(path.name[:2])
        head = re.search(r"^# \d+ · (.+)(?s:.*?)about (\d+) minutes", notebook.cells[0].source)
        there = [exercise for exercise in all_exercises() if number(exercise.id)[0] == lesson]
        title = f"**[{head[1]}]({path.name})**, {len(there)} exercises in about {head[2]} minutes"
        rows.append(f"| **{lesson}** | {title} | **{sum(exercise.minutes for exercise in there)}** | |")
        for exercise in there:
            place = f"{path.name}#{_sections(notebook)[exercise.id]}"
            dots = "●" * exercise.difficulty + "○" * (3 - exercise.difficulty)
            rows.append(f"| {exercise.id} | [{exercise.title}]({place}) | {exercise.minutes} | {dots} |")
        lasting += int(head[2])
    everything = f"{len(all_exercises())} exercises in about {lasting} minutes"
    total = sum(exercise.minutes for exercise in all_exercises())
    return "\n".join([*rows, f"| **all** | {everything} | **{total}** | |"]) + "\n"


def with_map(text: str) -> str:
    """The index with the map of the exercises written anew between its two markers."""
    before, after = text.split(MAP[0])[0], text.split(MAP[1])[1]
    return f"{before}{MAP[0]}\n\n{exercise_map()}\n{MAP[1]}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.notebooks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("notebook", type=Path)
    running.add_argument("--as", dest="state", choices=["unsolved", "solved", "wrong"], default="unsolved")
    commands.add_parser("commit").add_argument("notebooks", type=Path, nargs="*")
    commands.add_parser("address").add_argument("url", nargs="?")
    commands.add_parser("index")
    arguments = parser.parse_args()
    if arguments.command == "run":
        for exercise_id, status in _run(arguments.notebook, arguments.state).items():
            print(exercise_id, status)
    elif arguments.command == "commit":
        for path in arguments.notebooks or lessons():
            _commit(path.resolve())
    elif arguments.command == "index":
        INDEX.write_text(with_map(INDEX.read_text(encoding="utf8")), encoding="utf8")
    else:
        set_address(arguments.url or _remote() or sys.exit('expected a git remote "origin" or an address'))


if __name__ == "__main__":
    main()
