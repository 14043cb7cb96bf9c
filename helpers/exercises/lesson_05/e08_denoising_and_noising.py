"""Exercise 5.8: denoising and noising of models of two parts (Heimersheim and Nanda 2024)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial


def denoising_and_noising(gate: Callable[[float, float], float]) -> Float[Tensor, "direction part"]:
    """Change of ``gate(a, b)`` when a, or b, is patched.

    Denoising (first row) puts a clean part (1) into corrupted ones (0).
    Noising (second row) does the reverse.

    >>> denoising_and_noising(min)  # an AND gate
    tensor([[ 0.,  0.],
            [-1., -1.]])
    """
    denoising = [gate(1, 0) - gate(0, 0), gate(0, 1) - gate(0, 0)]
    noising = [gate(0, 1) - gate(1, 1), gate(1, 0) - gate(1, 1)]
    return torch.tensor([denoising, noising], dtype=torch.float)


def _changed(change):
    """The right table after ``change(table, gate)``."""
    return lambda gate: change(denoising_and_noising(gate), gate)


def _equals_truth_tables(trial: Trial) -> None:
    """Known gates: AND, OR, a sum, and two in which the parts differ."""
    gates = {
        "of two parts": (lambda a, b: 0.5 + a + 0.25 * b + 4 * a * b, [[1, 0.25], [-5, -4.25]]),
        "AND": (lambda a, b: 2.0 * min(a, b), [[0, 0], [-2, -2]]),
        "OR": (lambda a, b: 3.0 * max(a, b), [[3, 3], [0, 0]]),
        "a sum": (lambda a, b: 1.0 * a + 2 * b, [[1, 2], [-1, -2]]),
        "a AND NOT b": (lambda a, b: a * (1.0 - b) + 5, [[1, 0], [0, 1]]),
    }
    for name, (gate, expected) in gates.items():
        trial.behaves(
            lambda function, gate=gate: function(gate),
            torch.tensor(expected).float(),
            "direction part",
            what=f"gate {name}",
        )


EXERCISE = Exercise(
    id="5.8",
    title="denoising and noising",
    minutes=5,
    difficulty=1,
    hints=(
        "Denoising begins with everything corrupted, `gate(0, 0)`, and makes one part clean.",
        "Noising begins with everything clean, `gate(1, 1)`, and corrupts one part: a corrupted `a` is `gate(0, 1)`.",
        "Each of the four entries is the value after the patch minus the value before it.",
    ),
    reference=denoising_and_noising,
    tests=(_equals_truth_tables,),
    mistakes=(
        Mistake(
            "noising and denoising exchanged",
            "clean (1) into corrupted (0) is denoising, and belongs in the first row.",
            _changed(lambda table, gate: table.flip(0)),
        ),
        Mistake(
            "the other part patched when noising",
            "to corrupt a is `gate(0, 1)`: a becomes 0, and b stays 1.",
            _changed(lambda table, gate: torch.stack([table[0], table[1].flip(0)])),
        ),
        Mistake(
            "the value instead of the change",
            "expected a change: the value after the patch minus the value before.",
            _changed(lambda table, gate: table + torch.tensor([[gate(0, 0)], [gate(1, 1)]])),
        ),
        Mistake(
            "before minus after",
            "take after minus before: noising a part that is needed gives a negative number.",
            _changed(lambda table, gate: -table),
        ),
        Mistake(
            "sign lost",
            "a change may be negative: take no absolute value.",
            _changed(lambda table, gate: table.abs()),
        ),
        Mistake(
            "noising as a loss",
            "take after minus before in both rows.",
            _changed(lambda table, gate: table * torch.tensor([[1.0], [-1.0]])),
        ),
        Mistake(
            "parts as rows",
            "rows are directions, columns are parts.",
            _changed(lambda table, gate: table.T),
        ),
        Mistake(
            "noising taken for denoising backwards",
            "noising is measured from everything clean; it is not the negative of denoising.",
            _changed(lambda table, gate: torch.stack([table[0], -table[0]])),
        ),
    ),
)
