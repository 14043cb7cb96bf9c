"""Exercise 6.1: an MLP as a sum of neuron outputs (Geva et al. 2021)."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import neuron_outputs


def _values_times(activations_of):
    """The values, each multiplied by its entry of ``activations_of(x, W_in, b_in, act)``."""
    return lambda x, W_in, b_in, W_out, act: activations_of(x, W_in, b_in, act)[:, None] * W_out


def _weights(d_model: int, n_neurons: int, seed: int):
    sizes = ((d_model,), (d_model, n_neurons), (n_neurons,), (n_neurons, d_model))
    return [torch.randn(size, generator=generator(seed + n)) for n, size in enumerate(sizes)]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: neuron by neuron, with two activation functions; also fewer neurons than d_model."""
    for d_model, n_neurons, act in ((5, 7, nn.functional.gelu), (6, 3, torch.tanh), (4, 1, torch.tanh)):
        x, W_in, b_in, W_out = _weights(d_model, n_neurons, seed=10 * d_model)
        expected = torch.zeros(n_neurons, d_model)
        for i in range(n_neurons):
            activation = act(sum(x[d] * W_in[d, i] for d in range(d_model)) + b_in[i])
            for d in range(d_model):
                expected[i, d] = activation * W_out[i, d]
        trial.matches((x, W_in, b_in, W_out, act), expected, "neuron d_model")


def _sums_to_the_mlp(trial: Trial) -> None:
    """Property: the outputs sum to what torch's own layers compute, without the output bias."""
    x, W_in, b_in, W_out = _weights(5, 7, seed=20)
    mlp = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 5, bias=False))
    with torch.no_grad():
        for parameter, value in zip(mlp.parameters(), (W_in.T, b_in, W_out.T)):
            parameter.copy_(value)
        expected = mlp(x)
    arguments = (x, W_in, b_in, W_out, nn.functional.gelu)
    trial.behaves(
        lambda function: function(*arguments).sum(dim=0), expected, "d_model", what="sum of all rows"
    )


EXERCISE = Exercise(
    id="6.1",
    title="an MLP as a sum of neuron outputs",
    minutes=5,
    difficulty=1,
    hints=(
        "Each neuron has one activation, a number. Row i of `W_out` is its value.",
        "`x @ W_in` compares `x` with every key at once. `[:, None]` adds an axis, so that each activation multiplies its own row.",
    ),
    reference=neuron_outputs,
    tests=(_equals_by_hand, _sums_to_the_mlp),
    mistakes=(
        Mistake(
            "activation left out",
            "without act the MLP is one linear map: compute act(x @ W_in + b_in) first, then multiply the values.",
            _values_times(lambda x, W_in, b_in, act: x @ W_in + b_in),
        ),
        Mistake(
            "bias left out",
            "the activation is act(x · k + b): add b_in, which sets the threshold.",
            _values_times(lambda x, W_in, b_in, act: act(x @ W_in)),
        ),
        Mistake(
            "bias added after the activation",
            "b_in belongs inside: act(x @ W_in + b_in).",
            _values_times(lambda x, W_in, b_in, act: act(x @ W_in) + b_in),
        ),
        Mistake(
            "another activation",
            "use the `act` that is passed in: the check tries two.",
            _values_times(lambda x, W_in, b_in, act: nn.functional.gelu(x @ W_in + b_in)),
        ),
        Mistake(
            "another activation",
            "use the `act` that is passed in: the check tries two.",
            _values_times(lambda x, W_in, b_in, act: nn.functional.relu(x @ W_in + b_in)),
        ),
        Mistake(
            "already summed",
            "this is the MLP's output; keep one row per neuron.",
            lambda x, W_in, b_in, W_out, act: act(x @ W_in + b_in) @ W_out,
        ),
        Mistake(
            "activation of the product",
            "act gives the activation; multiply the value itself by it.",
            lambda x, W_in, b_in, W_out, act: act((x @ W_in + b_in)[:, None] * W_out),
        ),
        Mistake(
            "keys instead of values",
            "the key (a column of W_in) is compared with x, the value (a row of W_out) is added.",
            lambda x, W_in, b_in, W_out, act: neuron_outputs(x, W_in, b_in, W_in.T, act),
        ),
        Mistake(
            "values of length 1",
            "a value is added with its own length: do not divide by the norm.",
            lambda x, W_in, b_in, W_out, act: neuron_outputs(
                x, W_in, b_in, nn.functional.normalize(W_out, dim=1), act
            ),
        ),
        Mistake(
            "transposed",
            "expected [neuron, d_model]; the two axes are swapped.",
            lambda x, W_in, b_in, W_out, act: neuron_outputs(x, W_in, b_in, W_out, act).T,
        ),
    ),
)
