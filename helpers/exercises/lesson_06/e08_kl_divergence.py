"""Exercise 6.8: KL divergence, the side effects of steering on other text."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.steering import kl_divergence


def _divergences(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _of_logs(value, dim=-1):
    """``value(log_p, log_q)`` of the plain and the steered log-probabilities."""
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
    """Property: 0 without a change; adding one number to all logits of a position is no change."""
    plain = torch.randn(2, 4, 7, generator=generator(9))
    trial.matches((plain, plain + torch.arange(4.0)[None, :, None]), torch.tensor(0.0), "")


EXERCISE = Exercise(
    id="6.8",
    title="side effects",
    minutes=4,
    difficulty=1,
    hints=(
        "`log_softmax` over the vocabulary turns logits into log-probabilities: `log_p` of the plain model, `log_q` of the steered one.",
        "The probabilities p are `log_p.exp()`. Sum p · (log p - log q) over the vocabulary, and average over texts and positions.",
    ),
    reference=kl_divergence,
    tests=(_equals_torch, _nothing_changed),
    mistakes=(
        Mistake(
            "the other direction",
            "weigh by what the plain model expects: Σ p (log p - log q), p plain, q steered.",
            lambda plain, steered: kl_divergence(steered, plain),
        ),
        Mistake(
            "the wrong way round inside",
            "take log p - log q, not log q - log p: a divergence is never negative.",
            _of_logs(lambda log_p, log_q: -_divergences(log_p, log_q).mean()),
        ),
        Mistake(
            "summed over positions",
            "take the mean over texts and positions: nats per token.",
            _of_logs(lambda log_p, log_q: _divergences(log_p, log_q).sum()),
        ),
        Mistake(
            "mean over texts only",
            '"batchmean" divides by the first axis only: take the mean over positions, too.',
            _of_logs(lambda log_p, log_q: _divergences(log_p, log_q).sum() / len(log_p)),
        ),
        Mistake(
            "mean over the vocabulary",
            "sum over the vocabulary, and take the mean over texts and positions.",
            _of_logs(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean()),
        ),
        Mistake(
            "bits instead of nats",
            "use natural logarithms.",
            _of_logs(lambda log_p, log_q: _divergences(log_p, log_q).mean() / 0.6931472),
        ),
        Mistake(
            "not weighted",
            "the difference at each token counts with its probability p: log_p.exp() * (log_p - log_q).",
            _of_logs(lambda log_p, log_q: (log_p - log_q).sum(dim=-1).mean()),
        ),
        Mistake(
            "cross-entropy",
            "the cross-entropy includes the uncertainty of the plain model, which steering does not cause: log p - log q.",
            _of_logs(lambda log_p, log_q: -(log_p.exp() * log_q).sum(dim=-1).mean()),
        ),
        Mistake(
            "softmax over positions",
            "probabilities sum to 1 over the vocabulary, the last axis.",
            _of_logs(lambda log_p, log_q: _divergences(log_p, log_q).mean(), dim=1),
        ),
        Mistake(
            "raw logits",
            "logits are not log-probabilities: log_softmax first.",
            lambda plain, steered: (plain.softmax(-1) * (plain - steered)).sum(-1).mean(),
        ),
        Mistake(
            "one number a position",
            "expected one number: take the mean over texts and positions.",
            _of_logs(_divergences),
        ),
    ),
)
