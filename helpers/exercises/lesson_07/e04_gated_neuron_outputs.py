"""Exercise 7.4: a gated MLP as a sum of neuron outputs (Shazeer 2020)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def gated_neuron_outputs(
    x: Float[Tensor, " d_model"],
    W_gate: Float[Tensor, "d_model neuron"],
    W_in: Float[Tensor, "d_model neuron"],
    W_out: Float[Tensor, "neuron d_model"],
    act: Callable[[Tensor], Tensor],
) -> Float[Tensor, "neuron d_model"]:
    """Return the output of each neuron of a gated MLP at one position,  act(x · g) (x · k) v."""
    activations = act(x @ W_gate) * (x @ W_in)
    return activations[:, None] * W_out


def _values_times(activations_of):
    """The values, each multiplied by its entry of ``activations_of(x, W_gate, W_in, act)``."""
    return lambda x, W_gate, W_in, W_out, act: activations_of(x, W_gate, W_in, act)[:, None] * W_out


def _weights(d_model: int, n_neurons: int, seed: int):
    sizes = ((d_model,), (d_model, n_neurons), (d_model, n_neurons), (n_neurons, d_model))
    return [torch.randn(size, generator=generator(seed + n)) for n, size in enumerate(sizes)]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: neuron by neuron, with two activation functions; also fewer neurons than d_model."""
    for d_model, n_neurons, act in ((5, 7, nn.functional.silu), (6, 3, torch.tanh), (4, 1, torch.exp)):
        x, W_gate, W_in, W_out = _weights(d_model, n_neurons, seed=10 * d_model)
        expected = torch.zeros(n_neurons, d_model)
        for i in range(n_neurons):
            gate, key = (sum(x[d] * W[d, i] for d in range(d_model)) for W in (W_gate, W_in))
            for d in range(d_model):
                expected[i, d] = act(gate) * key * W_out[i, d]
        trial.matches((x, W_gate, W_in, W_out, act), expected, "neuron d_model", tolerance=1e-4)


def _sums_to_a_gated_mlp(trial: Trial) -> None:
    """Property: the outputs sum to what torch's own linear layers compute."""
    x, W_gate, W_in, W_out = _weights(5, 7, seed=20)
    read = [nn.functional.linear(x, W.T) for W in (W_gate, W_in)]
    expected = nn.functional.linear(nn.functional.silu(read[0]) * read[1], W_out.T)
    arguments = (x, W_gate, W_in, W_out, nn.functional.silu)
    trial.behaves(
        lambda function: function(*arguments).sum(dim=0), expected, "d_model", what="sum of all rows"
    )


EXERCISE = Exercise(
    id="7.4",
    title="neurons with a gate",
    minutes=6,
    difficulty=1,
    hints=(
        "Each neuron has two readings: `x @ W_gate` and `x @ W_in`. Only the first one goes through `act`.",
        "The activation is the product of the two, one number per neuron. It multiplies the neuron's row of `W_out`.",
    ),
    reference=gated_neuron_outputs,
    tests=(_equals_by_hand, _sums_to_a_gated_mlp),
    mistakes=(
        Mistake(
            "act on the key",
            "the gate goes through act, the key's reading does not: act(x @ W_gate) * (x @ W_in).",
            _values_times(lambda x, W_gate, W_in, act: (x @ W_gate) * act(x @ W_in)),
        ),
        Mistake(
            "act on both",
            "only the gate goes through act: the key's reading keeps its sign.",
            _values_times(lambda x, W_gate, W_in, act: act(x @ W_gate) * act(x @ W_in)),
        ),
        Mistake(
            "act on the product",
            "act comes before the product, on the gate alone.",
            _values_times(lambda x, W_gate, W_in, act: act((x @ W_gate) * (x @ W_in))),
        ),
        Mistake(
            "act left out",
            "the gate is act(x @ W_gate): apply `act`.",
            _values_times(lambda x, W_gate, W_in, act: (x @ W_gate) * (x @ W_in)),
        ),
        Mistake(
            "gate left out",
            "this is the MLP of lesson 6. Here the gate's reading multiplies the key's.",
            _values_times(lambda x, W_gate, W_in, act: act(x @ W_in)),
        ),
        Mistake(
            "key left out",
            "the gate multiplies the key's reading x @ W_in.",
            _values_times(lambda x, W_gate, W_in, act: act(x @ W_gate)),
        ),
        Mistake(
            "added instead of multiplied",
            "gate and key's reading are multiplied.",
            _values_times(lambda x, W_gate, W_in, act: act(x @ W_gate) + x @ W_in),
        ),
        Mistake(
            "another activation",
            "use the `act` that is passed in: the check tries several.",
            _values_times(lambda x, W_gate, W_in, act: nn.functional.silu(x @ W_gate) * (x @ W_in)),
        ),
        Mistake(
            "negative activations cut off",
            "the key's reading may be negative, and then the neuron writes against its value.",
            _values_times(lambda x, W_gate, W_in, act: (act(x @ W_gate) * (x @ W_in)).relu()),
        ),
        Mistake(
            "already summed",
            "this is the MLP's output; keep one row per neuron.",
            lambda x, W_gate, W_in, W_out, act: (act(x @ W_gate) * (x @ W_in)) @ W_out,
        ),
        Mistake(
            "transposed",
            "expected [neuron, d_model]; the two axes are swapped.",
            lambda *arguments: gated_neuron_outputs(*arguments).T,
        ),
    ),
)
