"""Exercise 6.4: what the toy model is trained for."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.toys.superposition import superposition_loss


def _no_relu(W, b, x, importance):
    read_out = x @ W.T @ W + b
    return (importance * (x - read_out) ** 2).sum(dim=1).mean()


def _loss_of(
    read_out, error=lambda x, y, importance: importance * (x - y) ** 2, reduce=lambda e: e.sum(1).mean()
):
    """The loss with another read-out, weighting, or mean."""
    return lambda W, b, x, importance: reduce(error(x, read_out(W, b, x), importance))


def _right(W, b, x):
    return torch.relu(x @ W.T @ W + b)


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
                back = max(0.0, float(sum(W[m, i].double() * hidden[m] for m in range(2)) + b[i]))
                total += importance[i].item() * (row[i].item() - back) ** 2
        trial.matches((W, b, x, importance), torch.tensor(total / 4).float(), "")


EXERCISE = Exercise(
    id="6.4",
    title="squeezed and read out again",
    minutes=4,
    difficulty=1,
    hints=(
        "x @ W.T squeezes the features into directions, [row, direction]; @ W reads them out again, [row, feature].",
        "Then + b, torch.relu, the square of the difference to x, times importance; sum over features, mean over rows.",
    ),
    reference=superposition_loss,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "ReLU left out",
            "without ReLU nothing clears away what features leave in each other: torch.relu(x @ W.T @ W + b).",
            _no_relu,
        ),
        Mistake(
            "ReLU of the directions",
            "ReLU acts on what is read out, not on the directions in between.",
            _loss_of(lambda W, b, x: torch.relu(x @ W.T) @ W + b),
        ),
        Mistake("bias left out", "add b before the ReLU.", _loss_of(lambda W, b, x: torch.relu(x @ W.T @ W))),
        Mistake(
            "bias after the ReLU",
            "b says from where on a feature counts as present: inside the ReLU.",
            _loss_of(lambda W, b, x: torch.relu(x @ W.T @ W) + b),
        ),
        Mistake(
            "importance left out",
            "each feature's square error is multiplied by its importance.",
            _loss_of(_right, lambda x, y, importance: (x - y) ** 2),
        ),
        Mistake(
            "importance squared",
            "importance multiplies the square, it is not squared with it.",
            _loss_of(_right, lambda x, y, importance: (importance * (x - y)) ** 2),
        ),
        Mistake(
            "importance in the input",
            "importance weighs the errors; features go in as they are.",
            lambda W, b, x, importance: ((importance * x - _right(W, b, importance * x)) ** 2).sum(1).mean(),
        ),
        Mistake(
            "mean over features",
            "sum over features, mean over rows.",
            _loss_of(_right, reduce=lambda e: e.mean()),
        ),
        Mistake("summed over rows", "the mean over rows.", _loss_of(_right, reduce=lambda e: e.sum())),
        Mistake(
            "absolute error",
            "the square of the difference.",
            _loss_of(_right, lambda x, y, i: i * (x - y).abs()),
        ),
        Mistake(
            "one loss a row",
            "one number: the mean over rows is missing.",
            _loss_of(_right, reduce=lambda e: e.sum(1)),
        ),
    ),
)
