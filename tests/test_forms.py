"""An answer that a check accepts works in every later cell, in whatever form it returns its numbers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from helpers import exercises
from helpers.exercises.forms import describe, describe_promise, promised
from tests.forms import MOST_FORMS, in_form

REFUSED = ("wrong dtype", "wrong type")
IDS = [exercise.id for exercise in exercises.all_exercises()]


@pytest.mark.parametrize(
    ("output", "annotation", "expected"),
    [
        (0.5, Float[Tensor, ""], torch.tensor(0.5)),
        (np.float64(0.5), Float[Tensor, "*head"], torch.tensor(0.5)),
        (torch.ones(2).double(), Float[Tensor, "head"], torch.ones(2)),
        (torch.ones(2).long(), Float[Tensor, "head"], torch.ones(2)),
        (torch.ones(2), Int[Tensor, "head"], torch.ones(2).long()),
        (torch.ones(2) / 2, Int[Tensor, "head"], torch.ones(2) / 2),
        (torch.ones(2), Bool[Tensor, "head"], torch.ones(2)),
        ([torch.tensor(3.0), np.float32(2)], tuple[int, float], (3, 2.0)),
        ({"a": torch.ones(2).double()}, dict[str, Tensor], {"a": torch.ones(2)}),
        ((torch.ones(2), (1, 2)), tuple[Float[Tensor, "2"], list], (torch.ones(2), [1, 2])),
        (2.5, int, 2.5),
        ("text", Float[Tensor, ""], "text"),
        (None, float, None),
        (torch.ones(3), float, torch.ones(3)),
    ],
)
def test_an_output_in_the_promised_form(output, annotation, expected):
    made = promised(output, annotation)
    assert type(made) is type(expected)
    if not isinstance(expected, str | None):
        torch.testing.assert_close(made, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("output", "annotation", "got", "promise"),
    [
        (torch.ones(2, 3), tuple[Float[Tensor, "2"], int], "a tensor of shape [2, 3]", "a tuple (a tensor [2], a whole number)"),
        (torch.tensor(1), list[int], "a tensor without axes of torch.int64", "a list"),
        ((1, 2.0, "x"), Tensor, "a tuple (a whole number, a number, a text)", "a tensor"),
        ([0] * 9, Callable, "a list", "a function"),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), Tensor, "a nested tensor", "a tensor"),
        (len, dict[str, Tensor], "a builtin_function_or_method", "a dictionary"),
    ],
)  # fmt: skip
def test_values_and_promises_in_words(output, annotation, got, promise):
    assert (describe(output), describe_promise(annotation)) == (got, promise)


def test_gradients_are_kept():
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    promised(x**2, Float[Tensor, ""]).backward()
    assert x.grad == 4


@pytest.mark.parametrize("id", IDS)
def test_every_form_of_a_right_answer_passes_or_is_refused_for_its_form(id):
    exercise = exercises.get(id)
    for index in range(MOST_FORMS):
        result = exercise.check(in_form(id, index)(exercise.reference))
        assert result.status == "passed" or result.diagnosis in REFUSED, (index, result.message)
