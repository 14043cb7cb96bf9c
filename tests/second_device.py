"""Imitates a second device on a machine that has none: tensors say that they are there, and do not mix with the CPU's.

It is called "mps", a device that any build of torch can name. Values are computed on the CPU. As on Apple's MPS a float64
is refused.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

DEVICE = "mps"
KNOWN_TO_THE_WRAPPER = {
    "device",
    "shape",
    "dtype",
    "ndim",
    "layout",
    "is_leaf",
    "requires_grad",
    "is_cpu",
    "is_cuda",
    "is_mps",
}


class OnDevice(torch.Tensor):
    """A tensor whose values are on the CPU, and which says that it is on ``DEVICE``."""

    @staticmethod
    def __new__(cls, values):
        layout = dict(strides=values.stride(), dtype=values.dtype, device=DEVICE)
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, **layout)

    def __init__(self, values):
        if values.dtype == torch.float64:
            raise TypeError(f"the device {DEVICE} does not support float64")
        self.values = values

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError(
            f"{function} reached torch itself: tests/second_device.py does not imitate it."
        )


class SecondDevice(TorchFunctionMode):
    """Inside it, ``device="mps"`` makes tensors and moves them."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})


def moved(model):
    """The model itself, its parameters and buffers now on the second device."""
    done = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = done.setdefault(id(tensor), OnDevice(tensor.detach()))
    model.cfg.device = DEVICE
    return model


def _call(function, args, kwargs):
    """Check a call of torch as a machine with two devices would, and compute it on the CPU."""
    tensors = _tensors([*args, *kwargs.values()])
    inside = any(isinstance(tensor, OnDevice) for tensor in tensors)
    if inside and getattr(getattr(function, "__self__", None), "__name__", "") in KNOWN_TO_THE_WRAPPER:
        with torch._C.DisableTorchFunction():
            return function(*args, **kwargs)
    target = _target(function, args, kwargs)
    if target is None and inside:
        _check_not_mixed(function.__name__, args, tensors)
    to_device = inside if target is None else target == DEVICE
    generator = kwargs.get("generator")
    if to_device and generator is not None:
        raise RuntimeError(f"expected a generator on {DEVICE}, got one on {generator.device}")
    output = function(*_on_cpu(args), **{name: _on_cpu(value) for name, value in kwargs.items()})
    return tree_map_only(torch.Tensor, OnDevice, output) if to_device else output


def _tensors(values) -> list[torch.Tensor]:
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += _tensors(value)
    return found


def _on_cpu(value):
    """An argument with the tensors' values, and with the CPU in place of the device."""
    if isinstance(value, OnDevice):
        return value.values
    if type(value) in (tuple, list):
        return type(value)(map(_on_cpu, value))
    return "cpu" if isinstance(value, (str, torch.device)) and str(value).split(":")[0] == DEVICE else value


def _target(function, args, kwargs) -> str | None:
    """The device that a call names: of the tensor that it makes, or to which it moves one."""
    name, device = getattr(function, "__name__", ""), kwargs.get("device")
    if name in ("cpu", "tolist"):
        return "cpu"
    if name == "to":
        device = next((x for x in args[1:] if isinstance(x, (str, torch.device, torch.Tensor))), device)
    device = device.device if isinstance(device, torch.Tensor) else device
    return None if device is None else torch.device(device).type


def _check_not_mixed(name: str, args, tensors) -> None:
    """Raise as torch does if one tensor is on the device and another, which is no single number, is on the CPU."""
    if name in ("__getitem__", "__setitem__"):  # an index may be on the CPU
        indices = _tensors([args[1]])
        if any(isinstance(index, OnDevice) for index in indices) and not isinstance(args[0], OnDevice):
            raise RuntimeError(
                f"expected indices on the CPU, as the tensor {list(args[0].shape)}, got {DEVICE}"
            )
        tensors = _tensors([args[0], *args[2:]]) if indices else []  # values go to a slice from any device
    outside = [tensor for tensor in tensors if not isinstance(tensor, OnDevice) and tensor.ndim > 0]
    if outside and name != "copy_":
        raise RuntimeError(
            f"{name} expected all tensors on {DEVICE}, got {list(outside[0].shape)} on the CPU"
        )
