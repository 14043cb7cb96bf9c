"""Exercise 5.12: faithfulness."""

import torch

from helpers.ablation import fraction_recovered
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _mean_of_ratios(circuit, nothing, whole):
    return ((circuit - nothing) / (whole - nothing)).mean()


def _of(formula):
    return lambda circuit, nothing, whole: formula(circuit.mean(), nothing.mean(), whole.mean())


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: sums by hand; the ends, 0 and 1; more than the whole, less than nothing; numbers of both signs."""
    whole = 3 + 3 * torch.randn(6, generator=generator(0))
    nothing = torch.randn(6, generator=generator(1)) + 0.4
    for seed, add in ((2, 0), (3, 3), (4, -4)):
        circuit = 2 + add + torch.randn(6, generator=generator(seed))
        total = [sum(values.tolist()) for values in (circuit, nothing, whole)]
        expected = torch.tensor((total[0] - total[1]) / (total[2] - total[1]))
        trial.matches((circuit, nothing, whole), expected, "")
    trial.matches((whole, nothing, whole), torch.tensor(1.0), "")
    trial.matches((nothing, nothing, whole), torch.tensor(0.0), "")


EXERCISE = Exercise(
    id="5.12",
    title="faithfulness",
    minutes=4,
    difficulty=1,
    hints=(
        "0 when the circuit does no better than nothing, 1 when it does as well as the whole model.",
        "Take the three means first, then one division.",
    ),
    reference=fraction_recovered,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "mean of ratios",
            "a prompt on which the whole model barely differs from nothing would outweigh all others: divide the means.",
            _mean_of_ratios,
        ),
        Mistake(
            "not measured from nothing",
            "what is left with every head replaced is not the circuit's merit: subtract it above and below.",
            _of(lambda circuit, nothing, whole: circuit / whole),
        ),
        Mistake(
            "nothing subtracted once",
            "subtract `nothing` above and below the line.",
            _of(lambda circuit, nothing, whole: (circuit - nothing) / whole),
        ),
        Mistake(
            "what is missing",
            "this is the share that is lost.",
            _of(lambda circuit, nothing, whole: (whole - circuit) / (whole - nothing)),
        ),
        Mistake(
            "cut off",
            "a circuit may do better than the model (heads that work against the answer are left out), or worse than nothing: say so.",
            _of(lambda circuit, nothing, whole: ((circuit - nothing) / (whole - nothing)).clamp(0, 1)),
        ),
        Mistake(
            "a difference instead of a share",
            "divide by what the whole model does.",
            _of(lambda circuit, nothing, whole: circuit - nothing),
        ),
    ),
)
