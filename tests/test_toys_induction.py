"""The induction circuit that forms while a lesson runs."""

import torch

from helpers.sequences import phase_change
from helpers.toys.induction import small_model, train, train_step


def test_two_layers_make_the_transition_and_one_layer_does_not():
    two, one = (
        list(train(small_model(layers, seed=1), train_step, steps=400, every=50, seed=1)) for layers in (2, 1)
    )
    assert two[-1].induction > 0.5 and two[-1].previous_token > 0.5 and two[-1].second_copy < 1
    stripe = [record.pattern.diagonal(1).mean() for record in (two[0], two[-1])]
    assert stripe[0] < 0.1 and stripe[1] > 0.4
    assert one[-1].induction < 0.1 and one[-1].second_copy > 2.5
    steps, loss = (
        torch.tensor([float(getattr(record, name)) for record in two]) for name in ("step", "second_copy")
    )
    assert 100 <= phase_change(steps, loss) <= 350
