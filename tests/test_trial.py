"""A trial calls the answer with copies, compares, and knows the sizes that the signature names."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Trial, Wrong


def double(x: Float[Tensor, "row column"], factor: float) -> Float[Tensor, "row column"]:
    return 2 * x


DOUBLE = Exercise("9.1", "a title", 1, 1, (), double, ())
X = torch.arange(6.0).view(2, 3)


def test_the_answer_gets_copies_and_must_not_change_them():
    inputs = []
    Trial(DOUBLE, lambda x, factor: inputs.append(x) or 2 * x).call(X, 1.0)
    assert torch.equal(inputs[0], X) and inputs[0].data_ptr() != X.data_ptr()
    with pytest.raises(Wrong, match="changed one of its inputs"):
        Trial(DOUBLE, lambda x, factor: x.mul_(2)).call(X, 1.0)


def test_a_difference_is_raised_with_its_comparison():
    with pytest.raises(Wrong, match="6 of 6|5 of 6") as caught:
        Trial(DOUBLE, lambda x, factor: 3 * x).matches((X, 1.0), 2 * X, "row column")
    comparison = caught.value.comparison
    assert torch.equal(comparison.observed, 3 * X) and torch.equal(comparison.expected, 2 * X)
    assert comparison.agrees(lambda x, factor: 3 * x) and not comparison.agrees(double)


def test_a_measured_quantity_is_named():
    trial = Trial(DOUBLE, lambda x, factor: 3 * x)
    with pytest.raises(Wrong, match="the sum: expected"):
        trial.behaves(lambda function: function(X, 1.0).sum(), 2 * X.sum(), "", what="the sum")


def test_a_trial_that_goes_on_keeps_every_comparison():
    trial = Trial(DOUBLE, lambda x, factor: 3 * x, goes_on=True)
    for x in (X, 0 * X):
        trial.matches((x, 1.0), 2 * x, "row column")
    assert [comparison.problem() is None for comparison in trial.comparisons] == [False, True]


def test_names_of_arguments_and_sizes_come_from_the_signature():
    trial = Trial(DOUBLE, double)
    trial.matches((X, 1.0), 2 * X, "row column")
    (comparison,) = trial.comparisons
    assert trial.arguments_of(comparison).keys() == {"x", "factor"}
    assert trial.axis_names("x") == ["row", "column"] and trial.axis_names("factor") == []
    assert trial.sizes_in(comparison) == {"row": 2, "column": 3}
