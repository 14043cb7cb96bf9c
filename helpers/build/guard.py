"""A guard for a process that runs learners' code: it changes no file and reaches no other program.

There are two layers. Linux (Landlock) lets the process read the course, Python and the system,
write in one folder, and start nothing. Python asks before it opens a file, starts a program or
connects (PEP 578). So refusals have names, and other systems are guarded, too. The second layer
stops accidents, not native code: to grade strangers, use Linux and a container without a network.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs

from helpers.build.lesson_files import ROOT

MOST_MEMORY = 8 * 2**30  # bytes of address space; torch takes some of them without using them
LARGEST_FILE = 10 * 2**20  # bytes
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/opt")
REFUSED = {  # what it is → how the names of its audit events begin
    "changes files": (
        *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.link"),
        *("os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "sqlite3."),
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
    "loads native code": ("ctypes.dlopen", "ctypes.dlsym"),
}


def guarded(scratch: Path, private: Path) -> list[str]:
    """Guard this process from here on; return the list to which each refusal is added as a phrase.

    It may write files in ``scratch``, and read none in ``private``.
    """
    _ = ctypes.pythonapi.PyThreadState_SetAsyncExc  # the time limit of checks looks it up, once
    _limit_by_the_system(scratch)
    refused: list[str] = []
    sys.addaudithook(watcher(scratch, private, refused))
    return refused


def watcher(scratch: Path, private: Path, refused: list[str]) -> Callable[[str, tuple], None]:
    """Return the audit hook: it raises ``PermissionError`` for what a graded answer may not do.

    What it needs is its own, so that code that changes this module does not change it.
    """
    realpath, own, hidden = os.path.realpath, os.path.realpath(scratch), os.path.realpath(private)
    kinds, nowhere, is_folder = tuple(REFUSED.items()), os.devnull, os.path.isdir
    watched = ("open", *(name for _, events in kinds for name in events))
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def path_of(argument: object) -> str:
        return realpath(os.fsdecode(argument)) if isinstance(argument, str | bytes | os.PathLike) else ""

    def is_below(path: str, folder: str) -> bool:
        return path == folder or path.startswith(folder + os.sep)

    def ask(event: str, arguments: tuple) -> None:
        if not event.startswith(watched):  # the usual case, at every call of a function
            return
        what = next((what for what, events in kinds if event.startswith(events)), "")
        if not what and event != "open":
            return
        paths = [path for path in map(path_of, arguments[:2]) if path]
        first = path_of(arguments[0]) if arguments else ""
        if event == "open":
            paths = [first]
            if first and first != nowhere and (arguments[2] or 0) & writing:
                what = "writes a file"
            elif is_below(first, hidden):
                what = "reads a file of the class"
        if event == "sqlite3.connect/handle" or (event == "os.mkdir" and is_folder(first)):
            return  # it follows an event that was allowed; it fails by itself, or does nothing
        is_own = what.endswith(("file", "files")) and paths and all(is_below(path, own) for path in paths)
        if what and not is_own:
            refused.append(f"{what} ({event} {os.path.basename(first)})")
            raise PermissionError(f"A graded answer may not do this ({what}).")

    return ask


def _limit_by_the_system(scratch: Path) -> None:
    """Limit memory and file sizes, and on Linux files and programs."""
    with contextlib.suppress(ImportError):  # Windows
        import resource

        for kind, most in ((resource.RLIMIT_AS, MOST_MEMORY), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
            with contextlib.suppress(ValueError, OSError):  # a lower limit stands already, or macOS
                resource.setrlimit(kind, (most, most))
    try:
        from landlock import FSAccess, Ruleset

        rules = Ruleset()
    except (ImportError, OSError, AttributeError):  # no Landlock here; an error below is one
        return
    caches = [os.environ.get(name, "") for name in ("CIRCUITS_CACHE", "HF_HOME")]
    readable = [*SYSTEM, sys.prefix, sys.base_prefix, str(ROOT), platformdirs.user_cache_dir(), *caches]
    rules.allow(*filter(os.path.isdir, readable), rules=FSAccess.READ_FILE | FSAccess.READ_DIR)
    rules.allow(os.devnull, rules=FSAccess.READ_FILE | FSAccess.WRITE_FILE)
    rules.allow(scratch)
    rules.apply()
