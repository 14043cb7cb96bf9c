"""What a run keeps, and the metric of two logits."""

import torch

from helpers.forward import Forward
from helpers.run import LogitDiff
from tests.interventions import INTO, model_named

RIGHT, WRONG = torch.tensor([5, 17, 30]), torch.tensor([6, 2, 8])


def test_a_logit_diff_is_a_difference_of_two_logits():
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([row[right] - row[wrong] for row, right, wrong in zip(logits, RIGHT, WRONG)])
    torch.testing.assert_close(LogitDiff(RIGHT, WRONG)(logits), expected, rtol=0, atol=0)


def test_the_stream_at_a_step():
    run = Forward(model_named("gpt2")).run(INTO)
    assert run.at((1, "resid_pre")) is run.resid_pre[1] and run.at((1, "resid_mid")) is run.resid_mid[1]
