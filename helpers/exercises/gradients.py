"""The gradient of an answer, for functions that the lesson differentiates through."""

import warnings

import torch
from torch import Tensor

from helpers.exercises.sandbox import Wrong
from helpers.exercises.trial import Trial

REMEDY = (
    "Use torch operations only: no .item(), .tolist(), .detach(), NumPy or torch.no_grad(), "
    "and no torch.tensor(…) around results."
)


def require_gradient(trial: Trial, *arguments: Tensor) -> None:
    """Raise ``Wrong`` unless the answer has the gradient of the reference.

    Gradients are taken by all floating-point arguments.
    """
    arguments = tuple(
        argument.clone().requires_grad_() if argument.is_floating_point() else argument
        for argument in arguments
    )
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of float(tensor)
            trial.call(*arguments)
    except RuntimeError as error:
        if "requires grad" not in str(error):
            raise
        raise _without_gradient() from error  # NumPy refuses such tensors
    observed = _gradients(trial.output, arguments)
    expected = _gradients(trial.exercise.reference(*arguments), arguments)
    if observed is None or expected is None:
        raise _without_gradient()
    if not all(torch.allclose(*pair, atol=1e-4, rtol=1e-4) for pair in zip(observed, expected)):
        raise Wrong("wrong gradient", f"the values are right, but part of the gradient is missing. {REMEDY}")


def _without_gradient() -> Wrong:
    message = "the values are right, but they carry no gradient, and later cells differentiate them."
    return Wrong("no gradient", f"{message} {REMEDY}")


def _gradients(output: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """Return the gradients of a weighted sum of an output, None if it carries none."""
    if not isinstance(output, Tensor) or not output.requires_grad:
        return None
    weights = 1 + torch.arange(output.numel()).reshape(output.shape)
    leaves = [argument for argument in arguments if argument.requires_grad]
    return torch.autograd.grad((weights * output).sum(), leaves, materialize_grads=True)
