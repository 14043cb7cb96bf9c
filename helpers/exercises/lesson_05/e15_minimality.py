"""Exercise 5.15: minimality, the fall of a circuit's score without each of its heads."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial


def minimality(
    score: Callable[[list], float], circuit: list[tuple[int, int]], full_score: float
) -> Float[Tensor, " head"]:
    """Fraction of the full model's score that is lost without each head of a circuit C.

    The formula for a head h is  (score(C) - score(C without h)) / full_score .

    >>> minimality(score=len, circuit=[(0, 1), (2, 3)], full_score=4.0)
    tensor([0.2500, 0.2500])
    """
    circuit_score = score(circuit)
    without = [score([member for member in circuit if member != head]) for head in circuit]
    return torch.tensor([(circuit_score - lower) / full_score for lower in without])


def _between(larger, smaller):
    """Divided differences in score between ``larger(circuit, n)`` and ``smaller(circuit, n)``."""
    return lambda score, circuit, full_score: torch.tensor(
        [(score(larger(circuit, n)) - score(smaller(circuit, n))) / full_score for n in range(len(circuit))]
    )


def _changed(change):
    """The right answer after ``change(losses, circuit_score, full_score)``."""
    return lambda score, circuit, full_score: change(
        minimality(score, circuit, full_score), score(circuit), full_score
    )


def _equals_by_hand(trial: Trial) -> None:
    """Known scores: a sum with one head below 0, and one with two heads that back each other up."""
    worth = {(0, 1): 1.0, (1, 2): 0.5, (2, 1): 2.0, (2, 3): -1.25}

    def add_up(heads):
        return sum(worth[head] for head in heads) + 0.25

    def with_backup(heads):
        return (
            3.0 * ((0, 1) in heads or (1, 2) in heads)
            - 0.5 * ((2, 1) in heads)
            + ((2, 3) in heads) * len(heads)
        )

    cases = {
        "a score that adds up": (add_up, 5.0, [0.2, 0.1, 0.4, -0.25]),
        "a score with a backup": (with_backup, 8.0, [1 / 8, 1 / 8, 0.5 / 8, 4 / 8]),
        "a full score below 0": (add_up, -2.0, [-0.5, -0.25, -1, 0.625]),
        "a circuit of one head": (add_up, 4.0, [0.25]),
    }
    for name, (score, full_score, expected) in cases.items():
        circuit = list(worth)[: len(expected)]
        trial.behaves(
            lambda function, score=score, circuit=circuit, full_score=full_score: function(
                score, list(circuit), full_score
            ),
            torch.tensor(expected),
            "head",
            what=name,
        )


EXERCISE = Exercise(
    id="5.15",
    title="minimality",
    minutes=6,
    difficulty=2,
    hints=(
        "Remove one head at a time, and put it back: the score of the circuit minus the score of the circuit without this head.",
        "A list comprehension with a condition builds the circuit without a head and leaves `circuit` as it is. Divide by `full_score` at the end.",
    ),
    reference=minimality,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "each head alone",
            "a head may need others, or be one of two that do the same: remove it from the circuit.",
            _between(lambda circuit, n: circuit[n : n + 1], lambda circuit, n: []),
        ),
        Mistake(
            "each head alone, with nothing",
            "remove each head from the circuit instead of keeping it alone in the model.",
            lambda score, circuit, full_score: torch.tensor([score([head]) / full_score for head in circuit]),
        ),
        Mistake(
            "compared with the full model",
            "subtract from the circuit's own score; `full_score` only divides.",
            _changed(lambda losses, circuit_score, full_score: losses + 1 - circuit_score / full_score),
        ),
        Mistake(
            "not put back",
            "remove one head at a time, and put it back.",
            _between(lambda circuit, n: circuit, lambda circuit, n: circuit[n + 1 :]),
        ),
        Mistake(
            "built up one by one",
            "remove one head at a time from the full circuit, and put it back.",
            _between(lambda circuit, n: circuit[: n + 1], lambda circuit, n: circuit[:n]),
        ),
        Mistake(
            "taken down one by one",
            "remove one head at a time, and put it back.",
            _between(lambda circuit, n: circuit[n:], lambda circuit, n: circuit[n + 1 :]),
        ),
        Mistake(
            "later heads removed, too",
            "remove one head at a time: the heads after it stay.",
            _between(lambda circuit, n: circuit, lambda circuit, n: circuit[:n]),
        ),
        Mistake(
            "other heads removed, too",
            "remove one head only: compare layer and head, the whole pair.",
            _between(
                lambda circuit, n: circuit,
                lambda circuit, n: [head for head in circuit if head[0] != circuit[n][0]],
            ),
        ),
        Mistake(
            "other heads removed, too",
            "remove one head only: compare layer and head, the whole pair.",
            _between(
                lambda circuit, n: circuit,
                lambda circuit, n: [head for head in circuit if head[1] != circuit[n][1]],
            ),
        ),
        Mistake(
            "sign lost",
            "without some heads the score rises: keep negative losses.",
            _changed(lambda losses, circuit_score, full_score: losses.abs()),
        ),
        Mistake(
            "negative losses cut off",
            "without some heads the score rises: keep negative losses.",
            _changed(lambda losses, circuit_score, full_score: losses.clamp(min=0)),
        ),
        Mistake(
            "not divided",
            "divide by the full model's score.",
            _changed(lambda losses, circuit_score, full_score: losses * full_score),
        ),
        Mistake(
            "divided by the circuit's score",
            "divide by `full_score`, the score of the full model.",
            _changed(lambda losses, circuit_score, full_score: losses * full_score / circuit_score),
        ),
        Mistake(
            "what is left",
            "return the loss, not the score that is left without the head.",
            _changed(lambda losses, circuit_score, full_score: circuit_score / full_score - losses),
        ),
        Mistake(
            "without minus with",
            "the loss is positive for a head that helps.",
            _changed(lambda losses, circuit_score, full_score: -losses),
        ),
    ),
)
