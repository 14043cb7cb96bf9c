"""Exercise 5.7: denoising, noising, and gates."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial


def denoising_and_noising(gate: Callable[[float, float], float]) -> Float[Tensor, "direction part"]:
    """Change of gate(a, b) when a, or b, is patched: clean (1) into corrupted (0), and corrupted into clean."""
    denoising = [gate(1, 0) - gate(0, 0), gate(0, 1) - gate(0, 0)]
    noising = [gate(0, 1) - gate(1, 1), gate(1, 0) - gate(1, 1)]
    return torch.tensor([denoising, noising])


def _rows_exchanged(gate):
    denoising = [gate(1, 0) - gate(0, 0), gate(0, 1) - gate(0, 0)]
    noising = [gate(0, 1) - gate(1, 1), gate(1, 0) - gate(1, 1)]
    return torch.tensor([noising, denoising])


def _changed(new):
    return lambda gate: new(denoising_and_noising(gate), gate)


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
    id="5.7",
    title="both directions",
    minutes=5,
    difficulty=1,
    hints=(
        "Denoising begins with everything corrupted, gate(0, 0), and makes one part clean.",
        "Noising begins with everything clean, gate(1, 1), and corrupts one part. Each entry is after minus before.",
    ),
    reference=denoising_and_noising,
    tests=(_equals_truth_tables,),
    mistakes=(
        Mistake(
            "noising and denoising exchanged",
            "clean (1) into corrupted (0) is denoising: it comes first.",
            _rows_exchanged,
        ),
        Mistake(
            "the other part patched when noising",
            "to corrupt a is gate(0, 1): a = 0, b as it was.",
            _changed(lambda both, gate: torch.stack([both[0], both[1].flip(0)])),
        ),
        Mistake(
            "the value instead of the change",
            "a change: the value after the patch minus the value before.",
            _changed(lambda both, gate: both + torch.tensor([[gate(0, 0)], [gate(1, 1)]])),
        ),
        Mistake(
            "before minus after",
            "after minus before: a part that is needed gives a negative number when noised.",
            _changed(lambda both, gate: -both),
        ),
        Mistake(
            "noising as a loss",
            "after minus before in both rows.",
            _changed(lambda both, gate: both * torch.tensor([[1.0], [-1.0]])),
        ),
        Mistake(
            "parts as rows", "rows are directions, columns are parts.", _changed(lambda both, gate: both.T)
        ),
        Mistake(
            "noising taken for denoising backwards",
            "noising begins with everything clean; it is measured, not the negative of denoising.",
            _changed(lambda both, gate: torch.stack([both[0], -both[0]])),
        ),
    ),
)
