"""Seconds of every lesson on a quiet computer, with half of its cores busy, and with a quota of one CPU (Linux, as root)."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from helpers.build.lesson_files import ROOT, lessons
from helpers.environment import usable_cores

GROUPS = Path("/sys/fs/cgroup")
PERIOD_MICROSECONDS = 100_000


def lesson_seconds(path: Path, *before: str) -> float:
    """Seconds that a lesson takes as shipped, in a process of its own that ``before`` starts."""
    command = [*before, sys.executable, "-m", "helpers.build.notebooks", "run", str(path)]
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@contextlib.contextmanager
def busy_cores(number: int) -> Iterator[None]:
    """Keep some cores busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def quota_of_one_cpu() -> Iterator[list[str]]:
    """Yield the start of a command that runs under a quota of one CPU."""
    group = (GROUPS / "cpu" if (GROUPS / "cpu").exists() else GROUPS) / f"benchmark-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.cfs_quota_us").exists():  # control groups, version 1
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(PERIOD_MICROSECONDS), encoding="ascii")
        else:
            (group / "cpu.max").write_text(f"{PERIOD_MICROSECONDS} {PERIOD_MICROSECONDS}", encoding="ascii")
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        group.rmdir()


def of_lessons_under_load() -> None:
    busy = max(1, usable_cores() // 2)
    print(
        f"{usable_cores()} cores; OMP_WAIT_POLICY {os.environ['OMP_WAIT_POLICY'] or 'as OpenMP has it'}; seconds"
    )
    print(f"{'':36}{'quiet':>8}{f'{busy} busy':>9}{'ratio':>7}{'one CPU':>9}{'ratio':>7}")
    for path in lessons():
        quiet = lesson_seconds(path)
        with busy_cores(busy):
            loaded = lesson_seconds(path)
        with quota_of_one_cpu() as before:
            limited = lesson_seconds(path, *before)
        print(
            f"{path.stem:36}{quiet:8.1f}{loaded:9.1f}{loaded / quiet:7.2f}{limited:9.1f}{limited / quiet:7.2f}",
            flush=True,
        )
