"""Exercise 4.2: loss by position."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import loss_by_position


def _equals_single_predictions(trial: Trial) -> None:
    """Oracle: one prediction at a time, in double precision, on logits around -200, 4 and 200."""
    for batch, n, d_vocab in [(3, 5, 7), (4, 6, 8), (2, 4, 5), (1, 4, 9), (5, 2, 6)]:
        level = 4 + torch.tensor([0, 196, -204]).repeat(2)[:n, None]
        logits = level + 2 * torch.randn(batch, n, d_vocab, generator=generator(0))
        tokens = torch.randint(d_vocab, (batch, n), generator=generator(1))
        expected = torch.zeros(n - 1)
        for pos in range(n - 1):
            for row in range(batch):
                p = logits[row, pos].double().exp()
                expected[pos] -= (p[tokens[row, pos + 1]] / p.sum()).log() / batch
        trial.matches((logits, tokens), expected, "predicted", 1e-4)


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
        "`log_softmax` over the vocabulary makes log-probabilities of logits. Then `gather` picks one entry "
        "per token; its index needs as many axes as the log-probabilities.",
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
            "loss of the present token",
            "compare the logits at position i with token i + 1, not with token i.",
            _variant(predictions=ALL_BUT_FIRST),
        ),
        Mistake(
            "no shift",
            "the logits at position i predict token i + 1: leave out the last logits and the first token.",
            lambda logits, tokens: -logits.log_softmax(dim=-1).gather(2, tokens[:, :, None])[..., 0].mean(0),
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
            "exp overflows",
            "exp of a logit of 200 is infinite, and of -200 zero. log_softmax subtracts the largest logit first.",
            _variant(log_probs=lambda logits: (logits.exp() / logits.exp().sum(-1, keepdim=True)).log()),
        ),
        Mistake(
            "squeeze removes too many axes",
            "squeeze() also removes a batch of one and a single prediction. Use squeeze(-1) or [..., 0].",
            lambda logits, tokens: (
                -logits[:, :-1].log_softmax(dim=-1).gather(2, tokens[:, 1:, None]).squeeze().mean(0)
            ),
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
            "logarithm of the mean",
            "this is the logarithm of the mean probability. Take the logarithm first, then the mean.",
            _variant(reduce=lambda chosen: -chosen.exp().mean(dim=0).log()),
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
