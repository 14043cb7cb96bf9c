"""Isolation of a learner's function while it is checked: time, prints, settings, random state."""

import contextlib
import ctypes
import io
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import CoroutineType, FrameType, FunctionType, MethodType

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from transformer_lens.model_bridge import TransformerBridge

MAX_PRINTED_CHARACTERS = 2000
MAX_RETURNED_VALUES = 10**7  # per tensor; no exercise asks for a thousandth of it
TICK_SECONDS = 0.2  # between two looks at the clock


class Wrong(Exception):  # noqa: N818 - a wrong answer is a result, not an error
    """A mistake with a name (the diagnosis) and a sentence that says what is wrong."""

    def __init__(self, diagnosis: str, message: str):
        super().__init__(message)
        self.diagnosis = diagnosis


class TimeUp(BaseException):
    """Raised in a function whose time is over; no Exception, so that ``except`` rarely stops it."""


class PrintRecorder(io.TextIOBase):
    """A text stream that keeps the first ``MAX_PRINTED_CHARACTERS`` characters.

    What a debugger writes is shown at once instead: somebody waits for it.
    """

    def __init__(self):
        self.kept, self.length, self.screen = [], 0, sys.stdout

    def write(self, text: str) -> int:
        if _debugger_writes():
            return self.screen.write(text)
        self.kept.append(text[: max(0, MAX_PRINTED_CHARACTERS - self.length)])
        self.length += len(text)
        return len(text)

    def flush(self) -> None:
        if _debugger_writes():
            self.screen.flush()

    def text(self) -> str:
        cut = self.length - MAX_PRINTED_CHARACTERS
        return "".join(self.kept) + (f"\n… and {cut:,} more characters" if cut > 0 else "")


def _debugger_writes() -> bool:
    """Return True if pdb, or a debugger made of it, called the function that calls this one."""
    frame = sys._getframe() if _debugger_is_active() else None
    while frame is not None and frame.f_globals.get("__name__") != "bdb":
        frame = frame.f_back
    return frame is not None


@contextlib.contextmanager
def isolated(printed: PrintRecorder) -> Iterator[None]:
    """Run under torch's usual settings, record prints, restore settings and random state."""
    python_state, numpy_state, dtype = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.random.fork_rng(devices=[]),  # opens no GPU, which may be full
            torch.device("cpu"),
            torch.inference_mode(False),
            torch.enable_grad(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def models_unchanged(arguments: tuple) -> Iterator[None]:
    """Raise ``Wrong`` if a hook stays on a model among the arguments, or if its weights change."""
    models = [argument for argument in arguments if isinstance(argument, TransformerBridge)]
    weights = [{name: weight.clone() for name, weight in model.state_dict().items()} for model in models]
    yield
    for model, before in zip(models, weights):
        if any(point.fwd_hooks or point.bwd_hooks for point in model.hook_dict.values()):
            raise Wrong(
                "hook left behind",
                "your function left a hook on the model, which would change every later run. "
                "Use model.run_with_hooks, or call model.reset_hooks() at the end.",
            )
        after = model.state_dict()
        if before.keys() != after.keys() or any(
            not torch.equal(before[name], after[name]) for name in before
        ):
            raise Wrong(
                "changed the weights",
                "your function changed the model's weights. Edit an activation in a hook instead.",
            )


def to_plain_values(output):
    """Rebuild an output from tensors, numbers, strings, functions and containers of these.

    NumPy's numbers become Python's. Such values run no code of their own when they are compared.
    Anything else, subclasses of torch.Tensor included, becomes an empty object whose type has the
    same name. Raises ``Wrong`` for complex or very large tensors.
    """
    if type(output) in (FunctionType, MethodType, partial):
        return output
    if isinstance(output, np.generic):
        output = output.item()
    if type(output) is CoroutineType:
        output.close()  # Python warns of one that was never awaited
    if type(output) in (Tensor, Parameter):
        if output.numel() > MAX_RETURNED_VALUES:
            raise Wrong(
                "too large",
                f"expected at most {MAX_RETURNED_VALUES:,} numbers, got {output.numel():,}, "
                f"shape {list(output.shape)}.",
            )
        if output.is_complex():
            raise Wrong("wrong dtype", f"expected real numbers, got {output.dtype}.")
        return output
    if isinstance(output, dict):
        return {to_plain_values(key): to_plain_values(value) for key, value in output.items()}
    for kind in (list, tuple):
        if isinstance(output, kind):
            return kind(map(to_plain_values, output))
    for kind in (type(None), bool, int, float, str):
        if isinstance(output, kind):
            return output if type(output) is kind else kind(output)
    return type(type(output).__name__, (), {})()


def within_time(seconds: int | float, function: Callable, *arguments):
    """Return ``function(*arguments)``, or raise ``TimeUp`` in it after ``seconds``.

    A function that catches ``TimeUp`` meets it again and again. There is no limit where a debugger
    is active. In a call within a call the limit of the outer one holds.

    >>> within_time(10, max, 2, 3)
    3
    """
    if getattr(_this_thread, "limited", False) or _debugger_is_active():
        return function(*arguments)
    _this_thread.limited = True
    try:
        return (_within_alarm if _alarm_is_free() else _within_watch)(seconds, function, *arguments)
    finally:
        _this_thread.limited = False


_this_thread = threading.local()


def _debugger_is_active() -> bool:
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
