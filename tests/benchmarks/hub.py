"""``python -m tests.benchmarks.hub [N …]``: a class of N on a real JupyterHub; memory and seconds of a learner.

All click "Sign in" at once, open a lesson, run it from the top, answer exercise 0.1 wrong, then right, and save.
One of them works in JupyterLab in a browser, the others by the same APIs.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import psutil

from tests.classroom import LESSON, RIGHT, WRONG, Learner, classroom
from tests.lab import browser, command, errors, fill, run_cell, select, wait_for_notebook

PICTURE = "circuit"  # the cell of lesson 0 that draws the first picture


@dataclass
class Work:
    """What one learner's work took: seconds since the click, and memory at the end."""

    server: float = 0.0
    opened: float = 0.0  # the committed first picture, in a browser
    picture: float = 0.0
    lesson: float = 0.0
    cpu: float = 0.0  # seconds, of the server and the kernel
    megabytes: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def by_script(learner: Learner, lesson: str, work: Work) -> None:
    """A learner who uses the APIs."""
    started = time.perf_counter()
    learner.start_server()
    work.server = time.perf_counter() - started
    notebook = learner.open(lesson)
    for cell in [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]:
        for answer in [WRONG, RIGHT] if cell["id"] == "check-0-1" else [None]:
            if answer:
                learner.run_cell(notebook, "exercise-0-1", answer)
            output = learner.run_cell(notebook, cell["id"])
            expected = {WRONG: "Not yet", RIGHT: "Passed", None: ""}[answer]
            if '"output_type": "error"' in output or expected not in output:
                work.errors.append(f"{learner.name} {cell['id']}: {output[:200]}")
        if cell["id"] == PICTURE:
            work.picture = time.perf_counter() - started
    learner.save(notebook, lesson)
    work.lesson = time.perf_counter() - started


def by_browser(learner: Learner, lesson: str, work: Work) -> None:
    """A learner in JupyterLab, where lesson 0 opens after the log-in."""
    with browser() as page:
        page.goto(f"{learner.hub.url}/hub/login")
        page.fill("#username_input", learner.name)
        page.fill("#password_input", "any")
        started = time.perf_counter()
        page.click("#login_submit")
        page.wait_for_url("**/user/**", timeout=600_000)
        work.server = time.perf_counter() - started
        page.set_default_timeout(600_000)
        page.locator(".jp-CodeCell svg[aria-label]").first.wait_for()
        work.opened = time.perf_counter() - started
        wait_for_notebook(page, lesson)
        select(page, PICTURE)
        command(page, "notebook:run-all-above")
        command(page, "notebook:run-cell")
        select(page, PICTURE).locator("svg").first.wait_for()
        work.picture = time.perf_counter() - started
        command(page, "notebook:run-all-cells")
        for answer, expected in [(WRONG, "Not yet"), (RIGHT, "Passed")]:
            fill(page, "exercise-0-1", answer)
            run_cell(page, "exercise-0-1")
            if expected not in run_cell(page, "check-0-1"):
                work.errors.append(f"browser: expected {expected}")
        command(page, "docmanager:save")
        work.lesson = time.perf_counter() - started
        work.errors += [str(error) for error in [*errors(page), *page.errors, *page.refused]]


def class_of(number: int, lesson: str) -> None:
    """Let a class work, and print a row of the table."""
    with classroom() as hub:
        learners = [Learner(hub, f"learner{index}") for index in range(number)]
        works = [Work() for _ in learners]
        start = hub.cpu_seconds()
        first, *others = [
            partial(_noting_errors, by_script, learner, lesson, work)
            for learner, work in zip(learners, works)
        ]
        if lesson == LESSON:
            first = partial(_noting_errors, by_browser, learners[0], lesson, works[0])
        threads = [threading.Thread(target=other) for other in others]
        for thread in threads:
            thread.start()
        first()  # the browser belongs to this thread
        for thread in threads:
            thread.join()
        for learner, work in zip(learners, works):
            work.megabytes, work.cpu = learner.megabytes(), learner.cpu_seconds()
        of_hub = [f"{hub.megabytes():.0f}", f"{(hub.cpu_seconds() - start) / number:.1f}"]
    print("| " + " | ".join([str(number), *_cells(works), *of_hub, f"{os.getloadavg()[0]:.1f}"]) + " |")
    print(*[error for work in works for error in work.errors], sep="\n", flush=True)


def _noting_errors(do: Callable, learner: Learner, lesson: str, work: Work) -> None:
    try:
        do(learner, lesson, work)
    except Exception as error:
        work.errors.append(f"{learner.name}: {type(error).__name__}: {str(error)[:300]}")


def _cells(works: list[Work]) -> list[str]:
    """Median and largest of everything that was measured."""
    columns = [
        *([work.megabytes[kind] for work in works] for kind in ("server", "kernel", "peak")),
        [work.megabytes["server"] + work.megabytes["kernel"] for work in works],
        *([getattr(work, name) for work in works] for name in ("server", "picture", "lesson", "cpu")),
    ]
    both = [f"{statistics.median(column):.0f} / {max(column):.0f}" for column in columns]
    seen = [f"{works[0].opened:.0f}", f"{works[0].picture:.0f}"]  # in the browser
    return [*both, *seen, str(sum(len(work.errors) for work in works))]


COLUMNS = (
    "learners", "server MB", "kernel MB", "kernel's peak MB (resident)", "server + kernel MB", "server s",
    "first picture run s", "lesson s", "CPU s", "lesson with its picture open in the browser s", "first picture run in the browser s", "errors", "hub and proxy MB",
    "their CPU s by learner", "load",
)  # fmt: skip


def main() -> None:
    """Print the table for classes of these sizes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hub", description=__doc__)
    parser.add_argument("numbers", type=int, nargs="*", default=[1, 4, 12])
    parser.add_argument("--lesson", default=LESSON, help="its path in a learner's home")
    arguments = parser.parse_args()
    print(f"{psutil.cpu_count()} cores; MB (PSS) and seconds as median / largest; seconds since the click")
    print(f"| {' | '.join(COLUMNS)} |", "| --: " * len(COLUMNS) + "|", sep="\n")
    for number in arguments.numbers:
        class_of(number, arguments.lesson)


if __name__ == "__main__":
    main()
