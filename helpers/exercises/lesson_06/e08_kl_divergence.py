"""Exercise 6.8: KL divergence, the side effects of steering on other text."""

import math

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.steering import kl_divergence


def _divergences(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _of_logs(value, dim=-1):
    """``value(log_p, log_q)`` of the plain and the steered log-probabilities."""
    return lambda plain, steered: value(plain.log_softmax(dim), steered.log_softmax(dim))


def _logits(size: float, offset: float, seed: int):
    """Logits of the plain and of the steered model, around levels of ± ``offset``."""
    plain, change = (torch.randn(2, 5, 14, generator=generator(seed + n)) for n in range(2))
    levels = offset * torch.tensor([1.0, 1, -1, 1, -1, -1, 1]).repeat(2)
    return plain + levels, size * plain + change + levels


def _equals_torch(trial: Trial) -> None:
    """Oracle: torch.distributions, position by position; probabilities that round to 0."""
    for size, offset, tolerance in ((1.0, 0.0, 1e-5), (3.0, 0.0, 1e-5), (2.0, 200.0, 1e-4)):
        plain, steered = _logits(size, offset, seed=int(size))
        distributions = (
            torch.distributions.Categorical(logits=logits.double()) for logits in (plain, steered)
        )
        each = torch.distributions.kl_divergence(*distributions)
        trial.matches((plain, steered), each.mean().float(), "", tolerance)


def _nothing_changed(trial: Trial) -> None:
    """Property: 0 without a change; adding one number to all logits of a position is no change."""
    plain = torch.randn(2, 5, 7, generator=generator(9))
    trial.matches((plain, plain + torch.arange(5.0)[None, :, None]), torch.tensor(0.0), "")


def _nearly_excluded_tokens(trial: Trial) -> None:
    """Known values: the plain model is sure of a token that the steered model all but excludes."""
    for size in (60, 200):
        logits = size * torch.tensor([[[1.0, -1.0]]])
        cost = float(trial.call(logits, -logits))
        if not math.isfinite(cost):
            raise Wrong(NOT_FINITE, FINITE)
        if abs(cost - 2 * size) > 0.01:
            raise Wrong(
                "small probabilities cut off",
                f"logits ±{size} of the plain model and ∓{size} of the steered one make a divergence of "
                f"{2 * size} nats, got {cost:.4g}. A small number added to q, a clamp, or leaving out "
                "q = 0 cuts it off. Call log_softmax.",
            )


NOT_FINITE = "NaN or infinite"
FINITE = "with logits of ±200 exp() overflows or probabilities round to 0. log_softmax avoids both."

EXERCISE = Exercise(
    id="6.8",
    title="side effects",
    minutes=4,
    difficulty=1,
    hints=(
        "`log_softmax` over the vocabulary turns logits into log-probabilities. Their `exp` gives the probabilities.",
        "The sum of the formula goes over the vocabulary, the mean over texts and positions.",
    ),
    reference=kl_divergence,
    tests=(_equals_torch, _nothing_changed, _nearly_excluded_tokens),
    mistakes=(
        Mistake(
            "the other direction",
            "weight by the plain model's probabilities: Σ p (log p - log q), p plain, q steered.",
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
            'this divides by the number of texts only, as "batchmean" does: take the mean over positions, too.',
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
            "weighted by q",
            "weight by p, the plain model's probabilities: log_p.exp() * (log_p - log_q).",
            _of_logs(lambda log_p, log_q: -_divergences(log_q, log_p).mean()),
        ),
        Mistake(
            "both directions",
            "take one direction only: Σ p (log p - log q), p plain, q steered.",
            _of_logs(
                lambda log_p, log_q: (_divergences(log_p, log_q) + _divergences(log_q, log_p)).mean() / 2
            ),
        ),
        Mistake(
            "softmax applied twice",
            "log_softmax takes the logits, not probabilities.",
            lambda plain, steered: kl_divergence(plain.softmax(-1), steered.softmax(-1)),
        ),
        Mistake(
            "last position only",
            "take the mean over all positions, not only the last.",
            lambda plain, steered: kl_divergence(plain[:, -1:], steered[:, -1:]),
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
            NOT_FINITE,
            FINITE,
            lambda plain, steered: (
                (plain.softmax(-1) * (plain.softmax(-1).log() - steered.softmax(-1).log())).sum(-1).mean()
            ),
        ),
        Mistake(
            "raw logits",
            "logits are not log-probabilities: log_softmax first.",
            lambda plain, steered: (plain.softmax(-1) * (plain - steered)).sum(-1).mean(),
        ),
        Mistake(
            "one number per position",
            "expected one number: take the mean over texts and positions.",
            _of_logs(_divergences),
        ),
    ),
)
