"""``python -m tests.benchmarks.memory``: import seconds and a kernel's megabytes, by lesson (Linux).

python -m tests.benchmarks.memory                  # every lesson to its end
python -m tests.benchmarks.memory 00 04            # some lessons
python -m tests.benchmarks.memory --to model       # stop when the lesson's model is loaded
python -m tests.benchmarks.memory 00 --kernels 4   # kernels at once, and their mean

Seconds and CPU seconds are those of the cells up to the lesson's model. RSS counts all pages of a
kernel, PSS a part of those that other processes share, and private only its own. PSS and private
depend on what else runs here.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from nbclient import NotebookClient
from nbformat import NotebookNode

from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.build.lesson_runs import CELL_TIME_LIMIT_SECONDS, seconds

MEGABYTE = 1e6
STAGES = ("start", "imports", "model", "end")
LOADS_MODEL = ("load_model(", "Explorer(")


class Memory(NamedTuple):
    """Megabytes of a process."""

    rss: float
    pss: float
    private: float
    peak: float  # of RSS, since the process began
    cpu_seconds: float  # since the process began

    @classmethod
    def of(cls, pid: int) -> "Memory":
        process = psutil.Process(pid)
        now, times = process.memory_full_info(), process.cpu_times()
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
        megabytes = (number / MEGABYTE for number in (now.rss, now.pss, now.uss, peak))
        return cls(*megabytes, times.user + times.system)


class Kernel(NamedTuple):
    """A lesson in a kernel of its own."""

    client: NotebookClient
    cells: list[NotebookNode]  # of code
    first_model: int  # the number of code cells before the one that loads the lesson's model

    def run(self, stage: str) -> None:
        """Run the cells that lie between the stage before and this one."""
        ends = dict(zip(STAGES, (0, self.first_model, self.first_model + 1, len(self.cells))))
        before = STAGES[max(0, STAGES.index(stage) - 1)]
        for cell in self.cells[ends[before] : ends[stage]]:
            self.client.execute_cell(cell, self.client.nb.cells.index(cell))

    def memory(self) -> Memory:
        return Memory.of(self.client.km.provisioner.pid)

    def import_seconds(self) -> float:
        return sum(seconds(cell) for cell in self.cells[: self.first_model])


@contextmanager
def kernel(path: Path) -> Iterator[Kernel]:
    """Start a kernel for a lesson as shipped."""
    notebook = read_lesson(path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    first_model = next(i for i, cell in enumerate(cells) if any(call in cell.source for call in LOADS_MODEL))
    resources = {"metadata": {"path": str(ROOT / "notebooks")}}
    client = NotebookClient(
        notebook, timeout=CELL_TIME_LIMIT_SECONDS, kernel_name="python3", resources=resources
    )
    with tempfile.TemporaryDirectory() as scratch:
        with client.setup_kernel(env={**os.environ, "CIRCUITS_PROGRESS": f"{scratch}/progress.json"}):
            yield Kernel(client, cells, first_model)


def row(name: str, import_seconds: float, memories: list[Memory]) -> str:
    """Line of the table: three numbers after each stage, then the peak."""
    numbers = "".join(f"{memory.rss:8.0f}{memory.pss:6.0f}{memory.private:6.0f}" for memory in memories)
    cpu = memories[1].cpu_seconds - memories[0].cpu_seconds
    return f"{name:36}{import_seconds:8.2f}{cpu:6.2f}{numbers}{memories[-1].peak:8.0f}"


def of_lesson(path: Path, stages: tuple[str, ...], number: int) -> None:
    """Print the mean memory of some kernels of a lesson, which live at once, after each stage."""
    with ExitStack() as stack:
        kernels, memories = [stack.enter_context(kernel(path)) for _ in range(number)], []
        for stage in stages:
            for lesson in kernels:
                lesson.run(stage)
            columns = zip(*(lesson.memory() for lesson in kernels))
            memories.append(Memory(*(sum(column) / number for column in columns)))
        import_seconds = sum(lesson.import_seconds() for lesson in kernels) / number
        print(row(path.stem, import_seconds, memories), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.memory",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("lessons", nargs="*", help="numbers of lessons: 00 04")
    parser.add_argument("--to", choices=STAGES[1:], default="end")
    parser.add_argument("--kernels", type=int, default=1)
    options = parser.parse_args()
    stages = STAGES[: STAGES.index(options.to) + 1]
    print(f"load of the machine {os.getloadavg()[0]:.1f}; MB of RSS, PSS, private after each stage")
    print(f"{'':36}{'seconds':>8}{'CPU':>6}" + "".join(f"{stage:>20}" for stage in stages) + f"{'peak':>8}")
    for path in lessons():
        if not options.lessons or path.stem[:2] in options.lessons:
            of_lesson(path, stages, options.kernels)


if __name__ == "__main__":
    main()
