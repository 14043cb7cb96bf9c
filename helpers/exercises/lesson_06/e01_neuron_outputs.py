"""Exercise 6.1: an MLP as a sum of memories."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import neuron_outputs


def _no_activation(x, W_in, b_in, W_out, act):
    return (x @ W_in + b_in)[:, None] * W_out


def _weights(seed: int):
    sizes = ((5,), (5, 7), (7,), (7, 5))
    return [torch.randn(size, generator=generator(seed + n)) for n, size in enumerate(sizes)]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: neuron by neuron, with two activation functions."""
    for seed, act in ((0, nn.functional.gelu), (10, torch.tanh)):
        x, W_in, b_in, W_out = _weights(seed)
        expected = torch.zeros(7, 5)
        for i in range(7):
            fires = act(sum(x[d] * W_in[d, i] for d in range(5)) + b_in[i])
            for d in range(5):
                expected[i, d] = fires * W_out[i, d]
        trial.matches((x, W_in, b_in, W_out, act), expected, "neuron d_model")


def _sums_to_the_mlp(trial: Trial) -> None:
    """Property: the memories sum to what torch's own layers compute, without the bias of the output."""
    x, W_in, b_in, W_out = _weights(20)
    mlp = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 5, bias=False))
    with torch.no_grad():
        for parameter, value in zip(mlp.parameters(), (W_in.T, b_in, W_out.T)):
            parameter.copy_(value)
        expected = mlp(x)
    given = (x, W_in, b_in, W_out, nn.functional.gelu)
    trial.behaves(
        lambda function: function(*given).sum(dim=0), expected, "d_model", what="sum of all memories"
    )


EXERCISE = Exercise(
    id="6.1",
    title="an MLP as a sum of memories",
    minutes=5,
    difficulty=1,
    hints=(
        "How strongly each neuron fires is one number a neuron: act(x @ W_in + b_in).",
        "Row i of W_out is value i. Multiply each row by its own number: fires[:, None] * W_out.",
    ),
    reference=neuron_outputs,
    tests=(_equals_by_hand, _sums_to_the_mlp),
    mistakes=(
        Mistake(
            "activation left out",
            "without act the sum of memories is one linear map: act(x @ W_in + b_in) first, then times the values.",
            _no_activation,
        ),
        Mistake(
            "bias left out",
            "a key fires at x · k + b: b_in says from where on.",
            lambda x, W_in, b_in, W_out, act: act(x @ W_in)[:, None] * W_out,
        ),
        Mistake(
            "bias added after the activation",
            "b_in belongs inside: act(x @ W_in + b_in).",
            lambda x, W_in, b_in, W_out, act: (act(x @ W_in) + b_in)[:, None] * W_out,
        ),
        Mistake(
            "another activation",
            "use the `act` that is passed in: the check tries two.",
            lambda x, W_in, b_in, W_out, act: nn.functional.gelu(x @ W_in + b_in)[:, None] * W_out,
        ),
        Mistake(
            "another activation",
            "use the `act` that is passed in: the check tries two.",
            lambda x, W_in, b_in, W_out, act: nn.functional.relu(x @ W_in + b_in)[:, None] * W_out,
        ),
        Mistake(
            "already summed",
            "this is the MLP's output; keep one row a neuron.",
            lambda x, W_in, b_in, W_out, act: act(x @ W_in + b_in) @ W_out,
        ),
        Mistake(
            "activation of the product",
            "act says how strongly the key fires; the value is multiplied as it is.",
            lambda x, W_in, b_in, W_out, act: act((x @ W_in + b_in)[:, None] * W_out),
        ),
        Mistake(
            "keys instead of values",
            "the key (a column of W_in) is what fires; what is added is the value, a row of W_out.",
            lambda x, W_in, b_in, W_out, act: act(x @ W_in + b_in)[:, None] * W_in.T,
        ),
        Mistake(
            "values of length 1",
            "a value is added with its own length: do not divide by the norm.",
            lambda x, W_in, b_in, W_out, act: (
                act(x @ W_in + b_in)[:, None] * nn.functional.normalize(W_out, dim=1)
            ),
        ),
        Mistake(
            "transposed",
            "expected [neuron, d_model]; the two are swapped.",
            lambda x, W_in, b_in, W_out, act: (act(x @ W_in + b_in)[:, None] * W_out).T,
        ),
    ),
)
