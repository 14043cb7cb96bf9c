"""Exercise 8.9: the forward pass of a TopK transcoder."""

from operator import itemgetter

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.transcoders import transcode


def _pre_activations(x, W_enc, b_enc):
    return x @ W_enc + b_enc


def _top_k(activations, k, dim=-1, score=lambda activations: activations):
    """The activations whose scores are the k largest along ``dim``, and 0 elsewhere."""
    largest = score(activations).topk(min(k, activations.shape[dim]), dim=dim).indices
    return torch.zeros_like(activations).scatter(dim, largest, activations.gather(dim, largest))


def _top_of_all(activations, k):
    """The largest k per position on average, whatever their position."""
    return _top_k(activations.flatten(), k * len(activations)).view_as(activations)


def _variant(features_of, output_of=lambda features, W_dec, b_dec: features @ W_dec + b_dec):
    """The reference with other features, or with another output."""

    def answer(x, W_enc, b_enc, W_dec, b_dec, k):
        features = features_of(_pre_activations(x, W_enc, b_enc), k)
        return features, output_of(features, W_dec, b_dec)

    return answer


def _features(pre_activations, k):
    return _top_k(pre_activations.relu(), k)


def _by_hand(x, W_enc, b_enc, W_dec, b_dec, k) -> tuple[Tensor, Tensor]:
    """Oracle: position by position, feature by feature, with sorted lists."""
    features, outputs = [], []
    for row in x.tolist():
        pre = [sum(a * b for a, b in zip(row, column)) for column in W_enc.T.tolist()]
        active = [max(value + bias, 0.0) for value, bias in zip(pre, b_enc.tolist())]
        kept = sorted(range(len(active)), key=lambda feature: -active[feature])[:k]
        features.append([value if f in kept else 0.0 for f, value in enumerate(active)])
        written = [
            sum(features[-1][f] * d[i] for f, d in enumerate(W_dec.tolist())) for i in range(x.shape[1])
        ]
        outputs.append([value + bias for value, bias in zip(written, b_dec.tolist())])
    return torch.tensor(features), torch.tensor(outputs)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle on shapes without equal axes; in some rows fewer than k activations are positive."""
    for n_pos, d_model, n_features, k in ((8, 4, 9, 3), (1, 3, 8, 2), (11, 5, 7, 4)):
        x = torch.randn(n_pos, d_model, generator=generator(0))
        W_enc = torch.randn(d_model, n_features, generator=generator(1))
        W_dec = torch.randn(n_features, d_model, generator=generator(2))
        b_enc = torch.randn(n_features, generator=generator(3)) - 0.5
        b_dec = torch.randn(d_model, generator=generator(4))
        arguments = (x, W_enc, b_enc, W_dec, b_dec, k)
        _check_two_parts(trial.call(*arguments))
        features, output = _by_hand(*arguments)
        trial.matches(arguments, features, "pos feature", pick=itemgetter(0), what="features")
        trial.matches(arguments, output, "pos d_model", pick=itemgetter(1), what="output")


def _check_two_parts(output) -> None:
    """Raise ``Wrong`` unless the output is a pair."""
    if not (isinstance(output, tuple | list) and len(output) == 2):
        raise Wrong("wrong type", f"expected two tensors, (features, output), got {type(output).__name__}.")


EXERCISE = Exercise(
    id="8.9",
    title="a TopK transcoder",
    minutes=10,
    difficulty=2,
    hints=(
        "Three steps: pre-activations `x @ W_enc + b_enc`, then ReLU, then TopK in each row.",
        "`activations.topk(k, dim=-1)` returns `values` and `indices`, both [pos, k].",
        "`torch.zeros_like(activations).scatter(-1, indices, values)` puts the values back in their places. "
        "The output is `features @ W_dec + b_dec`.",
    ),
    reference=transcode,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "no ReLU",
            "a feature is never negative: apply ReLU where fewer than k pre-activations are positive, too.",
            _variant(_top_k),
        ),
        Mistake(
            "no TopK",
            "keep the k largest activations of each position and set the others to 0.",
            _variant(lambda pre, k: pre.relu()),
        ),
        Mistake(
            "TopK over positions",
            "the k largest are those of each position, along the feature axis: topk(k, dim=-1).",
            _variant(lambda pre, k: _top_k(pre.relu(), k, dim=0)),
        ),
        Mistake(
            "TopK over all positions together",
            "every position keeps k features of its own. This keeps the largest of all positions (BatchTopK).",
            _variant(lambda pre, k: _top_of_all(pre.relu(), k)),
        ),
        Mistake(
            "largest sizes",
            "TopK compares the activations, not their absolute values.",
            _variant(lambda pre, k: _top_k(pre, k, score=torch.abs).relu()),
        ),
        Mistake(
            "largest sizes, signs kept",
            "TopK comes after ReLU: a strongly negative pre-activation is an inactive feature.",
            _variant(lambda pre, k: _top_k(pre, k, score=torch.abs)),
        ),
        Mistake(
            "k smallest",
            "keep the largest activations, not the smallest.",
            _variant(lambda pre, k: _top_k(pre.relu(), k, score=torch.neg)),
        ),
        *(
            Mistake(
                name,
                "exactly k activations of a row are kept.",
                _variant(lambda pre, k, n=n: _features(pre, k + n)),
            )
            for name, n in (("one too many", 1), ("one too few", -1))
        ),
        Mistake(
            "only on and off",
            "a feature keeps its activation: put the values in, not 1.",
            _variant(lambda pre, k: (_features(pre, k) > 0).float()),
        ),
        Mistake(
            "only on and off",
            "a feature keeps its activation: put the values in, not 1.",
            _variant(
                lambda pre, k: torch.zeros_like(pre).scatter(-1, pre.relu().topk(k, dim=-1).indices, 1.0)
            ),
        ),
        Mistake(
            "without b_enc",
            "add b_enc to the pre-activations, before ReLU.",
            lambda x, W_enc, b_enc, *rest: transcode(x, W_enc, 0 * b_enc, *rest),
        ),
        Mistake(
            "b_enc after ReLU",
            "b_enc is added before ReLU: it sets the threshold of each feature.",
            lambda x, W_enc, b_enc, W_dec, b_dec, k: _variant(
                lambda pre, k: _top_k((pre - b_enc).relu() + b_enc, k)
            )(x, W_enc, b_enc, W_dec, b_dec, k),
        ),
        Mistake(
            "without b_dec",
            "add b_dec to the output: the transcoder writes it at every position.",
            _variant(_features, lambda features, W_dec, b_dec: features @ W_dec),
        ),
        Mistake(
            "b_dec subtracted from the input",
            "a sparse autoencoder subtracts b_dec from x. A transcoder reads x as it is, because "
            "b_dec belongs to the MLP's output, not to its input.",
            lambda x, W_enc, b_enc, W_dec, b_dec, k: transcode(x - b_dec, W_enc, b_enc, W_dec, b_dec, k),
        ),
        Mistake(
            "decoder transposed from the encoder",
            "the features write with W_dec. It is not the transpose of W_enc.",
            lambda x, W_enc, b_enc, W_dec, b_dec, k: transcode(x, W_enc, b_enc, W_enc.T, b_dec, k),
        ),
        Mistake(
            "output of all activations",
            "the output is made of the k features that you return, not of all activations.",
            lambda x, W_enc, b_enc, W_dec, b_dec, k: (
                transcode(x, W_enc, b_enc, W_dec, b_dec, k)[0],
                _pre_activations(x, W_enc, b_enc).relu() @ W_dec + b_dec,
            ),
        ),
        Mistake(
            "parts exchanged",
            "return the features first, then the output.",
            lambda *arguments: transcode(*arguments)[::-1],
        ),
    ),
)
