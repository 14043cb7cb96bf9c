"""Isolation of a learner's function while it is checked: prints, settings, random state, models."""

import contextlib
import io
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import CoroutineType, FunctionType, MethodType

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.time_limit import debugger_is_active

MAX_PRINTED_CHARACTERS = 2000
MAX_RETURNED_VALUES = 10**7  # per tensor; no exercise asks for a thousandth of it


class Wrong(Exception):  # noqa: N818 - a wrong answer is a result, not an error
    """A mistake with a name (the diagnosis) and a sentence that says what is wrong.

    ``comparison`` is what showed it, if it was a comparison of numbers.
    """

    def __init__(self, diagnosis: str, message: str, comparison=None):
        super().__init__(message)
        self.diagnosis, self.comparison = diagnosis, comparison


class PrintRecorder(io.TextIOBase):
    """A text stream that keeps the first ``MAX_PRINTED_CHARACTERS`` characters.

    What a debugger writes is shown at once instead: somebody waits for it.
    """

    def __init__(self):
        self.kept, self.length, self.screen, self.debugged = [], 0, sys.stdout, False

    def write(self, text: str) -> int:
        if _debugger_writes():
            self.debugged = True
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
    frame = sys._getframe() if debugger_is_active() else None
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
            warnings.catch_warnings(action="ignore"),  # they quote folders, and lines of libraries
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
    raw_hooks = [_raw_hooks(model) for model in models]
    yield
    for model, before, hooks in zip(models, weights, raw_hooks):
        points = model.hook_dict.values()
        if any(point.fwd_hooks or point.bwd_hooks for point in points) or _raw_hooks(model) != hooks:
            raise Wrong(
                "hook left behind",
                "your function left a hook on the model, which would change every later run. "
                "Use model.run_with_hooks, which takes its hooks off at the end.",
            )
        after = model.state_dict()
        if before.keys() != after.keys() or any(
            not torch.equal(before[name], after[name]) for name in before
        ):
            raise Wrong(
                "changed the weights",
                "your function changed the model's weights. Edit an activation in a hook instead.",
            )


def _raw_hooks(model: TransformerBridge) -> list[Callable]:
    """Return PyTorch's own hooks on a model, without those of the libraries that made it."""
    roots = (model, model.original_model)
    modules = {id(module): module for root in roots for module in root.modules()}.values()
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    hooks = [hook for module in modules for kind in kinds for hook in getattr(module, kind).values()]
    return [hook for hook in hooks if not str(getattr(hook, "__module__", "")).startswith("transformer")]


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
