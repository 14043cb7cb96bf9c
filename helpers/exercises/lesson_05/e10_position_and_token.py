"""Exercise 5.10: position signal and token signal, by least squares (Wang et al. 2022, app. A)."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import position_and_token


def _fit(diffs, *signals):
    """Coefficients of the signals in the least-squares fit to ``diffs``."""
    return torch.linalg.lstsq(torch.stack(signals, dim=1), diffs).solution


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the normal equations of two unknowns, on signals that are not orthogonal."""
    position = torch.tensor([1.0, -1, 1, -1, 1, -1, 1])
    token = torch.tensor([1.0, 1, 0, 0, -1, -1, 1])
    for seed in (0, 1):
        diffs = 2 * position + 0.7 * token + 0.3 * torch.randn(7, generator=generator(seed))
        pp, tt, pt = position @ position, token @ token, position @ token
        p, t = position @ diffs, token @ diffs
        expected = torch.stack([p * tt - t * pt, t * pp - p * pt]) / (pp * tt - pt**2)
        trial.matches((diffs, position, token), expected, "signal", 1e-4)


EXERCISE = Exercise(
    id="5.10",
    title="place or name",
    minutes=6,
    difficulty=2,
    hints=(
        "Least squares: which two numbers a and b bring a · position + b · token nearest to diffs? `torch.linalg.lstsq` solves for both at once.",
        "`torch.linalg.lstsq(A, diffs).solution`, where `A` has one row per case and one column per signal, position first.",
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
