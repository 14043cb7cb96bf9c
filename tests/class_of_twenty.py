"""Notebooks of twenty learners of lesson 0: untouched, right, wrong, half done, damaged, hostile.

python -m tests.class_of_twenty FOLDER    # FOLDER/NAME/00_start_here.ipynb
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from helpers.build.assignment import STUB
from helpers.build.lesson_files import exercise_of
from helpers.build.lesson_runs import in_state

PASSED, FAILED, NONE, MISSING, STOPPED = "passed", "failed", "not attempted", "missing", "stopped"
ANSWER = """\
@exercise("0.3")
def previous_token_score(pattern):
    {body}"""
RIGHT = "return pattern.diagonal(-1, -2, -1).mean(-1)"
ANOTHER_WAY = """\
n = pattern.shape[-1]
    return sum(pattern[:, :, i, i - 1] for i in range(1, n)) / (n - 1)"""
WITH_HELPER = "return diagonal_below(pattern).mean(-1)"
HELPER = "from functools import partial\nBELOW = -1\ndiagonal_below = partial(torch.diagonal, offset=BELOW, dim1=-2, dim2=-1)"


WRONG = {
    "0.1": """\
@exercise("0.1")
def attention_pattern(q, k):
    scores = torch.einsum("qhd,khd->hqk", q, k)
    future = torch.ones(len(q), len(k)).triu(1).bool()
    return scores.masked_fill(future, -float("inf")).softmax(-1)""",
    "0.2": """\
