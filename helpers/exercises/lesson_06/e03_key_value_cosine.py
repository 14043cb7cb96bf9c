"""Exercise 6.3: cosine of a neuron's key and value, seen through LayerNorm."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import key_value_cosine


def _centred(rows):
    return rows - rows.mean(dim=1, keepdim=True)


def _cosine_of(sides):
    """Cosine of the two [neuron d_model] that ``sides(W_in.T, W_out, gain)`` returns."""
    return lambda W_in, W_out, gain: torch.cosine_similarity(*sides(W_in.T, W_out, gain), dim=1)


def _inputs(d_model: int, n_neurons: int, seed: int):
    W_in, W_out, gain = (
        torch.randn(size, generator=generator(seed + n))
        for n, size in enumerate(((d_model, n_neurons), (n_neurons, d_model), (d_model,)))
    )
    return W_in + 0.4, W_out - 0.3, gain.abs() + 0.2


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: correlation of each pair, by torch's definition; wide, tall and square W_in."""
    for d_model, n_neurons in ((6, 10), (7, 3), (5, 5)):
        W_in, W_out, gain = _inputs(d_model, n_neurons, seed=n_neurons)
        keys, values = (gain[:, None] * W_in).T.double(), W_out.double()
        pairs = (torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(keys, values))
        trial.matches((W_in, W_out, gain), torch.stack(list(pairs)).float(), "neuron")


def _only_what_layernorm_lets_through(trial: Trial) -> None:
    """Property: -1 for a value that undoes its key, at any length and any part along (1, …, 1)."""
    W_in, _, gain = _inputs(6, 9, seed=5)
    effective = gain[:, None] * W_in
    erasing = -(effective - effective.mean(dim=0)).T * torch.arange(1.0, 10)[:, None] + 3
    trial.matches((W_in, erasing, gain), -torch.ones(9), "neuron")
    folded = key_value_cosine(W_in, erasing + W_in.T, gain)
    trial.matches((effective, erasing + W_in.T, torch.ones(6)), folded, "neuron")


EXERCISE = Exercise(
    id="6.3",
    title="opposed neurons",
    minutes=6,
    difficulty=2,
    hints=(
        "Keys are the columns of `W_in`, values the rows of `W_out`: bring both to the shape `[neuron, d_model]`.",
        "The gain belongs to the key alone: one number per entry of d_model. Centring belongs to both and comes after the gain.",
        "To centre, subtract from each row its mean over d_model. Then `torch.cosine_similarity` compares two matrices row by row.",
    ),
    reference=key_value_cosine,
    tests=(_equals_by_hand, _only_what_layernorm_lets_through),
    mistakes=(
        Mistake(
            "gain left out",
            "the key meets the stream only after LayerNorm's gain: gain[:, None] * W_in.",
            lambda W_in, W_out, gain: key_value_cosine(W_in, W_out, torch.ones_like(gain)),
        ),
        Mistake(
            "raw weights",
            "LayerNorm stands between the stream and these raw weights: apply the gain first, then centre both.",
            _cosine_of(lambda keys, values, gain: (keys, values)),
        ),
        Mistake(
            "not centred",
            "LayerNorm subtracts the mean over d_model, so the part of a key or a value along (1, …, 1) does not count: subtract it from both.",
            _cosine_of(lambda keys, values, gain: (gain * keys, values)),
        ),
        Mistake(
            "key not centred",
            "LayerNorm centres before the key reads: subtract the mean over d_model from the key, too.",
            _cosine_of(lambda keys, values, gain: (gain * keys, _centred(values))),
        ),
        Mistake(
            "value not centred",
            "all later layers read the value after centring: subtract its mean over d_model.",
            _cosine_of(lambda keys, values, gain: (_centred(gain * keys), values)),
        ),
        Mistake(
            "centred before the gain",
            "the gain comes first: centre gain * key, which is the vector that the stream meets.",
            _cosine_of(lambda keys, values, gain: (gain * _centred(keys), _centred(values))),
        ),
        Mistake(
            "gain on the value, too",
            "the value is written to the stream as it is; only the key reads through LayerNorm.",
            _cosine_of(lambda keys, values, gain: (_centred(gain * keys), _centred(gain * values))),
        ),
        Mistake(
            "gain on the value",
            "the gain belongs to the key, which reads, not to the value.",
            _cosine_of(lambda keys, values, gain: (_centred(keys), _centred(gain * values))),
        ),
        Mistake(
            "divided by the gain",
            "LayerNorm multiplies by its gain.",
            lambda W_in, W_out, gain: key_value_cosine(W_in, W_out, 1 / gain),
        ),
        Mistake(
            "dot product",
            "expected a cosine: divide by both norms.",
            lambda W_in, W_out, gain: (_centred((gain[:, None] * W_in).T) * _centred(W_out)).sum(1),
        ),
        Mistake(
            "sign lost",
            "opposed (-1) and aligned (1) differ: take no absolute value.",
            lambda W_in, W_out, gain: key_value_cosine(W_in, W_out, gain).abs(),
        ),
        Mistake(
            "centred over neurons",
            "subtract the mean over d_model, for each key by itself, not the mean over neurons.",
            _cosine_of(
                lambda keys, values, gain: (gain * keys - (gain * keys).mean(0), values - values.mean(0))
            ),
        ),
        Mistake(
            "every key with every value",
            "expected one cosine per neuron: its key with its own value.",
            lambda W_in, W_out, gain: (
                torch.nn.functional.normalize(_centred((gain[:, None] * W_in).T), dim=1)
                @ torch.nn.functional.normalize(_centred(W_out), dim=1).T
            ),
        ),
    ),
)
