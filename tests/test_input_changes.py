"""An answer and its reference are run again with one input changed."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise
from helpers.exercises.inputs import generator


def product(
    A: Float[Tensor, "row inner"], B: Float[Tensor, "inner column"], power: int
) -> Float[Tensor, "row column"]:
    return (A @ B) ** power


def _square_matrices(trial):
    for seed, size in enumerate([4, 5]):
        A, B = torch.randn(2, size, size, generator=generator(seed))
        trial.matches((A, B, 2), product(A, B, 2), "row column", 1e-4)


PRODUCT = Exercise("9.2", "a title", 1, 1, (), product, (_square_matrices,))


@pytest.mark.parametrize(
    ("answer", "diagnosis", "sentence"),
    [
        (lambda A, B, power: A, "input returned", "this is A, unchanged."),
        (lambda A, B, power: (B @ A) ** power, "arguments swapped", "A and B are swapped."),
        (lambda A, B, power: (A.T @ B) ** power, "A transposed", "this is what the transpose of A gives."),
        (lambda A, B, power: (A @ B) ** 3, "power off by one", "this is what power + 1 gives."),
        (lambda A, B, power: (A @ A) ** power + B[0, 0] * A, "does not depend on B", None),
        (
            lambda A, B, power: (A @ (A + A.T)) ** power,
            "does not depend on B",
            "stays the same when only B changes.",
        ),
        (lambda A, B, power: (A @ B) ** power * torch.rand(len(A)), "random", "gave different outputs."),
        (
            lambda A, B, power: (A @ B) ** power * A[-1].sum(),
            "depends on too much",
            "your output at other places changes with A at the last row; it should not.",
        ),
    ],
)
def test_what_a_change_of_inputs_shows_is_named(answer, diagnosis, sentence):
    result = PRODUCT.check(answer)
    assert result.status == "failed"
    if sentence is None:
        assert result.diagnosis != diagnosis  # one entry of B matters
    else:
        assert result.diagnosis == diagnosis and sentence in result.message, result.message
