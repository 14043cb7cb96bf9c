"""Exercise 4.2: loss by position."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import loss_by_position


def _of_the_present_token(logits, tokens):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(2, tokens[:, :-1, None])[..., 0].mean(dim=0)


def _equals_each_entry(trial: Trial) -> None:
    """Oracle: one prediction at a time, in double precision."""
    logits = 2 * torch.randn(3, 5, 7, generator=generator(0)) + 4
    tokens = torch.randint(7, (3, 5), generator=generator(1))
    expected = torch.zeros(4)
    for pos in range(4):
        for row in range(3):
            p = logits[row, pos].double().exp()
            expected[pos] -= (p[tokens[row, pos + 1]] / p.sum()).log() / 3
    trial.matches((logits, tokens), expected, "predicted")


EXERCISE = Exercise(
    id="4.2",
    title="loss by position",
    minutes=5,
    difficulty=1,
    hints=(
        "logits[:, i] predict token i + 1: the last logits and the first token have no partner.",
        "log_softmax over the vocabulary, then gather(2, tokens[:, 1:, None]).",
        "The mean over the batch, and a minus sign.",
    ),
    reference=loss_by_position,
    tests=(_equals_each_entry,),
    mistakes=(
        Mistake(
            "loss of the present token",
            "logits at position i predict token i + 1; here they are compared with token i.",
            _of_the_present_token,
        ),
        Mistake(
            "loss of the present token, later ones",
            "logits at position i predict token i + 1; here they are compared with token i.",
            lambda logits, tokens: (
                -logits[:, 1:].log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0].mean(0)
            ),
        ),
        Mistake(
            "one token back",
            "logits at position i are compared with token i - 1; they predict token i + 1.",
            lambda logits, tokens: (
                -logits[:, 1:].log_softmax(-1).gather(2, tokens[:, :-1, None])[..., 0].mean(0)
            ),
        ),
        Mistake(
            "sign missing",
            "this is the log-probability; the loss is minus it.",
            lambda logits, tokens: -loss_by_position(logits, tokens),
        ),
        Mistake(
            "raw logits",
            "a logit is no log-probability: log_softmax over the vocabulary first.",
            lambda logits, tokens: -logits[:, :-1].gather(2, tokens[:, 1:, None])[..., 0].mean(0),
        ),
        Mistake(
            "softmax over positions",
            "the softmax is over the vocabulary, the last axis.",
            lambda logits, tokens: (
                -logits[:, :-1].log_softmax(1).gather(2, tokens[:, 1:, None])[..., 0].mean(0)
            ),
        ),
        Mistake(
            "probability instead of loss",
            "this is the probability; the loss is minus its logarithm.",
            lambda logits, tokens: logits[:, :-1].softmax(-1).gather(2, tokens[:, 1:, None])[..., 0].mean(0),
        ),
        Mistake(
            "bits instead of nats",
            "the loss is in nats: the natural logarithm.",
            lambda logits, tokens: loss_by_position(logits, tokens) / torch.tensor(2.0).log(),
        ),
        Mistake(
            "mean over positions",
            "keep the positions; the mean is over the batch.",
            lambda logits, tokens: (
                -logits[:, :-1].log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0].mean(1)
            ),
        ),
        Mistake(
            "summed over the batch",
            "the mean over the batch is asked for, not the sum.",
            lambda logits, tokens: loss_by_position(logits, tokens) * len(tokens),
        ),
    ),
)
