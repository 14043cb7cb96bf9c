"""Random wrong functions for the fuzz of the checks: ``WRONG`` draws a recipe that makes one from an exercise.

A function that spoils the reference may still be right: where an exercise asks for an effect (``EFFECT``), or where the
change is too small for a check to see (``visible``). The attribute ``differed`` of the function is true once it was wrong.
"""

import builtins
import math

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from helpers.exercises.lesson_04.e10_induction_head import SECOND_COPY
from helpers.exercises.lesson_04.heads_by_hand import first_layer_input, second_layer_input
from helpers.exercises.time_limit import TimeUp
from helpers.planted import HeadWeights, attend


def on_input(head, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Pattern and output of a head."""
    return attend(HeadWeights(*map(Tensor.float, head)), *inputs)


EFFECT = {
    "3.3": lambda scores: scores.square().mean().log(),  # random: their level counts
    "4.1": lambda tokens: sorted(tokens.tolist()),  # random: the rows may come in any order
    "4.5": lambda factors: factors[0] @ factors[1],
    "4.9": lambda head: on_input(head, first_layer_input()),
    "4.10": lambda head: [part[SECOND_COPY] for part in on_input(head, second_layer_input())],
    "6.6": lambda pair: (pair[0], pair[1](torch.arange(60.0).view(2, 5, 6), hook=None)),  # on a stream
}


def visible(right, wrong) -> bool:
    """Compare two outputs: true if they differ in structure, or in a number by more than 5 % and 0.05.

    (The widest tolerance of a check is 1 % and 0.01.)
    """
    (right_leaves, right_form), (wrong_leaves, wrong_form) = tree_flatten(right), tree_flatten(wrong)
    return right_form != wrong_form or any(map(leaf_differs, right_leaves, wrong_leaves))


def leaf_differs(right, wrong) -> bool:
    numbers = int | float | Tensor
    if not (isinstance(right, numbers) and isinstance(wrong, numbers)):
        return type(right) is not type(wrong) or right != wrong
    if isinstance(right, int | float) and isinstance(wrong, Tensor) and wrong.numel() == 1:
        wrong = wrong.flatten()[0]  # as good as a number
    right, wrong = (torch.as_tensor(number).detach() for number in (right, wrong))
    if right.shape != wrong.shape or right.is_complex() != wrong.is_complex():
        return True
    right, wrong = right.double(), wrong.double()
    close = (right - wrong).abs() <= 0.05 * (1 + right.abs())
    return not bool((close | (right == wrong) | (right.isnan() & wrong.isnan())).all())


# nonsense --------------------------------------------------------------------------------------------------------------


class Hostile:
    """Does harm wherever it is touched, and calls itself equal to every tensor."""

    def harm(self, *_, **__):
        raise SystemExit("touched")

    __eq__ = __hash__ = __repr__ = __len__ = __iter__ = __getitem__ = __float__ = __bool__ = harm
    shape = property(harm)

    @classmethod
    def __torch_function__(cls, *_, **__):
        return True


class HostileTensor(Tensor):
    """Says yes to every question."""

    @classmethod
    def __torch_function__(cls, *_, **__):
        return True


class HostileList(list):
    __iter__ = __len__ = __eq__ = Hostile.harm


class HostileDict(dict):
    items = keys = __iter__ = __eq__ = Hostile.harm


class HostileText(str):
    __eq__ = __format__ = __repr__ = Hostile.harm
    __hash__ = str.__hash__


class HostileError(Exception):
    __str__ = __repr__ = Hostile.harm


class HostileMemoryError(RuntimeError):
    __str__ = Hostile.harm


def endless_list() -> list:
    itself: list = []
    itself.append(itself)
    return itself


OBJECTS = [
    Hostile, HostileList, HostileDict, HostileText, object, endless_list, lambda: Hostile, lambda: len, lambda: torch,
    lambda: (number for number in range(3)), lambda: iter([]), lambda: range(10**12), lambda: np.zeros((2, 3)), lambda: np.float32(1),
    lambda: torch.ones(2, 3).as_subclass(HostileTensor), lambda: torch.nn.Linear(2, 3), lambda: torch.Generator(), lambda: ...,
    lambda: torch.zeros(1).expand(10**6, 10**6), lambda: torch.zeros(1).long().expand(10**9), lambda: torch.zeros(2, 3).to_sparse(),
    lambda: torch.zeros(2, 3, device="meta"), lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), lambda: "x" * 10**7, lambda: 10**400, lambda: [0] * 10**6,
]  # fmt: skip
DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64
]  # fmt: skip


def tensor(shape: list[int], dtype: torch.dtype, fill) -> Tensor:
    random = torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))
    return (random if fill is None else torch.full(shape, fill)).to(dtype)


TENSORS = st.builds(
    tensor,
    st.lists(st.integers(0, 5), max_size=5),
    st.sampled_from(DTYPES),
    st.sampled_from([None, 0.0, 1.0, -1e30, math.nan, math.inf]),
)
SIMPLE = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary()
)
VALUES = st.recursive(
    SIMPLE | TENSORS | st.builds(lambda make: make(), st.sampled_from(OBJECTS)),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
ERRORS = [
    kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException)
]
ERRORS.remove(KeyboardInterrupt)  # goes through a check: the learner interrupts it
ERRORS += [HostileError, HostileMemoryError, TimeUp, torch.OutOfMemoryError, torch.linalg.LinAlgError]


def nonsense(value):
    """A function that returns the same value for all arguments."""
    return lambda exercise: always_wrong(lambda *arguments: value)


def raising(kind):
    """A function that raises."""

    def function(*arguments):
        raise kind

    return lambda exercise: always_wrong(function)


def always_wrong(function):
    function.differed = True
    return function


# the reference, spoiled ------------------------------------------------------------------------------------------------


def one_entry(value: Tensor, at: int, new) -> Tensor:
    changed = value.clone().flatten()
    changed[at % len(changed)] = new(changed[at % len(changed)])
    return changed.view(value.shape)


SPOILS = {
    "transposed": lambda t, i, a: t.transpose(0, -1),
    "two axes swapped": lambda t, i, a: t.transpose(i % t.ndim, (i + 1) % t.ndim),
    "flipped": lambda t, i, a: t.flip(i % t.ndim),
    "rolled": lambda t, i, a: t.roll(1, i % t.ndim),
    "all rolled": lambda t, i, a: t.roll(i + 1),
    "sorted": lambda t, i, a: t.sort(i % t.ndim).values,
    "negated": lambda t, i, a: ~t if t.dtype == torch.bool else -t,
    "scaled": lambda t, i, a: t * (1 + a),
    "shifted": lambda t, i, a: t + a,
    "rounded": lambda t, i, a: t.round(),
    "one entry": lambda t, i, a: one_entry(t, i, lambda x: ~x if t.dtype == torch.bool else x + a),
    "one NaN": lambda t, i, a: one_entry(t, i, lambda x: math.nan),
    "one infinity": lambda t, i, a: one_entry(t, i, lambda x: math.copysign(math.inf, a)),
    "all NaN": lambda t, i, a: t * math.nan,
    "zeros": lambda t, i, a: torch.zeros_like(t),
    "first for all": lambda t, i, a: t[:1].expand_as(t),
    "mean for all": lambda t, i, a: t.double().mean().float().expand(t.shape),
    "axis lost": lambda t, i, a: t.select(i % t.ndim, 0),
    "axis summed": lambda t, i, a: t.sum(i % t.ndim, keepdim=bool(i % 2)),
    "axis more": lambda t, i, a: t.unsqueeze(i % (t.ndim + 1)),
    "shorter": lambda t, i, a: t.narrow(i % t.ndim, 0, t.shape[i % t.ndim] - 1),
    "longer": lambda t, i, a: torch.cat([t, t], i % t.ndim),
    "flat": lambda t, i, a: t.flatten(),
    "integers": lambda t, i, a: t.long(),
    "booleans": lambda t, i, a: t.bool(),
    "complex": lambda t, i, a: t + 0j,
    "a list": lambda t, i, a: t.tolist(),
    "numpy": lambda t, i, a: t.detach().numpy(),
    "text": lambda t, i, a: str(t),
    "twice": lambda t, i, a: (t, t),
    "nothing": lambda t, i, a: None,
}  # fmt: skip


def spoil(value, how: str, index: int, amount: float):
    """Change a leaf of an output or input; numbers become tensors without axes."""
    if isinstance(value, bool | int | float):
        value = torch.tensor(value)
    return SPOILS[how](value, index, amount) if isinstance(value, Tensor) else str(value)[::-1]


def spoiled_output(leaf: int, how: str, index: int, amount: float):
    """The reference with a part of its output spoiled."""

    def change(reference, arguments):
        leaves, form = tree_flatten(reference(*arguments))
        at = leaf % len(leaves)
        spoiled = [spoil(old, how, index, amount) if i == at else old for i, old in enumerate(leaves)]
        return tree_unflatten(leaves, form), tree_unflatten(spoiled, form)

    return lambda exercise: compared(exercise, change)


def spoiled_input(leaf: int, how: str, index: int, amount: float):
    """The reference on other inputs: one of the tensors spoiled."""

    def change(reference, arguments):
        leaves, form = tree_flatten(arguments)
        tensors = [i for i, value in enumerate(leaves) if isinstance(value, Tensor)]
        at = tensors[leaf % len(tensors)] if tensors else None
        spoiled = [spoil(old, how, index, amount) if i == at else old for i, old in enumerate(leaves)]
        return reference(*again(arguments)), reference(*tree_unflatten(spoiled, form))

    return lambda exercise: compared(exercise, change)


def swapped(first: int, second: int):
    """The reference with two of its arguments swapped."""

    def change(reference, arguments):
        reordered = list(arguments)
        i, j = (place % max(1, len(reordered)) for place in (first, second))
        if reordered:
            reordered[i], reordered[j] = reordered[j], reordered[i]
        return reference(*again(arguments)), reference(*reordered)

    return lambda exercise: compared(exercise, change)


def again(arguments: tuple) -> list:
    """Arguments for one more call, with generators in the same state."""
    return [value.clone_state() if isinstance(value, torch.Generator) else value for value in arguments]


def compared(exercise, change):
    """A function that returns the second of ``change(reference, arguments)``; ``differed`` from the first or not."""
    effect = EFFECT.get(exercise.id, lambda output: output)

    def function(*arguments):
        right, wrong = change(exercise.reference, arguments)
        try:
            function.differed |= visible(effect(right), effect(wrong))
        except Exception:  # what has no effect at all
            function.differed = True
        return wrong

    function.differed = False
    return function


def in_place(leaf: int):
    """The reference, which changes one of its input tensors before it returns."""

    def make(exercise):
        def function(*arguments):
            output = exercise.reference(*arguments)
            tensors = [value for value in tree_flatten(arguments)[0] if isinstance(value, Tensor)]
            if tensors:
                function.differed = True
                tensor = tensors[leaf % len(tensors)]
                tensor.logical_not_() if tensor.dtype == torch.bool else tensor.add_(1)
            return output

        function.differed = False
        return function

    return make


NUMBER = st.integers(0, 1000)
CHANGE = (NUMBER, st.sampled_from(list(SPOILS)), NUMBER, st.sampled_from([0.25, -0.5, 1.0, 3.0, 1e6]))
WRONG = st.one_of(
    st.builds(spoiled_output, *CHANGE),
    st.builds(spoiled_input, *CHANGE),
    st.builds(nonsense, VALUES),
    st.builds(raising, st.sampled_from(ERRORS)),
    st.builds(swapped, st.integers(0, 5), st.integers(0, 5)),
    st.builds(in_place, NUMBER),
)
