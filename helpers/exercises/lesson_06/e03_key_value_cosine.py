"""Exercise 6.3: keys and values that are opposed."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import key_value_cosine


def _gain_left_out(W_in, W_out, gain):
    keys, values = W_in.T, W_out
    keys, values = keys - keys.mean(dim=1, keepdim=True), values - values.mean(dim=1, keepdim=True)
    return torch.cosine_similarity(keys, values, dim=1)


def _centred(side):
    return side - side.mean(dim=1, keepdim=True)


def _cosine_of(sides):
    """Cosine of the two [neuron d_model] that ``sides(W_in.T, W_out, gain)`` gives."""
    return lambda W_in, W_out, gain: torch.cosine_similarity(*sides(W_in.T, W_out, gain), dim=1)


def _inputs(seed: int):
    W_in, W_out, gain = (
        torch.randn(size, generator=generator(seed + n)) for n, size in enumerate(((6, 9), (9, 6), (6,)))
    )
    return W_in + 0.4, W_out - 0.3, gain.abs() + 0.2


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: correlation of each pair, by numpy's definition, in double precision."""
    W_in, W_out, gain = _inputs(0)
    expected = torch.tensor(
        [
            torch.corrcoef(torch.stack([gain.double() * W_in[:, i].double(), W_out[i].double()]))[0, 1]
            for i in range(9)
        ]
    ).float()
    trial.matches((W_in, W_out, gain), expected, "neuron")


def _only_what_layernorm_lets_through(trial: Trial) -> None:
    """Property: -1 for a value that undoes its key, however long, and whatever both hold along (1, …, 1)."""
    W_in, _, gain = _inputs(5)
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
        "Keys are columns of W_in, values rows of W_out: bring both to [neuron, d_model] with W_in.T.",
        "LayerNorm multiplies what it read, entry by entry, by its gain: gain[:, None] * W_in is the key that the stream meets.",
        "Then take the mean over d_model off both, and use torch.cosine_similarity(keys, values, dim=1).",
    ),
    reference=key_value_cosine,
    tests=(_equals_by_hand, _only_what_layernorm_lets_through),
    mistakes=(
        Mistake(
            "gain left out",
            "the key meets the stream only after LayerNorm's gain: gain[:, None] * W_in.",
            _gain_left_out,
        ),
        Mistake(
            "raw weights",
            "these are the raw weights, which LayerNorm never shows anybody: the gain first, then centre both.",
            lambda W_in, W_out, gain: torch.cosine_similarity(W_in.T, W_out, dim=1),
        ),
        Mistake(
            "not centred",
            "LayerNorm takes the mean over d_model away: what a key or a value holds along (1, …, 1) does not count. Subtract it from both.",
            _cosine_of(lambda keys, values, gain: (gain * keys, values)),
        ),
        Mistake(
            "key not centred",
            "LayerNorm centres before it reads: take the mean over d_model off the key, too.",
            _cosine_of(lambda keys, values, gain: (gain * keys, _centred(values))),
        ),
        Mistake(
            "value not centred",
            "whoever reads the value later centres, too: take its mean over d_model off.",
            _cosine_of(lambda keys, values, gain: (_centred(gain * keys), values)),
        ),
        Mistake(
            "centred before the gain",
            "the gain comes first: centre gain * key, which is what the stream meets.",
            _cosine_of(lambda keys, values, gain: (gain * _centred(keys), _centred(values))),
        ),
        Mistake(
            "gain on the value, too",
            "the value is written into the stream as it is; only the key is read through LayerNorm.",
            _cosine_of(lambda keys, values, gain: (_centred(gain * keys), _centred(gain * values))),
        ),
        Mistake(
            "gain on the value",
            "the gain belongs to what is read, the key.",
            _cosine_of(lambda keys, values, gain: (_centred(keys), _centred(gain * values))),
        ),
        Mistake(
            "divided by the gain",
            "LayerNorm multiplies by its gain.",
            _cosine_of(lambda keys, values, gain: (_centred(keys / gain), _centred(values))),
        ),
        Mistake(
            "dot product",
            "a cosine: divide by both norms.",
            lambda W_in, W_out, gain: (_centred((gain[:, None] * W_in).T) * _centred(W_out)).sum(1),
        ),
        Mistake(
            "sign lost",
            "opposed and aligned are not the same: no abs().",
            lambda W_in, W_out, gain: key_value_cosine(W_in, W_out, gain).abs(),
        ),
        Mistake(
            "centred over neurons",
            "the mean over d_model (each key by itself), not over neurons.",
            _cosine_of(
                lambda keys, values, gain: (gain * keys - (gain * keys).mean(0), values - values.mean(0))
            ),
        ),
        Mistake(
            "every key with every value",
            "one cosine a neuron: its key with its own value.",
            lambda W_in, W_out, gain: (
                torch.nn.functional.normalize(_centred((gain[:, None] * W_in).T), dim=1)
                @ torch.nn.functional.normalize(_centred(W_out), dim=1).T
            ),
        ),
    ),
)
