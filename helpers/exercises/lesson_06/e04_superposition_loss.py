"""Exercise 6.4: the loss of the toy model of superposition (Elhage et al. 2022)."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.toys.superposition import superposition_loss


def _read_out(W, b, x):
    return torch.relu(x @ W.T @ W + b)


def _squares(x, read_out, importance):
    return importance * (x - read_out) ** 2


def _loss(read_out=_read_out, errors=_squares, reduce=lambda errors: errors.sum(dim=1).mean()):
    """The loss with another read-out, other errors, or another mean."""
    return lambda W, b, x, importance: reduce(errors(x, read_out(W, b, x), importance))


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: row by row and feature by feature, in double precision."""
    for seed in range(2):
        W, b, x = (
            torch.randn(size, generator=generator(3 * seed + n))
            for n, size in enumerate(((2, 5), (5,), (4, 5)))
        )
        x, importance = x.abs(), 0.7 ** torch.arange(5)
        total = 0.0
        for row in x.double():
            hidden = [sum(W[m, i].double() * row[i] for i in range(5)) for m in range(2)]
            for i in range(5):
                read_out = max(0.0, float(sum(W[m, i].double() * hidden[m] for m in range(2)) + b[i]))
                total += importance[i].item() * (row[i].item() - read_out) ** 2
        trial.matches((W, b, x, importance), torch.tensor(total / 4).float(), "")


EXERCISE = Exercise(
    id="6.4",
    title="squeezed and read out again",
    minutes=4,
    difficulty=1,
    hints=(
        "In rows: `x @ W.T` squeezes the features into directions, `[row, direction]`, and `@ W` reads them out again, `[row, feature]`.",
        "Add `b`, then ReLU. The error is the square of the difference to `x`, times the importance: sum it over features, average over rows.",
    ),
    reference=superposition_loss,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "ReLU left out",
            "without ReLU the interference between features stays: torch.relu(x @ W.T @ W + b).",
            _loss(lambda W, b, x: x @ W.T @ W + b),
        ),
        Mistake(
            "ReLU of the directions",
            "ReLU acts on the features that are read out, not on the directions in between.",
            _loss(lambda W, b, x: torch.relu(x @ W.T) @ W + b),
        ),
        Mistake(
            "bias left out",
            "add b before the ReLU.",
            _loss(lambda W, b, x: torch.relu(x @ W.T @ W)),
        ),
        Mistake(
            "bias after the ReLU",
            "b is the threshold of a feature and belongs inside the ReLU.",
            _loss(lambda W, b, x: torch.relu(x @ W.T @ W) + b),
        ),
        Mistake(
            "importance left out",
            "multiply the square error of each feature by its importance.",
            _loss(errors=lambda x, read_out, importance: (x - read_out) ** 2),
        ),
        Mistake(
            "importance squared",
            "importance multiplies the square; it is not squared itself.",
            _loss(errors=lambda x, read_out, importance: (importance * (x - read_out)) ** 2),
        ),
        Mistake(
            "importance in the input",
            "importance weighs the errors; the features go in as they are.",
            lambda W, b, x, importance: superposition_loss(W, b, importance * x, torch.ones_like(b)),
        ),
        Mistake(
            "mean over features",
            "sum over features, and take the mean over rows.",
            _loss(reduce=torch.mean),
        ),
        Mistake(
            "summed over rows",
            "take the mean over rows.",
            _loss(reduce=torch.sum),
        ),
        Mistake(
            "absolute error",
            "take the square of the difference.",
            _loss(errors=lambda x, read_out, importance: importance * (x - read_out).abs()),
        ),
        Mistake(
            "one loss a row",
            "expected one number: take the mean over rows.",
            _loss(reduce=lambda errors: errors.sum(dim=1)),
        ),
    ),
)
