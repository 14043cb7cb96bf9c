"""Exercise 6.4: the loss of the toy model of superposition (Elhage et al. 2022)."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.gradients import require_gradient
from helpers.exercises.inputs import generator
from helpers.toys.superposition import superposition_loss


def _read_out(W, b, x):
    return torch.relu(x @ W.T @ W + b)


def _squares(x, read_out, importance):
    return importance * (x - read_out) ** 2


def _loss(read_out=_read_out, errors=_squares, reduce=lambda errors: errors.sum(dim=1).mean()):
    """The loss with another read-out, other errors, or another mean."""
    return lambda W, b, x, importance: reduce(errors(x, read_out(W, b, x), importance))


def _inputs(n_directions: int, n_features: int, n_rows: int):
    sizes = (n_directions, n_features), (n_features,), (n_rows, n_features)
    W, b, x = (torch.randn(size, generator=generator(n + n_rows)) for n, size in enumerate(sizes))
    x = x.abs() * (x > -0.5)  # some features are not present
    return W, b, x, 0.7 ** torch.arange(n_features)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: row by row and feature by feature; more features than directions, fewer, one row."""
    for n_directions, n_features, n_rows in ((2, 5, 3), (7, 3, 6), (3, 6, 1)):
        W, b, x, importance = _inputs(n_directions, n_features, n_rows)
        total = 0.0
        for row in x.double():
            hidden = W.double() @ row
            for i in range(n_features):
                read_out = max(0.0, float(W[:, i].double() @ hidden + b[i]))
                total += importance[i].item() * (row[i].item() - read_out) ** 2
        trial.matches((W, b, x, importance), torch.tensor(total / n_rows).float(), "")


def _has_gradient(trial: Trial) -> None:
    """Property: the lesson trains the toy model with the answer as its loss."""
    require_gradient(trial, *_inputs(2, 5, 3))


EXERCISE = Exercise(
    id="6.4",
    title="the loss of the toy model",
    minutes=4,
    difficulty=1,
    hints=(
        "The formula is for one column x. Here each row of `x` is an example. Which product with `W` turns `[row, feature]` into `[row, direction]`?",
        "The read-out and the weighted squared errors have the shape of `x`. Take the sum over one axis and the mean over the other.",
    ),
    reference=superposition_loss,
    tests=(_equals_by_hand, _has_gradient),
    mistakes=(
        Mistake(
            "ReLU left out",
            "without ReLU the interference between features stays: torch.relu(x @ W.T @ W + b).",
            _loss(lambda W, b, x: x @ W.T @ W + b),
        ),
        *(
            Mistake(
                "another activation function",
                "the formula has ReLU, max(0, ·): torch.relu.",
                _loss(lambda W, b, x, activation=activation: activation(x @ W.T @ W + b)),
            )
            for activation in (nn.functional.gelu, nn.functional.softplus, torch.sigmoid)
        ),
        Mistake(
            "ReLU of the directions",
            "ReLU acts on the features that are read out, not on the directions in between.",
            _loss(lambda W, b, x: torch.relu(x @ W.T) @ W + b),
        ),
        Mistake(
            "ReLU of the directions",
            "ReLU acts on the features that are read out, not on the directions in between.",
            _loss(lambda W, b, x: torch.relu(torch.relu(x @ W.T) @ W + b)),
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
            "mean over features, sum over rows",
            "the two axes are exchanged: sum over features, and take the mean over rows.",
            _loss(reduce=lambda errors: errors.mean(dim=1).sum()),
        ),
        Mistake(
            "divided by the importances",
            "take the sum over features, not a weighted mean: do not divide by the sum of importances.",
            lambda W, b, x, importance: superposition_loss(W, b, x, importance / importance.sum()),
        ),
        Mistake(
            "root of the importance",
            "multiply the square error by the importance itself.",
            lambda W, b, x, importance: superposition_loss(W, b, x, importance**0.5),
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
            "one loss per row",
            "expected one number: take the mean over rows.",
            _loss(reduce=lambda errors: errors.sum(dim=1)),
        ),
    ),
)
