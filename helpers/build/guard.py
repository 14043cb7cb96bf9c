"""A guard for a process that runs learners' code: it changes no file and reaches no other program.

Python asks the guard before it opens a file, starts a program or connects (PEP 578). The operating
system limits memory and the size of files, where it can. This stops accidents and simple attacks,
not native code: to grade strangers, run the whole command in a container without a network.
"""

import contextlib
import os
import sys
from pathlib import Path

MOST_MEMORY = 16 * 2**30  # bytes of address space; torch takes some of them without using them
LARGEST_FILE = 10 * 2**20  # bytes
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
REFUSED = {  # what it is → how the names of its audit events begin
    "changes files": (
        *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link"),
        *("os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "shutil."),
    ),
    "starts a program": (
        "subprocess.",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "pty.",
    ),
    "ends a program": ("os.kill", "signal.pthread_kill"),
    "uses the network": ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.send"),
    "loads native code": ("ctypes.dlopen",),
}


class Guard:
    """What was refused, as sentences in the order of the attempts."""

    def __init__(self, scratch: Path, private: Path):
        self.scratch, self.private = os.path.realpath(scratch), os.path.realpath(private)
        self.refused: list[str] = []

    def __call__(self, event: str, arguments: tuple) -> None:
        """Raise ``PermissionError`` for what a graded answer may not do."""
        what = next((what for what, events in REFUSED.items() if event.startswith(events)), "")
        if not what and event != "open":
            return
        path = _path(arguments[0]) if arguments else ""
        if event == "os.mkdir" and os.path.isdir(path):
            return  # it fails by itself, or does nothing
        if event == "open":
            writes = bool((arguments[2] or 0) & WRITING)
            if writes and path and path != os.devnull:
                what = "writes a file"
            elif _is_below(path, self.private):
                what = "reads a file of the class"
        if what and not (what.endswith(("file", "files")) and _is_below(path, self.scratch)):
            self.refused.append(f"{what} ({event} {os.path.basename(path)})")
            raise PermissionError(f"A graded answer may not do this ({what}).")


def guarded(scratch: Path, private: Path) -> Guard:
    """Guard this process from here on.

    It may write files in ``scratch``, and read none in ``private``.
    """
    with contextlib.suppress(ImportError):  # Windows
        import resource

        for kind, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
            with contextlib.suppress(ValueError, OSError):  # a lower limit stands already, or macOS
                resource.setrlimit(kind, (most, most))
    guard = Guard(scratch, private)
    sys.addaudithook(guard)
    return guard


def _path(argument: object) -> str:
    """Return the real path that an event names; empty for an open file, or none."""
    if isinstance(argument, str | bytes | os.PathLike):
        return os.path.realpath(os.fsdecode(argument))
    return ""


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
