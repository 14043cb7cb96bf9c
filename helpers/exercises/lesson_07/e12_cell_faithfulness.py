"""Exercise 7.12: a faithfulness in which the errors of two cells do not cancel."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.golf import cell_faithfulness


def _by_cell(formula, mean_of=torch.mean):
    """``formula(circuit, nothing, full)`` of the means of each cell."""

    def answer(circuit, nothing, full, cell):
        members = [cell == number for number in cell.unique()]
        return formula(
            *(torch.stack([mean_of(x[mask]) for mask in members]) for x in (circuit, nothing, full))
        )

    return answer


def _over_prompts(formula):
    """``formula`` of the values of each prompt, without cells."""
    return lambda circuit, nothing, full, cell: formula(circuit, nothing, full)


def _score(circuit, nothing, full):
    return 1 - (circuit - full).abs().sum() / (full - nothing).abs().sum()


def _mean_of_squares(circuit, nothing, full):
    return 1 - ((circuit - full) ** 2).sum() / ((full - nothing) ** 2).sum()


# labels that are missing, in no order, in cells of unequal size
CELLS = [2, 0, 2, 2, 0, 2, 5], [1, 1, 1, 1, 1], [0, 1, 2], [3, 0, 3, 3, 8, 0, 8, 3]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: sums by hand; full below nothing in some cells; scores below 0; the ends 0 and 1."""
    for seed, labels in enumerate(CELLS):
        circuit, nothing, full = torch.randn(3, len(labels), generator=generator(seed))
        full = full + torch.tensor([2.0 if label else -2.0 for label in labels])
        for size in (0.4, 3.0, 30.0):  # of the circuit's errors; the last score is below 0
            values = (full + size * circuit, nothing + 0.3, full)
            gap = effect = 0.0
            for label in set(labels):
                members = [n for n, other in enumerate(labels) if other == label]
                means = [sum(x[n].item() for n in members) / len(members) for x in values]
                gap += abs(means[0] - means[2])
                effect += abs(means[2] - means[1])
            trial.matches((*values, torch.tensor(labels)), torch.tensor(1 - gap / effect), "")
        trial.matches((full, nothing, full, torch.tensor(labels)), torch.tensor(1.0), "")
        trial.matches((nothing, nothing, full, torch.tensor(labels)), torch.tensor(0.0), "")


def _orders_do_not_cancel(trial: Trial) -> None:
    """Property: 150 % in one cell and 50 % in the other count ½; within a cell errors cancel."""
    nothing, full, cell = torch.zeros(4), torch.full((4,), 2.0), torch.tensor([0, 0, 1, 1])
    trial.matches((torch.tensor([3.0, 3.0, 1.0, 1.0]), nothing, full, cell), torch.tensor(0.5), "")
    trial.matches((torch.tensor([3.0, 1.0, 3.0, 1.0]), nothing, full, cell), torch.tensor(1.0), "")


EXERCISE = Exercise(
    id="7.12",
    title="a score that cannot cancel",
    minutes=8,
    difficulty=2,
    hints=(
        "`cell == number` is the mask of one cell. `cell.unique()` holds the numbers that occur.",
        "Take means inside a cell first, then absolute values, then sums over the cells. Divide once, at the end.",
        "`torch.stack([values[cell == number].mean() for number in cell.unique()])` holds the mean of every cell.",
    ),
    reference=cell_faithfulness,
    tests=(_equals_by_hand, _orders_do_not_cancel),
    mistakes=(
        Mistake(
            "cells cancel",
            "take the absolute value of each cell before you sum. Otherwise too much in ABBA hides too little in BABA.",
            _by_cell(lambda c, n, f: 1 - (c - f).sum().abs() / (f - n).sum().abs()),
        ),
        Mistake(
            "no absolute values",
            "without absolute values, too much in one cell hides too little in another.",
            _by_cell(lambda c, n, f: 1 - (f - c).sum() / (f - n).sum()),
        ),
        Mistake(
            "absolute value above the line only",
            "a cell in which the full model is below nothing has an effect too: take the absolute value below the line.",
            _by_cell(lambda c, n, f: 1 - (c - f).abs().sum() / (f - n).sum()),
        ),
        Mistake(
            "every prompt its own cell",
            "average inside a cell first. Only then take absolute values.",
            _over_prompts(_score),
        ),
        Mistake(
            "all prompts one cell",
            "take the means cell by cell, `cell == number`. A mean over all prompts hides what cells lack.",
            _over_prompts(lambda c, n, f: 1 - (c.mean() - f.mean()).abs() / (f.mean() - n.mean()).abs()),
        ),
        Mistake(
            "largest cell alone",
            "sum over all cells, above and below the line.",
            _by_cell(lambda c, n, f: 1 - (c - f).abs().max() / (f - n).abs().max()),
        ),
        Mistake(
            "mean of ratios",
            "a cell with a small effect would outweigh the others: sum over cells above and below the line, then divide once.",
            _by_cell(lambda c, n, f: (1 - (c - f).abs() / (f - n).abs()).mean()),
        ),
        Mistake(
            "not measured from nothing",
            "divide by what the heads add: full minus nothing.",
            _by_cell(lambda c, n, f: 1 - (c - f).abs().sum() / f.abs().sum()),
        ),
        Mistake(
            "what is missing",
            "this is the gap relative to the effect. The score is 1 minus this fraction.",
            _by_cell(lambda c, n, f: (c - f).abs().sum() / (f - n).abs().sum()),
        ),
        Mistake(
            "overshooting rewarded",
            "this is the effect of the circuit relative to that of the model. It grows where the circuit does too much.",
            _by_cell(lambda c, n, f: (c - n).abs().sum() / (f - n).abs().sum()),
        ),
        Mistake(
            "squares",
            "take absolute values, not squares.",
            _by_cell(_mean_of_squares),
        ),
        Mistake(
            "cut off at 0",
            "a circuit may do worse than nothing: keep values below 0.",
            _by_cell(lambda c, n, f: _score(c, n, f).clamp(min=0)),
        ),
        Mistake(
            "sums instead of means",
            "cells differ in their number of prompts: take the mean of each cell.",
            _by_cell(_score, torch.sum),
        ),
        Mistake(
            "medians",
            "take the mean of each cell, not the median.",
            _by_cell(_score, torch.median),
        ),
        Mistake(
            "only the first cell",
            "sum over all cells.",
            _by_cell(lambda c, n, f: _score(c[:1], n[:1], f[:1])),
        ),
        Mistake(
            "labels taken for 0, 1, 2, …",
            "labels are any numbers: loop over those that occur, `cell.unique()`.",
            lambda circuit, nothing, full, cell: _by_cell(_score)(
                *(x[cell < len(cell.unique())] for x in (circuit, nothing, full)),
                cell[cell < len(cell.unique())],
            ),
        ),
        Mistake(
            "one number per cell",
            "expected a single number: sum over cells above and below the line.",
            _by_cell(lambda c, n, f: 1 - (c - f).abs() / (f - n).abs()),
        ),
    ),
)
