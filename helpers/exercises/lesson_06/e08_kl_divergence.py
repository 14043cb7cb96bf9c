"""Exercise 6.8: what steering does to other text."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.steering import kl_divergence


def _the_other_direction(plain, steered):
    log_p, log_q = plain.log_softmax(dim=-1), steered.log_softmax(dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1).mean()


def _by_logs(value, dim=-1):
    return lambda plain, steered: value(plain.log_softmax(dim), steered.log_softmax(dim))


def _equals_torch(trial: Trial) -> None:
    """Oracle: torch.distributions, text by text and position by position."""
    for seed, size in ((0, 1.0), (5, 3.0)):
        plain, steered = (size * torch.randn(2, 4, 7, generator=generator(seed + n)) for n in range(2))
        distributions = torch.distributions.Categorical
        each = [
            torch.distributions.kl_divergence(
                distributions(logits=plain[text, pos].double()),
                distributions(logits=steered[text, pos].double()),
            )
            for text in range(2)
            for pos in range(4)
        ]
        trial.matches((plain, steered), torch.stack(each).mean().float(), "")


def _nothing_changed(trial: Trial) -> None:
    """Property: 0 without a change, and logits that are all shifted alike are no change."""
    plain = torch.randn(2, 4, 7, generator=generator(9))
    trial.matches((plain, plain + torch.arange(4.0)[None, :, None]), torch.tensor(0.0), "")


EXERCISE = Exercise(
    id="6.8",
    title="side effects",
    minutes=4,
    difficulty=1,
    hints=(
        "log_p = plain.log_softmax(dim=-1), log_q = steered.log_softmax(dim=-1), p = log_p.exp().",
        "(p * (log_p - log_q)).sum(dim=-1) is one number a position; then the mean.",
    ),
    reference=kl_divergence,
    tests=(_equals_torch, _nothing_changed),
    mistakes=(
        Mistake(
            "the other direction",
            "weigh by what the plain model expects: Σ p (log p - log q), p plain, q steered.",
            _the_other_direction,
        ),
        Mistake(
            "the wrong way round inside",
            "log p - log q, not log q - log p: a divergence is never negative.",
            _by_logs(lambda p, q: (p.exp() * (q - p)).sum(-1).mean()),
        ),
        Mistake(
            "summed over positions",
            "the mean over texts and positions: nats a token.",
            _by_logs(lambda p, q: (p.exp() * (p - q)).sum()),
        ),
        Mistake(
            "mean over texts only",
            '"batchmean" divides by the first axis only: take the mean over positions, too.',
            _by_logs(lambda p, q: (p.exp() * (p - q)).sum() / len(p)),
        ),
        Mistake(
            "mean over the vocabulary",
            "sum over the vocabulary, mean over texts and positions.",
            _by_logs(lambda p, q: (p.exp() * (p - q)).mean()),
        ),
        Mistake(
            "bits instead of nats",
            "natural logarithms.",
            _by_logs(lambda p, q: (p.exp() * (p - q)).sum(-1).mean() / 0.6931472),
        ),
        Mistake(
            "not weighted",
            "each token's difference counts with its probability p: log_p.exp() * (log_p - log_q).",
            _by_logs(lambda p, q: (p - q).sum(-1).mean()),
        ),
        Mistake(
            "cross-entropy",
            "this also holds how unsure the plain model is, which is not steering's doing: log p - log q.",
            _by_logs(lambda p, q: -(p.exp() * q).sum(-1).mean()),
        ),
        Mistake(
            "softmax over positions",
            "probabilities sum to 1 over the vocabulary, the last axis.",
            _by_logs(lambda p, q: (p.exp() * (p - q)).sum(-1).mean(), dim=1),
        ),
        Mistake(
            "raw logits",
            "logits are no log-probabilities: log_softmax first.",
            lambda plain, steered: (plain.softmax(-1) * (plain - steered)).sum(-1).mean(),
        ),
        Mistake(
            "one number a position",
            "one number: the mean over texts and positions is missing.",
            _by_logs(lambda p, q: (p.exp() * (p - q)).sum(-1)),
        ),
    ),
)
