"""The difference between what a function returned and what was expected, in one sentence."""

import torch
from torch import Tensor

from helpers.exercises.sandbox import Wrong


def difference(output, expected: Tensor, axes: str, tolerance: float = 1e-5) -> Wrong | None:
    """Return the difference of ``output`` from ``expected`` as a mistake, or None if they agree.

    ``axes`` names the axes of ``expected``. A Python number may stand for a tensor of one number,
    integers for floating-point numbers if all expected numbers are whole.

    >>> difference(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]), "head")
    Wrong('1 of 2 entries differ, first at head=1: expected 2, got 3.')
    """
    if expected.ndim == 0 and isinstance(output, int | float):
        output = torch.tensor(float(output))
    if not isinstance(output, Tensor):
        wanted = f"a torch.Tensor [{axes}]" if axes else "a single number (a tensor without axes)"
        return Wrong("wrong type", f"expected {wanted}, got {type(output).__name__}.")
    if output.shape != expected.shape:
        wanted = f"shape {list(expected.shape)} [{axes}]" if expected.ndim else "a single number"
        received = f"shape {list(output.shape)}" if output.ndim else "a single number"
        return Wrong("wrong shape", f"expected {wanted}, got {received}.")
    if not output.is_floating_point() and not output.is_complex() and torch.equal(expected, expected.round()):
        output = output.float()
    if not output.is_floating_point():
        return Wrong("wrong dtype", f"expected floating-point numbers, got {output.dtype}.")
    output = output.detach().to(expected)
    if output.isnan().any() and not expected.isnan().any():
        index = tuple(output.isnan().nonzero()[0].tolist())
        place = f", first at {_entry(index, axes)}" if index else ""
        return Wrong("NaN", f"expected numbers, got NaN{place}.")
    wrong = ~torch.isclose(output, expected, atol=tolerance, rtol=tolerance, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(wrong.nonzero()[0].tolist())
    numbers = "expected {}, got {}.".format(*_unlike(expected[index].item(), output[index].item()))
    count = f"{wrong.sum()} of {wrong.numel()} entries differ, first at {_entry(index, axes)}: "
    return Wrong("wrong values", f"{count if expected.ndim else ''}{numbers}")


def _unlike(expected: float, received: float) -> tuple[str, str]:
    """Write two numbers with four digits, or with as many as it takes to tell them apart."""
    texts = ((f"{expected:.{digits}g}", f"{received:.{digits}g}") for digits in range(4, 10))
    return next((pair for pair in texts if pair[0] != pair[1]), (f"{expected:.9g}", f"{received:.9g}"))


def _entry(index: tuple[int, ...], axes: str) -> str:
    """Write an index with the names of its axes: ``head=0, query=2, key=1``."""
    return ", ".join(f"{name}={i}" for name, i in zip(axes.split(), index))


def equal(before, after) -> bool:
    """Return True if a value still equals the original: tensors, and containers of tensors.

    >>> equal([torch.ones(2)], [torch.zeros(2)])
    False
    """
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and before.shape == after.shape and torch.equal(before, after)
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(equal(before[key], after[key]) for key in before)
    if type(before) in (list, tuple):
        return len(before) == len(after) and all(map(equal, before, after))
    return True
