"""Exercise 5.14: minimality."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial


def minimality(
    score: Callable[[list], float], circuit: list[tuple[int, int]], whole: float
) -> Float[Tensor, " head"]:
    """Share of the whole model's score that each head of a circuit accounts for:  (score(C) - score(C without it)) / whole ."""
    full = score(circuit)
    without = [score([other for other in circuit if other != head]) for head in circuit]
    return torch.tensor([(full - value) / whole for value in without])


def _head_alone(score, circuit, whole):
    empty = score([])
    return torch.tensor([(score([head]) - empty) / whole for head in circuit])


def _built_up(score, circuit, whole):
    steps = [score(circuit[:n]) for n in range(len(circuit) + 1)]
    return torch.tensor([(after - before) / whole for before, after in zip(steps, steps[1:])])


def _taken_down(score, circuit, whole):
    steps = [score(circuit[n:]) for n in range(len(circuit) + 1)]
    return torch.tensor([(before - after) / whole for before, after in zip(steps, steps[1:])])


def _not_put_back(score, circuit, whole):
    steps = [score(circuit[n:]) for n in range(len(circuit) + 1)]
    return torch.tensor([(steps[0] - after) / whole for after in steps[1:]])


def _changed(new):
    return lambda score, circuit, whole: new(minimality(score, circuit, whole), score(circuit), whole)


def _equals_by_hand(trial: Trial) -> None:
    """Known scores: a sum in which a head works against the rest, and one with heads that are each other's backup."""
    worth = {(0, 1): 1.0, (1, 2): 0.5, (2, 1): 2.0, (2, 3): -1.25}

    def add_up(heads):
        return sum(worth[head] for head in heads) + 0.25

    def with_backup(heads):
        return (
            3.0 * ((0, 1) in heads or (1, 2) in heads)
            - 0.5 * ((2, 1) in heads)
            + ((2, 3) in heads) * len(heads)
        )

    circuit = list(worth)
    cases = {
        "a score that adds up": (add_up, 5.0, [0.2, 0.1, 0.4, -0.25]),
        "a score with a backup": (with_backup, 8.0, [1 / 8, 1 / 8, 0.5 / 8, 4 / 8]),
    }
    for name, (score, whole, expected) in cases.items():
        trial.behaves(
            lambda function, score=score, whole=whole: function(score, list(circuit), whole),
            torch.tensor(expected),
            "head",
            what=name,
        )


EXERCISE = Exercise(
    id="5.14",
    title="minimality",
    minutes=6,
    difficulty=2,
    hints=(
        "For each head: the score of the circuit, less the score of the circuit without it.",
        "[other for other in circuit if other != head] is the circuit without a head. Divide by `whole`.",
    ),
    reference=minimality,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "each head alone",
            "a head may need others, or be one of two that do the same: take it out of the circuit.",
            _head_alone,
        ),
        Mistake(
            "each head alone, with nothing",
            "take each head out of the circuit instead of leaving it alone in the model.",
            lambda score, circuit, whole: torch.tensor([score([head]) / whole for head in circuit]),
        ),
        Mistake(
            "compared with the whole model",
            "from the circuit's score to the circuit's score without the head; `whole` only divides.",
            _changed(lambda found, full, whole: found + 1 - full / whole),
        ),
        Mistake("not put back", "take out one head at a time, and put it back.", _not_put_back),
        Mistake("built up one by one", "take out one head at a time, and put it back.", _built_up),
        Mistake("taken down one by one", "take out one head at a time, and put it back.", _taken_down),
        Mistake(
            "not divided",
            "as a share of the whole model's score.",
            _changed(lambda found, full, whole: found * whole),
        ),
        Mistake(
            "divided by the circuit's score",
            "divide by `whole`, the score of the whole model.",
            _changed(lambda found, full, whole: found * whole / full),
        ),
        Mistake(
            "what is left",
            "the loss, not what is left without the head.",
            _changed(lambda found, full, whole: full / whole - found),
        ),
        Mistake(
            "without minus with",
            "the loss is positive for a head that helps.",
            _changed(lambda found, full, whole: -found),
        ),
    ),
)
