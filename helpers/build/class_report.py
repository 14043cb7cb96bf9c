"""A report on the notebooks of a class: who passed what, and which mistakes the class makes.

    python -m helpers.build.class_report FOLDER [--out report] [--without-names]

writes ``report/report.html`` and ``report/report.csv``. FOLDER holds notebooks, in folders named
after the learners or named after them; nbgrader's ``submitted`` is such a folder. Every answer is
checked again in a process of its own (``recheck``); other cells are not executed.
"""

import argparse
import csv
import os
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode
from tqdm import tqdm

from helpers.build.lesson_files import outputs_of, read_lesson
from helpers.build.lesson_runs import statuses
from helpers.build.recheck import Verdict, recheck
from helpers.exercises import get, number
from helpers.theme import FAILED, NOT_ATTEMPTED, NOTE, PASSED

STATUSES = {  # status → sign, colour
    "passed": ("✔", PASSED),
    "failed": ("✘", FAILED),
    "stopped": ("■", NOTE),
    "not attempted": ("○", NOT_ATTEMPTED),
    "missing": ("–", NOT_ATTEMPTED),
}
TO_LOOK_AT = ("too slow", "stopped", "not allowed", "not checked", "calls the reference", "changes the check")
EXAMPLES = 3  # most frequent mistakes of an exercise that are shown with code
FIELDS = ("learner", "notebook", "exercise", "status", "diagnosis", "message")


@dataclass
class Submission:
    """A notebook of a learner: its verdicts, its predictions and what a teacher should look at."""

    learner: str
    notebook: str
    verdicts: list[Verdict] = field(default_factory=list)
    predictions: dict[str, tuple[str, str]] = field(default_factory=dict)  # id → choice, answer
    notes: list[str] = field(default_factory=list)


def main() -> None:
    """Write the report that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.class_report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("report"))
    parser.add_argument("--without-names", action="store_true")
    arguments = parser.parse_args()
    try:
        submissions = read_class(arguments.folder)
        if arguments.without_names:
            submissions = without_names(submissions)
        for path in write_report(submissions, arguments.out):
            print(f"Wrote {path}.")
    except (ValueError, OSError) as error:
        sys.exit(str(error))


def read_class(folder: Path) -> list[Submission]:
    """Check all notebooks below a folder; raise ``ValueError`` if there is none."""
    submitted = folder / "submitted"
    folder = submitted if submitted.is_dir() else folder
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".ipynb"]
    paths = [path for path in files if ".ipynb_checkpoints" not in path.parts]
    if not paths:
        raise ValueError(f"Expected notebooks in {folder}, found none. Name the folder that holds them.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = pool.map(lambda path: read_submission(path, folder), paths)
        submissions = list(tqdm(read, total=len(paths), unit="notebook"))
    empty = {path.name for path in folder.iterdir() if path.is_dir()} - {each.learner for each in submissions}
    return submissions + [
        Submission(name, "", notes=["No notebook in this folder."]) for name in sorted(empty)
    ]


def read_submission(path: Path, folder: Path) -> Submission:
    """Check one notebook; whatever is wrong with it becomes a note."""
    first, *below = path.relative_to(folder).parts
    submission = Submission(first if below else path.stem, path.name)
    try:
        notebook = read_lesson(path)
    except Exception:  # a file may hold anything
        submission.notes = ["This file is no notebook, or a damaged one."]
        return submission
    try:
        submission.verdicts = recheck(notebook, private=folder)
        submission.notes = _notes(notebook, submission.verdicts)
        submission.predictions = predictions_in(notebook)
    except Exception as error:
        submission.notes.append(f"Not all could be read ({type(error).__name__}). Look at it by hand.")
    return submission


def predictions_in(notebook: NotebookNode) -> dict[str, tuple[str, str]]:
    """Return what a run notebook says of each prediction that was made: id → choice, answer."""
    found = {}
    for output in outputs_of(notebook.cells):
        card = output.get("metadata") or {}
        id, choice, answer = (card.get(name) for name in ("prediction", "choice", "answer"))
        if all(isinstance(text, str) for text in (id, choice, answer)) and re.fullmatch(r"\d+\.\w+", id):
            found[id] = choice, answer
    return found


def _notes(notebook: NotebookNode, verdicts: list[Verdict]) -> list[str]:
    """Return what differs between a saved notebook and its check."""
    saved = statuses(notebook)
    calls = {cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"}
    there = [verdict for verdict in verdicts if verdict.status != "missing"]
    unchecked = [verdict.id for verdict in there if f"check({get(verdict.id).name})" not in calls]
    notes = [f"{', '.join(unchecked)}: check cell changed or gone."] if unchecked else []
    for verdict in there:
        if saved.get(verdict.id) == "passed" and verdict.status != "passed":
            notes.append(f"{verdict.id}: passed in the saved notebook, not here.")
        if verdict.diagnosis in TO_LOOK_AT:
            notes.append(f"{verdict.id}: {verdict.message}")
    return notes if verdicts else ["The notebook has no exercise of the course."]


def without_names(submissions: Sequence[Submission]) -> list[Submission]:
    """Return the submissions with numbers in place of names; one learner keeps one number.

    The numbers are drawn. Code and messages stay, and may hold a name.
    """
    names = sorted({each.learner for each in submissions})
    numbers = dict(zip(names, random.SystemRandom().sample(range(1, len(names) + 1), len(names))))
    ordered = sorted(submissions, key=lambda each: numbers[each.learner])
    return [
        replace(each, learner=f"learner {numbers[each.learner]}", notebook=_lessons(each)) for each in ordered
    ]


def _lessons(submission: Submission) -> str:
    """Return the lessons of a notebook's exercises: its file may be named after the learner."""
    numbers = sorted({verdict.id.split(".")[0] for verdict in submission.verdicts}, key=int)
    return f"lesson {', '.join(numbers)}" if numbers else ""


