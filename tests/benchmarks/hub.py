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

import psutil

from tests.classroom import LESSON, RIGHT, WRONG, Hub, Learner, classroom
from tests.lab import browser, command, errors, fill, run_cell, select, wait_for_notebook

LESSONS = str(LESSON).rpartition("/")[0]
PICTURE = "circuit"  # the cell of lesson 0 that draws the first picture


@dataclass
class Work:
    """What one learner's work took: seconds since the click."""

    server: float = 0.0
    picture: float = 0.0
    lesson: float = 0.0
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


def by_browser(hub: Hub, lesson: str, work: Work) -> None:
    """A learner in JupyterLab: lesson 0, which opens after the log-in, or another."""
    with browser() as page:
        page.goto(f"{hub.url}/hub/login")
        page.fill("#username_input", "browser")
        page.fill("#password_input", "any")
        started = time.perf_counter()
        page.click("#login_submit")
        page.wait_for_url("**/user/**", timeout=600_000)
        work.server = time.perf_counter() - started
        page.set_default_timeout(600_000)
        wait_for_notebook(page, LESSON)
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


def class_of(number: int, lesson: str, with_browser: bool) -> None:
    """Let a class work, and print a row of the table."""
    with classroom() as hub:
        names = [f"learner{index}" for index in range(number - with_browser)]
        learners = [Learner(hub, name) for name in names]
        works = [Work() for _ in learners]
        threads = [
            threading.Thread(target=_noting_errors, args=(by_script, learner, lesson, work))
            for learner, work in zip(learners, works)
        ]
        for thread in threads:
            thread.start()
        seen = Work()
        if with_browser:
            _noting_errors(by_browser, hub, lesson, seen)
        for thread in threads:
            thread.join()
        everybody = [*learners, *([Learner(hub, "browser")] if with_browser else [])]
        sizes = [learner.megabytes() for learner in everybody]
        seconds = [
            sum(sum(process.cpu_times()[:2]) for process in hub.processes(learner.name))
            for learner in everybody
        ]
        own = sum(process.memory_full_info().pss for process in hub.own_processes()) / 1e6
    _print_row(number, sizes, [*works, *([seen] if with_browser else [])], seen, seconds, own)


def _noting_errors(do: Callable, who: Learner | Hub, lesson: str, work: Work) -> None:
    try:
        do(who, lesson, work)
    except Exception as error:
        work.errors.append(f"{type(error).__name__}: {str(error)[:300]}")


def _print_row(number, sizes, works, seen, seconds, own) -> None:
    def both(values) -> str:
        return f"{statistics.median(values):.0f} / {max(values):.0f}"

    server, kernel = ([size[kind] for size in sizes] for kind in ("server", "kernel"))
    failed = [error for work in works for error in work.errors]
    cells = [
        number,
        both(server),
        both(kernel),
        both([a + b for a, b in zip(server, kernel)]),
        f"{own:.0f}",
        *(both([getattr(work, name) for work in works]) for name in ("server", "picture", "lesson")),
        f"{seen.picture:.0f}" if seen.picture else "–",
        f"{statistics.median(seconds):.0f}",
        f"{os.getloadavg()[0]:.1f}",
        len(failed),
    ]
    print("| " + " | ".join(map(str, cells)) + " |", *failed, sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hub", description=__doc__)
    parser.add_argument("numbers", type=int, nargs="*", default=[1, 4, 12])
    parser.add_argument("--lesson", default=LESSON, help="its path in a learner's home")
    arguments = parser.parse_args()
    print(f"{psutil.cpu_count()} cores; MB (PSS) and seconds as median / largest; seconds since the click")
    print(
        "| learners | server MB | kernel MB | both MB | hub and proxy MB | server s | first picture s "
        "| lesson s | picture in the browser s | CPU s | load | errors |\n" + "| --: " * 12 + "|"
    )
    for number in arguments.numbers:
        class_of(number, arguments.lesson, with_browser=arguments.lesson == LESSON)


if __name__ == "__main__":
    main()
