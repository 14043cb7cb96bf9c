"""Exercise 5.10: is S known by its place or by its name?"""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import position_and_token


def _swapped(diffs, position, token):
    return torch.linalg.lstsq(torch.stack([token, position], dim=1), diffs).solution


def _one_by_one(diffs, position, token):
    return torch.stack([(diffs @ x) / (x @ x) for x in (position, token)])


def _with_constant(diffs, position, token):
    design = torch.stack([position, token, torch.ones_like(diffs)], dim=1)
    return torch.linalg.lstsq(design, diffs).solution


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
        "Least squares: which two numbers a, b bring a · position + b · token nearest to diffs?",
        "torch.linalg.lstsq(A, diffs).solution, with A of two columns, one a signal.",
    ),
    reference=position_and_token,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake("signals exchanged", "position first, then token.", _swapped),
        Mistake(
            "each signal alone",
            "fit both at once: where one goes with the other, two separate fits count it twice.",
            _one_by_one,
        ),
        Mistake(
            "three numbers",
            "two coefficients, and no constant: with no signal there is no difference.",
            _with_constant,
        ),
        Mistake(
            "with a constant",
            "fit without a constant: with no signal there is no difference.",
            lambda diffs, position, token: _with_constant(diffs, position, token)[:2],
        ),
        Mistake(
            "correlations",
            "coefficients, in logits, not correlations.",
            lambda diffs, position, token: torch.stack(
                [torch.corrcoef(torch.stack([diffs, x]))[0, 1] for x in (position, token)]
            ),
        ),
        Mistake(
            "what is fitted",
            "return the two coefficients, not the fitted differences.",
            lambda diffs, position, token: (
                torch.stack([position, token], dim=1)
                @ torch.linalg.lstsq(torch.stack([position, token], dim=1), diffs).solution
            ),
        ),
    ),
)
