"""The form of an answer: what a signature promises, made of what a function returned.

A check accepts a number where a tensor of one number is promised, or doubles where single precision
is. Later cells get the promised form, so that they can stack, compare and index it.
"""

import typing
from collections.abc import Callable
from types import FunctionType

import numpy as np
import torch
from torch import Tensor

MOST_DESCRIBED = 5  # entries of a container
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a dictionary",
    tuple: "a tuple",
    Callable: "a function",
    FunctionType: "a function",
}


def promised(output, annotation):
    """Return an output in the form that a return annotation promises; return all else as it is.

    NumPy's numbers become Python's. Numbers become tensors of one number, or the reverse. Doubles
    become single precision, short integers long. Lists become tuples, or the reverse. Integers
    become floating-point numbers, or the reverse where all are whole. Gradients are kept.

    >>> promised(0.5, Tensor)
    tensor(0.5000)
    >>> promised([torch.tensor(3.0), 2], tuple[int, float])
    (3, 2.0)
    """
    if isinstance(output, np.generic):
        output = output.item()
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Tensor or hasattr(annotation, "array_type"):
        return _as_tensor(output, getattr(annotation, "dtypes", ()))
    if annotation in (int, float):
        return _as_number(output, annotation)
    if origin is tuple and isinstance(output, list | tuple) and len(output) == len(parts):
        return tuple(map(promised, output, parts))
    if origin is list and parts and isinstance(output, list | tuple):
        return [promised(entry, *parts) for entry in output]
    if origin is dict and isinstance(output, dict):
        return {key: promised(entry, parts[1]) for key, entry in output.items()}
    return list(output) if annotation is list and isinstance(output, tuple) else output


def _as_tensor(output, dtypes: tuple[str, ...]):
    """Return a number or a tensor as a tensor with one of the dtypes of an annotation."""
    if isinstance(output, bool | int | float):
        output = torch.tensor(output)
    if not isinstance(output, Tensor) or output.is_complex():
        return output
    if not output.is_floating_point():
        if "int64" in dtypes and output.dtype != torch.bool:
            return output.long()
        return output.float() if "float32" in dtypes else output
    whole = "int64" in dtypes and torch.equal(output, output.round())
    return output.long() if whole else output.float()


def _as_number(output, kind: type):
    """Return a number, or a tensor of one number, as ``kind``; a number that is not whole stays."""
    if isinstance(output, Tensor) and output.numel() == 1 and not output.is_complex():
        output = output.item()
    if not isinstance(output, int | float) or (kind is int and output != int(output)):
        return output
    return kind(output)


def describe(value: object) -> str:
    """Return what a value is, in words.

    >>> describe((torch.ones(2, 3), 1.5))
    'a tuple (a tensor of shape [2, 3], a number)'
    """
    if isinstance(value, Tensor) and value.is_nested:  # has no shape
        return "a nested tensor"
    if isinstance(value, Tensor):
        shape = f"of shape {list(value.shape)}" if value.ndim else "without axes"
        return f"a tensor {shape}" + ("" if value.is_floating_point() else f" of {value.dtype}")
    if isinstance(value, tuple | list) and 0 < len(value) <= MOST_DESCRIBED:
        return f"a {type(value).__name__} ({', '.join(map(describe, value))})"
    return WORDS.get(type(value), f"a {type(value).__name__}")


def describe_promise(annotation: object) -> str:
    """Return what a return annotation promises, in words.

    >>> describe_promise(tuple[Tensor, int])
    'a tuple (a tensor, a whole number)'
    """
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if hasattr(annotation, "array_type"):
        return f"a tensor [{getattr(annotation, 'dim_str', '')}]"
    if origin is tuple:
        return f"a tuple ({', '.join(map(describe_promise, parts))})"
    kind = origin or annotation
    return "a tensor" if kind is Tensor else WORDS.get(kind, f"a {getattr(kind, '__name__', 'value')}")
