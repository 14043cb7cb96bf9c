"""The check of a gradient tells a right one from a partial one and from none."""

import pytest
import torch

from helpers import exercises
from helpers.exercises.gradients import require_gradient
from helpers.exercises.sandbox import Wrong
from helpers.exercises.trial import Trial
from helpers.toys.superposition import superposition_loss

TENSORS = torch.ones(2, 3), torch.zeros(3), torch.ones(4, 3), torch.ones(3)


def diagnosis(answer) -> str | None:
    try:
        require_gradient(Trial(exercises.get("6.4"), answer), *TENSORS)
    except Wrong as wrong:
        return wrong.diagnosis
    return None


def test_a_gradient_is_right_partial_or_missing():
    assert diagnosis(superposition_loss) is None
    assert diagnosis(lambda W, b, x, i: superposition_loss(W, b.detach(), x, i)) == "wrong gradient"
    assert diagnosis(lambda *tensors: superposition_loss(*tensors).item()) == "no gradient"
    assert diagnosis(lambda *tensors: torch.from_numpy(tensors[0].numpy())) == "no gradient"


def test_other_errors_are_those_of_the_answer():
    with pytest.raises(RuntimeError, match="size"):
        diagnosis(lambda W, b, x, i: W + x)