@exercise("0.2")
def ablate_head(model, tokens, layer, head):
    shapes = []

    def edit(z, hook):
        shapes.append(z.shape)
        z[:, :, head - 1] = 0
        return z

    logits = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", edit)])
    return logits, shapes""",
    "0.3": ANSWER.format(body="return pattern.diagonal(0, -2, -1).mean(-1)"),
}


@dataclass(frozen=True)
class Learner:
    """What a learner does to the lesson, and the outcome of 0.1, 0.2 and 0.3 with its diagnoses."""

    change: Callable[[NotebookNode], NotebookNode]
    statuses: tuple[str, str, str]
    diagnoses: tuple[str, ...] = ()  # of those that failed or stopped, where it has one name

    @property
    def points(self) -> int:
        """Points of the exercises that passed: as many as each is difficult."""
        return sum(points for points, status in zip((1, 2, 1), self.statuses) if status == PASSED)


def untouched(notebook):
    return notebook


def solved(notebook):
    return in_state(notebook, "solved")


def wrong(notebook):
    for id, source in WRONG.items():
        notebook.cells[place_of(notebook, id)].source = source
    return notebook


def predicted(choice: str, of: Callable):
    """The change of a learner who chose an option of 0.f, which the run answers with "one"."""

    def change(notebook):
        notebook = of(notebook)
        card = {"prediction": "0.f", "answer": "one", "choice": choice}
        cell = next(cell for cell in notebook.cells if cell.source.startswith("all_scores ="))
        cell.outputs = [new_output("display_data", {"text/plain": "0.f: the run says “one”"}, metadata=card)]
        return notebook

    return change


def answering(body: str, id: str = "0.3", above: str = "", of: Callable = untouched):
    """The change that answers 0.3, with a cell above the answer if it has code."""

    def change(notebook):
        notebook = of(notebook)
        place = place_of(notebook, id)
        notebook.cells[place].source = ANSWER.format(body=body)
        if above:
            notebook.cells.insert(place, new_code_cell(above))
        return notebook

    return change


def place_of(notebook, id):
    return next(place for place, cell in enumerate(notebook.cells) if exercise_of(cell) == id)


def without(notebook, *starts):
    """The notebook without the cells that begin so."""
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith(starts)]
    return notebook


def code_left(notebook):
    """A solved notebook where 0.1 still has the line that marks it as not attempted."""
    notebook = solved(notebook)
    cell = notebook.cells[place_of(notebook, "0.1")]
    cell.source = cell.source.replace("\n    return", f"\n    scores = 1\n    {STUB}\n    return", 1)
    return notebook


def half_typed(notebook):
    notebook = solved(notebook)
    notebook.cells[place_of(notebook, "0.2")].source += "\n    x = ("
    return notebook


def edited_checks(notebook):
    notebook = wrong(notebook)
    for cell in notebook.cells:
        if cell.source.startswith("check("):
            cell.source = "print('✔ Passed')"
            if "nbgrader" in cell.metadata:
                cell.metadata.nbgrader.points = 100
    return notebook


def first_cell(source: str, of: Callable):
    def change(notebook):
        notebook = of(notebook)
        notebook.cells.insert(0, new_code_cell(source))
        return notebook

    return change


CRASH = "__import__('os')._exit(0)"
WRITES = "open('../../../gradebook.db', 'w').write('x')"
READS = "import glob\n    return open(glob.glob('/**/submitted/**/*.ipynb', recursive=True)[0]).read()"
ALL, NOTHING = (PASSED,) * 3, (NONE,) * 3
ALL_WRONG = (FAILED,) * 3
FIRST_MISTAKES = ("scale missing", "another head", "current token")
REFERENCE = "from helpers.heads import previous_token_score as known\n    return known(pattern)"
CHANGES_CHECK = (
    "import helpers.exercises.trial as trial\n"
    "    trial.difference = lambda *_: None\n    return pattern[..., 0, 0]"
)
CLASS = {
    "untouched": Learner(untouched, NOTHING),
    "empty-cell-added": Learner(first_cell("", untouched), NOTHING),
    "right": Learner(predicted("one", solved), ALL),
    "right-in-another-way": Learner(answering(ANOTHER_WAY, of=solved), ALL),
    "right-with-a-helper": Learner(answering(WITH_HELPER, above=HELPER, of=solved), ALL),
    "wrong": Learner(predicted("more than three", wrong), ALL_WRONG, FIRST_MISTAKES),
    "wrong-shape": Learner(answering("return pattern"), (NONE, NONE, FAILED), ("wrong shape",)),
    "wrong-name": Learner(answering("return patern.mean()"), (NONE, NONE, FAILED), ("exception",)),
    "half-done": Learner(answering(RIGHT), (NONE, NONE, PASSED)),
    "half-typed": Learner(half_typed, (PASSED, FAILED, PASSED), ("the cell fails",)),
    "stub-left": Learner(code_left, (NONE, PASSED, PASSED)),
    "checks-deleted": Learner(lambda notebook: without(solved(notebook), "check("), ALL),
    "answer-and-check-deleted": Learner(
        lambda notebook: without(solved(notebook), '@exercise("0.2")', "check(ablate"), (PASSED, MISSING, PASSED)
    ),
    "set-up-deleted": Learner(
        lambda notebook: without(solved(notebook), "# The same cell", "model = load_model"), ALL
    ),
    "writes-files": Learner(answering(f"{WRITES}\n    {RIGHT}", of=solved), (PASSED, PASSED, FAILED), ("not allowed",)),
    "loops-forever": Learner(
        first_cell("while True: pass", answering("while True: pass")), (NONE, NONE, FAILED), ("too slow",)
    ),
    "ends-the-process": Learner(answering(CRASH, of=solved), (PASSED, PASSED, STOPPED), ("stopped",)),
    "calls-the-reference": Learner(answering(REFERENCE), (NONE, NONE, FAILED), ("calls the reference",)),
    "edits-the-checks": Learner(edited_checks, ALL_WRONG, FIRST_MISTAKES),
    "changes-the-check": Learner(
        first_cell("import helpers.exercises as e; e.check = lambda f: None", answering(CHANGES_CHECK)),
        (NONE, NONE, FAILED),
        ("changes the check",),
    ),
}  # fmt: skip


def notebook_of(name: str, lesson: NotebookNode) -> NotebookNode:
    """The notebook of a learner, from that of the lesson."""
    return CLASS[name].change(nbformat.from_dict(lesson))


def write_class(lesson: NotebookNode, folder: Path, names=CLASS) -> None:
    """Write the notebooks of some learners into folders with their names."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook_of(name, lesson), folder / name / "00_start_here.ipynb")


if __name__ == "__main__":
    from helpers.build.lesson_files import lessons, read_lesson

    write_class(read_lesson(lessons()[0]), Path(sys.argv[1]))
