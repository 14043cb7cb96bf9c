"""Exercise 5.13: faithfulness, the fraction of the full model's score that a circuit recovers."""

import torch

from helpers.ablation import fraction_recovered
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _of_means(formula):
    """``formula`` of the three means over prompts."""
    return lambda circuit, nothing, full: formula(circuit.mean(), nothing.mean(), full.mean())


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: sums by hand; above 1 and below 0; nothing above full; the ends 0 and 1."""
    full = 3 + 3 * torch.randn(6, generator=generator(0))
    nothing = torch.randn(6, generator=generator(1)) + 0.4
    for seed, add in ((2, 0), (3, 3), (4, -4)):
        circuit = 2 + add + torch.randn(6, generator=generator(seed))
        for low, high in ((nothing, full), (full, nothing), (-full, -nothing)):
            totals = [sum(values.tolist()) for values in (circuit, low, high)]
            expected = torch.tensor((totals[0] - totals[1]) / (totals[2] - totals[1]))
            trial.matches((circuit, low, high), expected, "")
    trial.matches((full, nothing, full), torch.tensor(1.0), "")
    trial.matches((nothing, nothing, full), torch.tensor(0.0), "")


EXERCISE = Exercise(
    id="5.13",
    title="faithfulness",
    minutes=4,
    difficulty=1,
    hints=(
        "The result is 0 for a circuit that does no better than nothing, and 1 for one that does as well as the full model.",
        "Take the three means over prompts first, then divide once. The mean of `nothing` is subtracted above and below the line.",
    ),
    reference=fraction_recovered,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "mean of ratios",
            "a prompt on which the full model barely differs from nothing would outweigh all others: divide the means.",
            lambda circuit, nothing, full: ((circuit - nothing) / (full - nothing)).mean(),
        ),
        Mistake(
            "mean of ratios",
            "divide means, not prompt by prompt. Subtract `nothing` above and below the line.",
            lambda circuit, nothing, full: (circuit / full).mean(),
        ),
        Mistake(
            "not measured from nothing",
            "the score with every head replaced is not the circuit's merit: subtract it above and below the line.",
            _of_means(lambda circuit, nothing, full: circuit / full),
        ),
        Mistake(
            "nothing subtracted once",
            "subtract `nothing` above and below the line.",
            _of_means(lambda circuit, nothing, full: (circuit - nothing) / full),
        ),
        Mistake(
            "what is missing",
            "this is the fraction that is lost.",
            _of_means(lambda circuit, nothing, full: (full - circuit) / (full - nothing)),
        ),
        Mistake(
            "cut off",
            "a circuit may do better than the model (it leaves out heads that work against the answer) "
            "or worse than nothing: keep such values.",
            _of_means(lambda circuit, nothing, full: ((circuit - nothing) / (full - nothing)).clamp(0, 1)),
        ),
        Mistake(
            "sign lost",
            "a circuit may do worse than nothing: take no absolute value.",
            _of_means(lambda circuit, nothing, full: ((circuit - nothing) / (full - nothing)).abs()),
        ),
        Mistake(
            "medians",
            "take means over the prompts, not medians.",
            lambda circuit, nothing, full: (
                (circuit.median() - nothing.median()) / (full.median() - nothing.median())
            ),
        ),
        Mistake(
            "cut off at 1",
            "a circuit may do better than the model: it leaves out heads that work against the answer. Keep values above 1.",
            _of_means(lambda circuit, nothing, full: ((circuit - nothing) / (full - nothing)).clamp(max=1)),
        ),
        Mistake(
            "cut off at 0",
            "a circuit may do worse than nothing: keep values below 0.",
            _of_means(lambda circuit, nothing, full: ((circuit - nothing) / (full - nothing)).clamp(min=0)),
        ),
        Mistake(
            "a difference instead of a fraction",
            "divide by the difference between the full model and nothing.",
            _of_means(lambda circuit, nothing, full: circuit - nothing),
        ),
    ),
)
