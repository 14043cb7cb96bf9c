"""Exercise 5.11: position signal and token signal, by least squares (Wang et al. 2022, app. A)."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import position_and_token


def _fit(diffs, *signals):
    """Coefficients of the signals in the least-squares fit to ``diffs``."""
    return torch.linalg.lstsq(torch.stack(signals, dim=1), diffs).solution


def _one_after_the_other(diffs, first, second):
    coefficient = _fit(diffs, first)
    return torch.cat([coefficient, _fit(diffs - coefficient * first, second)])


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the normal equations; signals that are not orthogonal, negative results."""
    position = torch.tensor([1.0, -1, 1, -1, 1, -1, 1])
    token = torch.tensor([1.0, 1, 0, 0, -1, -1, 1])
    for count, a, b in ((7, 2, 0.7), (7, -1.5, 0.4), (5, 0.6, -2), (3, -1, -3), (2, -0.5, 1.5)):
        signals = position[:count], token[:count]
        diffs = a * signals[0] + b * signals[1] + 0.3 * torch.randn(count, generator=generator(count))
        pp, tt, pt = signals[0] @ signals[0], signals[1] @ signals[1], signals[0] @ signals[1]
        p, t = signals[0] @ diffs, signals[1] @ diffs
        expected = torch.stack([p * tt - t * pt, t * pp - p * pt]) / (pp * tt - pt**2)
        trial.matches((diffs, *signals), expected, "signal", 1e-4)


EXERCISE = Exercise(
    id="5.11",
    title="position or token",
    minutes=6,
    difficulty=2,
    hints=(
        "Least squares: which two numbers a and b bring a · position + b · token nearest to diffs? `torch.linalg.lstsq` solves for both at once.",
        "`lstsq` wants a matrix with one row per case and one column per signal (`torch.stack`), and returns the coefficients as `solution`.",
    ),
    reference=position_and_token,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "signals exchanged",
            "position comes first, then token.",
            lambda diffs, position, token: _fit(diffs, token, position),
        ),
        Mistake(
            "each signal alone",
            "fit both at once: where the signals go together, two separate fits count it twice.",
            lambda diffs, position, token: torch.cat([_fit(diffs, position), _fit(diffs, token)]),
        ),
        Mistake(
            "one after the other",
            "fit both at once: one after the other, the first signal takes what both explain.",
            _one_after_the_other,
        ),
        Mistake(
            "one after the other",
            "fit both at once: one after the other, the first signal takes what both explain.",
            lambda diffs, position, token: _one_after_the_other(diffs, token, position).flip(0),
        ),
        Mistake(
            "dot products",
            "dot products with the signals are no coefficients: solve the least-squares problem.",
            lambda diffs, position, token: torch.stack([position @ diffs, token @ diffs]),
        ),
        Mistake(
            "dot products",
            "mean products with the signals are no coefficients: solve the least-squares problem.",
            lambda diffs, position, token: torch.stack([position @ diffs, token @ diffs]) / len(diffs),
        ),
        Mistake(
            "three numbers",
            "expected two coefficients and no constant: without a signal there is no difference.",
            lambda diffs, position, token: _fit(diffs, position, token, torch.ones_like(diffs)),
        ),
        Mistake(
            "with a constant",
            "fit without a constant: without a signal there is no difference.",
            lambda diffs, position, token: _fit(diffs, position, token, torch.ones_like(diffs))[:2],
        ),
        Mistake(
            "correlations",
            "expected coefficients, in logits, not correlations.",
            lambda diffs, position, token: torch.corrcoef(torch.stack([diffs, position, token]))[0, 1:],
        ),
        Mistake(
            "what is fitted",
            "return the two coefficients, not the fitted differences.",
            lambda diffs, position, token: (
                torch.stack([position, token], dim=1) @ _fit(diffs, position, token)
            ),
        ),
    ),
)
