"""What surrounds a learner's function while it is checked: a time limit, a bin for prints, everything put back afterwards."""

import contextlib
import ctypes
import io
import random
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from transformer_lens.model_bridge import TransformerBridge

MAX_PRINTED_CHARACTERS = 2000  # characters kept of what a function prints
MAX_RETURNED_VALUES = 10**7  # in one tensor that a function returns: no exercise asks for a thousandth of it


class Wrong(Exception):
    """A mistake with a name (the diagnosis) and a sentence that says what is wrong."""

    def __init__(self, diagnosis: str, message: str):
        super().__init__(message)
        self.diagnosis = diagnosis


class TimeUp(BaseException):
    """Raised inside the learner's function when the time is over; not an Exception, so that ``except`` rarely stops it."""


class Printed(io.TextIOBase):
    """Where a function's prints go: the first ``MAX_PRINTED_CHARACTERS`` characters are kept."""

    def __init__(self):
        self.kept, self.length = [], 0

    def write(self, text: str) -> int:
        self.kept.append(text[: max(0, MAX_PRINTED_CHARACTERS - self.length)])
        self.length += len(text)
        return len(text)

    def text(self) -> str:
        cut = self.length - MAX_PRINTED_CHARACTERS
        return "".join(self.kept) + (f"\n… and {cut:,} characters more" if cut > 0 else "")


@contextlib.contextmanager
def protected(printed: Printed):
    """Check under torch's usual settings; keep prints, random state and settings of the notebook as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.random.fork_rng(),
            torch.device("cpu"),
            torch.inference_mode(False),
            torch.enable_grad(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_default_dtype(states[2])


@contextlib.contextmanager
def model_unchanged(arguments: tuple):
    """Name hooks that a function leaves on a model, and weights that it changes, as mistakes."""
    models = [argument for argument in arguments if isinstance(argument, TransformerBridge)]
    weights = [{name: weight.clone() for name, weight in model.state_dict().items()} for model in models]
    yield
    for model, before in zip(models, weights):
        if _hook_count(model) > 0:
            raise Wrong(
                "hook left behind",
                "your function left a hook on the model, which would change every later run: "
                "use model.run_with_hooks, or model.reset_hooks() at the end.",
            )
        after = model.state_dict()
        if before.keys() != after.keys() or any(
            not torch.equal(before[name], after[name]) for name in before
        ):
            raise Wrong(
                "changed the weights",
                "your function changed the model's weights: edit an activation in a hook instead.",
            )


def _hook_count(model: TransformerBridge) -> int:
    """Number of hooks on the model."""
    return sum(len(point.fwd_hooks) + len(point.bwd_hooks) for point in model.hook_dict.values())


def plain(output):
    """The output as tensors, numbers, strings, lists, tuples, dictionaries and functions, which do nothing of their own when compared.

    Anything else, subclasses of torch.Tensor too, becomes an empty object whose type has the same name.
    """
    if type(output) in (FunctionType, MethodType, partial):
        return output
    if type(output) in (Tensor, Parameter):
        if output.numel() > MAX_RETURNED_VALUES:
            raise Wrong(
                "too large", f"your function returned {output.numel():,} numbers, {list(output.shape)}."
            )
        if output.is_complex():
            raise Wrong("wrong dtype", f"expected real numbers, got {output.dtype}.")
        return output
    if isinstance(output, dict):
        return {plain(key): plain(value) for key, value in output.items()}
    for kind in (list, tuple):
        if isinstance(output, kind):
            return kind(map(plain, output))
    for kind in (type(None), bool, int, float, str):
        if isinstance(output, kind):
            return output if type(output) is kind else kind(output)
    return type(type(output).__name__, (), {})()


def within_time(seconds: float, function: Callable, *arguments):
    """``function(*arguments)``, or ``TimeUp`` after ``seconds``: by a signal where there is one (it ends a sleep too)."""
    thread = ctypes.c_ulong(threading.get_ident())
    timer = threading.Timer(
        seconds, ctypes.pythonapi.PyThreadState_SetAsyncExc, [thread, ctypes.py_object(TimeUp)]
    )
    signals = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    tracer = sys.gettrace()

    def insist(frame, event, argument):
        if event == "line":
            raise TimeUp
        return insist

    def alarm(number, frame):
        # A bare ``except:`` in a loop swallows one TimeUp; the next line of the learner's frames then raises another.
        sys.settrace(lambda *_: None)
        while frame is not None and frame.f_code is not within_time.__code__:
            frame.f_trace = insist
            frame = frame.f_back
        raise TimeUp

    if signals and signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        return function(*arguments)  # a check within a check: the outer limit goes on
    previous = signal.signal(signal.SIGALRM, alarm) if signals else None
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds) if signals else timer.start()
        return function(*arguments)
    finally:
        timer.cancel()
        if signals:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            sys.settrace(tracer)
