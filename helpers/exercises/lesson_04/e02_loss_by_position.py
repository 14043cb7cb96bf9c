"""Exercise 4.2: loss by position."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import loss_by_position


def _equals_single_predictions(trial: Trial) -> None:
    """Oracle: one prediction at a time, in double precision."""
    logits = 2 * torch.randn(3, 5, 7, generator=generator(0)) + 4
    tokens = torch.randint(7, (3, 5), generator=generator(1))
    expected = torch.zeros(4)
    for pos in range(4):
        for row in range(3):
            p = logits[row, pos].double().exp()
            expected[pos] -= (p[tokens[row, pos + 1]] / p.sum()).log() / 3
    trial.matches((logits, tokens), expected, "predicted")


ALL_BUT_LAST, ALL_BUT_FIRST = slice(None, -1), slice(1, None)


def _variant(
    predictions=ALL_BUT_LAST,
    targets=ALL_BUT_FIRST,
    log_probs=lambda logits: logits.log_softmax(dim=-1),
    reduce=lambda chosen: -chosen.mean(dim=0),
):
    """The reference with other positions, or with another function before or after the choice."""

    def answer(logits, tokens):
        return reduce(log_probs(logits[:, predictions]).gather(2, tokens[:, targets, None])[..., 0])

    return answer


EXERCISE = Exercise(
    id="4.2",
    title="loss by position",
    minutes=5,
    difficulty=1,
    hints=(
        "The logits at position i predict token i + 1. "
        "The last logits predict no token of the text, and no logits predict the first token.",
        "`log_softmax` over the vocabulary, then `gather(2, tokens[:, 1:, None])`.",
        "Take the mean over the batch, with a minus sign.",
    ),
    reference=loss_by_position,
    tests=(_equals_single_predictions,),
    mistakes=(
        Mistake(
            "loss of the present token",
            "compare the logits at position i with token i + 1, not with token i.",
            _variant(targets=ALL_BUT_LAST),
        ),
        Mistake(
            "loss of the present token, later ones",
            "compare the logits at position i with token i + 1, not with token i.",
            _variant(predictions=ALL_BUT_FIRST),
        ),
        Mistake(
            "one token back",
            "compare the logits at position i with token i + 1, not with token i - 1.",
            _variant(predictions=ALL_BUT_FIRST, targets=ALL_BUT_LAST),
        ),
        Mistake(
            "sign missing",
            "this is the log-probability. The loss is minus the log-probability.",
            _variant(reduce=lambda chosen: chosen.mean(dim=0)),
        ),
        Mistake(
            "raw logits",
            "a logit is not a log-probability. Apply log_softmax over the vocabulary first.",
            _variant(log_probs=lambda logits: logits),
        ),
        Mistake(
            "softmax over positions",
            "take the softmax over the vocabulary, which is the last axis.",
            _variant(log_probs=lambda logits: logits.log_softmax(dim=1)),
        ),
        Mistake(
            "probability instead of loss",
            "this is the probability. The loss is minus its logarithm.",
            _variant(reduce=lambda chosen: chosen.exp().mean(dim=0)),
        ),
        Mistake(
            "bits instead of nats",
            "this is the loss in bits. Take the natural logarithm, which gives nats.",
            lambda logits, tokens: loss_by_position(logits, tokens) / torch.tensor(2.0).log(),
        ),
        Mistake(
            "mean over positions",
            "average over the batch and keep the positions.",
            _variant(reduce=lambda chosen: -chosen.mean(dim=1)),
        ),
        Mistake(
            "summed over the batch",
            "this is the sum over the batch. Return the mean.",
            _variant(reduce=lambda chosen: -chosen.sum(dim=0)),
        ),
    ),
)