def exercise_rows(submissions: Sequence[Submission]) -> list[dict]:
    """Return the statuses of every exercise, and its most frequent mistakes with an example."""
    by_id = defaultdict(list)
    for verdict in (verdict for each in submissions for verdict in each.verdicts):
        by_id[verdict.id].append(verdict)
    rows = []
    for id in sorted(by_id, key=number):
        wrong = [verdict for verdict in by_id[id] if verdict.status in ("failed", "stopped")]
        examples = {verdict.diagnosis: verdict for verdict in reversed(wrong)}
        mistakes = Counter(verdict.diagnosis for verdict in wrong).most_common(EXAMPLES)
        counts = Counter(verdict.status for verdict in by_id[id])
        rows.append(
            dict(
                id=id,
                title=get(id).title,
                counts={status: counts[status] for status in STATUSES},
                total=len(by_id[id]),
                mistakes=[(name, count, examples[name]) for name, count in mistakes],
            )
        )
    return rows


def prediction_rows(submissions: Sequence[Submission]) -> list[dict]:
    """Return how often each prediction was right, and its most frequent wrong choice."""
    made = defaultdict(list)
    for id, pair in (item for each in submissions for item in each.predictions.items()):
        made[id].append(pair)
    rows = []
    for id in sorted(made, key=lambda id: (int(id.split(".")[0]), id)):
        wrong = Counter(choice for choice, answer in made[id] if choice != answer).most_common(1)
        right = sum(choice == answer for choice, answer in made[id])
        rows.append(dict(id=id, total=len(made[id]), right=right, answer=made[id][0][1], wrong=wrong))
    return rows


def write_report(submissions: Sequence[Submission], out: Path) -> list[Path]:
    """Write the page and the table; return both paths."""
    out.mkdir(parents=True, exist_ok=True)
    page, table = out / "report.html", out / "report.csv"
    folder = FileSystemLoader(Path(__file__).parent)
    template = Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = template.get_template("class_report.html.j2").render(
        submissions=submissions,
        exercises=exercise_rows(submissions),
        predictions=prediction_rows(submissions),
        statuses=STATUSES,
    )
    page.write_text(re.sub(r"\n\s*\n", "\n", html), encoding="utf-8", errors="replace")
    with table.open(
        "w", encoding="utf-8-sig", errors="replace", newline=""
    ) as file:  # Excel looks for the mark
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(FIELDS)
        for each in submissions:
            for verdict in each.verdicts:
                row = [
                    each.learner,
                    each.notebook,
                    verdict.id,
                    verdict.status,
                    verdict.diagnosis,
                    verdict.message,
                ]
                writer.writerow(map(_as_text, row))
    return [page, table]


def _as_text(cell: str) -> str:
    """Return a cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") else cell


if __name__ == "__main__":
    main()
