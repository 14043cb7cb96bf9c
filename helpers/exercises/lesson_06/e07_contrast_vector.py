"""Exercise 6.7: a direction from contrast pairs (Turner et al. 2023; Rimsky et al. 2023)."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.models import load_model
from helpers.steering import contrast_vector

POSITIVE = ("In the evening Mary", "The old king saw Anne", "Kate")
NEGATIVE = ("In the evening John", "Tom")


def _difference_of_means(positive, negative):
    return positive.mean(dim=0) - negative.mean(dim=0)


def _contrast(difference=_difference_of_means, pick=lambda stream: stream[-1], hook="hook_resid_pre"):
    """``difference`` of both kinds' vectors, [text d_model]: ``pick(stream)`` of every text."""

    def answer(model, positive, negative, layer):
        name = f"blocks.{layer}.{hook}"
        streams = [
            torch.stack([pick(model.run_with_cache(model.to_tokens(text))[1][name][0]) for text in texts])
            for texts in (positive, negative)
        ]
        return difference(*streams)

    return answer


def _in_one_batch(model, positive, negative, layer):
    name = f"blocks.{layer}.hook_resid_pre"
    streams = [
        model.run_with_cache(model.to_tokens(list(texts)))[1][name][:, -1] for texts in (positive, negative)
    ]
    return _difference_of_means(*streams)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: streams recorded by a hook; the two kinds have different numbers of texts."""
    model = load_model("attn-only-2l")
    expected = _mean_last_stream(model, POSITIVE) - _mean_last_stream(model, NEGATIVE)
    trial.matches((model, POSITIVE, NEGATIVE, 1), expected, "d_model", 1e-4)


def _mean_last_stream(model, texts):
    """Mean stream before layer 1 at the last token."""
    streams = []
    record = ("blocks.1.hook_resid_pre", lambda resid, hook: streams.append(resid[0, -1].clone()))
    for text in texts:
        model.run_with_hooks(model.to_tokens(text), fwd_hooks=[record])
    return sum(streams) / len(streams)


def _turns_round(trial: Trial) -> None:
    """Property: the two kinds exchanged give the opposite direction."""
    model = load_model("attn-only-2l")

    def both_ways(function):
        return function(model, POSITIVE, NEGATIVE, 1) + function(model, NEGATIVE, POSITIVE, 1)

    trial.behaves(both_ways, torch.zeros(model.cfg.d_model), "d_model", 1e-4, "one way plus the other way")


EXERCISE = Exercise(
    id="6.7",
    title="a direction from contrast pairs",
    minutes=5,
    difficulty=2,
    hints=(
        "The texts differ in length: run them one by one, and take the stream at the last token of each.",
        '`model.run_with_cache(model.to_tokens(text))[1][f"blocks.{layer}.hook_resid_pre"]` is the stream, with the shape `[1, pos, d_model]`: take `[0, -1]`.',
        "`torch.stack` the vectors of one kind and average over texts. Do the same for the other kind, and subtract.",
    ),
    reference=contrast_vector,
    tests=(_equals_by_hand, _turns_round),
    mistakes=(
        Mistake(
            "mean over positions",
            "take the stream at the last token, where the texts differ and where the model would go on.",
            _contrast(pick=lambda stream: stream.mean(dim=0)),
        ),
        Mistake(
            "first position",
            "position 0 is beginning-of-text, the same everywhere: take the last, [0, -1].",
            _contrast(pick=lambda stream: stream[0]),
        ),
        Mistake(
            "the token before the last",
            "the last token is at position -1.",
            _contrast(pick=lambda stream: stream[-2]),
        ),
        Mistake(
            "the stream after the layer",
            "the stream before the layer is hook_resid_pre.",
            _contrast(hook="hook_resid_post"),
        ),
        Mistake(
            "the wrong way round",
            "subtract the negative texts from the positive ones.",
            _contrast(lambda positive, negative: _difference_of_means(negative, positive)),
        ),
        Mistake(
            "sums instead of means",
            "one kind may have more texts: subtract the means.",
            _contrast(lambda positive, negative: positive.sum(dim=0) - negative.sum(dim=0)),
        ),
        Mistake(
            "texts in one batch",
            "in a batch shorter texts are padded, so [-1] is padding: run them one by one.",
            _in_one_batch,
        ),
        Mistake(
            "pair by pair",
            "one kind may have more texts: subtract two means, not pair by pair.",
            _contrast(
                lambda positive, negative: torch.stack([a - b for a, b in zip(positive, negative)]).mean(
                    dim=0
                )
            ),
        ),
        Mistake(
            "only the first text of each kind",
            "average over all texts of a kind, so that the words of a single text cancel.",
            _contrast(lambda positive, negative: positive[0] - negative[0]),
        ),
        Mistake(
            "negative texts left out",
            "the mean stream of the positive texts holds all that any text has: subtract that of the negative texts.",
            _contrast(lambda positive, negative: positive.mean(dim=0)),
        ),
        Mistake(
            "length 1",
            "return the difference as it is: its length says how far apart the two kinds are.",
            _contrast(lambda *streams: torch.nn.functional.normalize(_difference_of_means(*streams), dim=0)),
        ),
    ),
)
