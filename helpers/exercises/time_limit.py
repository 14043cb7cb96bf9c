"""The time limit of a learner's function, by a signal or by a second thread."""

import ctypes
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

TICK_SECONDS = 0.2  # between two looks at the clock


class TimeUp(BaseException):
    """Raised in a function whose time is over; no Exception, so that ``except`` rarely stops it."""


def within_time(seconds: int | float, function: Callable, *arguments):
    """Return ``function(*arguments)``, or raise ``TimeUp`` in it after ``seconds``.

    A function that catches ``TimeUp`` meets it again and again. There is no limit where a debugger
    is active. In a call within a call the limit of the outer one holds.

    >>> within_time(10, max, 2, 3)
    3
    """
    if getattr(_this_thread, "limited", False) or debugger_is_active():
        return function(*arguments)
    _this_thread.limited = True
    try:
        limited = _within_alarm if _alarm_is_free() else _within_watch
        output, stop = next(_apart(lambda: limited(seconds, function, *arguments)))
    finally:
        _this_thread.limited = False
    if stop is not None:
        raise stop
    return output


def _apart(function):
    """Yield a function's output, or its StopIteration, which no generator may raise.

    A generator has a record of its own of the exception being handled. An error that is raised
    between two instructions of an ``except`` block stays in that record; in the thread's record it
    would be shown as the context of every later error.
    """
    try:
        yield function(), None
    except StopIteration as stop:
        yield None, stop


_this_thread = threading.local()


def debugger_is_active() -> bool:
    """Return True if a debugger, or a tool that measures coverage, watches this thread."""
    return sys.gettrace() is not None or _debugger_monitors()


def _debugger_monitors() -> bool:
    """Return True if a debugger watches all threads, as it can from Python 3.12 on."""
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None


def _alarm_is_free() -> bool:
    """Return True if this thread gets signals, and nothing else waits for the alarm."""
    return (
        hasattr(signal, "SIGALRM")
        and hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )


def _within_alarm(seconds, function, *arguments):
    """Limit the time by a signal, which ends a sleep as well (main thread of Linux and macOS)."""
    limit = _Limit(seconds, sys._getframe())

    def alarm(number, frame):
        error = limit.due(frame)
        if error:
            raise error

    handler = signal.signal(signal.SIGALRM, alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, limit.tick, limit.tick)
        limit.begin()
        return function(*arguments)
    finally:
        limit.frame = None  # from here on the alarm raises nothing
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        limit.stop_tracing()


def _within_watch(seconds, function, *arguments):
    """Limit the time by a second thread (Windows, and threads that get no signals)."""
    limit, thread, stop = _Limit(seconds, sys._getframe()), threading.get_ident(), threading.Lock()
    raise_in, target = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(thread)

    def watch():
        while not stop.acquire(timeout=limit.tick) and limit.frame:
            error = limit.due(sys._current_frames().get(thread))
            request = ctypes.py_object(error)
            if error and limit.frame:  # threads change after a call only, so nothing comes between
                raise_in(target, request)

    stop.acquire()
    watcher = threading.Thread(target=watch, daemon=True)
    try:
        watcher.start()
        limit.begin()
        return function(*arguments)
    finally:
        limit.frame = None  # from here on the watcher asks for nothing
        try:
            stop.release()
            watcher.join()
        except TimeUp:  # asked for before, and raised only after this first call
            watcher.join()
        limit.stop_tracing()


class _Limit:
    """Time limit of one call of a function: what to raise in it, and when.

    After the first ``TimeUp`` the function may clean up. If it goes on it is traced: at the next
    tick it meets two, the second one a line after the first; at the tick after that two lines
    after the first, and so on. No ``except`` in a loop covers all lines of the loop.
    """

    def __init__(self, seconds: int | float, frame: FrameType):
        self.seconds, self.tick, self.end = seconds, min(seconds, TICK_SECONDS), math.inf
        self.frame: FrameType | None = frame  # calls the function; None when the function has ended
        self.raised, self.lines = 0, 0

    def begin(self) -> None:
        self.end = time.monotonic() + self.seconds

    def due(self, innermost: FrameType | None) -> type[TimeUp] | None:
        """Return the error that is due in a thread whose innermost frame is given, if any."""
        frames = self._frames(innermost)
        if _debugger_monitors() or any(frame.f_trace not in (None, self._trace) for frame in frames):
            self.end = math.inf
        if not frames or time.monotonic() < self.end:
            return None
        self.raised, self.lines = self.raised + 1, self.raised
        if self.raised == 1:
            self.end += self.seconds / 10  # to clean up
            return TimeUp
        for frame in frames:
            frame.f_trace = self._trace
        return _TimeUpAgain

    def _frames(self, frame: FrameType | None) -> list[FrameType]:
        """Return the frames of the function, innermost first; none when it has ended."""
        outermost, frames = self.frame, []
        while frame is not None and frame is not outermost:
            frames.append(frame)
            frame = frame.f_back
        return frames if frame is not None else []

    def _trace(self, frame: FrameType, event: str, argument: object) -> Callable:
        self.lines -= event == "line"
        if self.lines <= 0:
            raise TimeUp
        return self._trace

    def stop_tracing(self) -> None:
        if self.raised > 1:
            sys.settrace(None)


class _TimeUpAgain(TimeUp):
    """Raised in a function that caught ``TimeUp``: traces the thread in which it is raised."""

    def __init__(self):
        super().__init__()
        sys.settrace(lambda *_: None)
