"""Exercise 6.7: a direction from contrast pairs (Turner et al. 2023; Rimsky et al. 2023)."""

import functools

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import small_gpt2
from helpers.steering import contrast_vector

POSITIVE = ("In the evening Mary", "Kate", "The boat left")
NEGATIVE = ("The old king saw John", "Tom")


def _difference_of_means(positive, negative):
    return positive.mean(dim=0) - negative.mean(dim=0)


@functools.lru_cache(maxsize=64)  # the mistakes read the same streams
def _stream(model, text, name, **tokenizing):
    tokens = model.to_tokens(text, **tokenizing)
    return model.run_with_cache(tokens, names_filter=name)[1][name][0]


def _contrast(
    difference=_difference_of_means, pick=lambda stream: stream[-1], hook="hook_resid_pre", **tokenizing
):
    """``difference`` of both kinds' vectors, [text d_model]: ``pick(stream)`` of every text."""

    def answer(model, positive, negative, layer):
        name = f"blocks.{layer}.{hook}"

        def vector(text):
            return pick(_stream(model, text, name, **tokenizing))

        return difference(*(torch.stack([vector(text) for text in texts]) for texts in (positive, negative)))

    return answer


def _in_one_batch(model, positive, negative, layer):
    name = f"blocks.{layer}.hook_resid_pre"
    streams = [
        model.run_with_cache(model.to_tokens(list(texts)))[1][name][:, -1] for texts in (positive, negative)
    ]
    return _difference_of_means(*streams)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: streams recorded by a hook; first and last layer, different numbers of texts."""
    model = small_gpt2()
    for layer, positive, negative in ((2, POSITIVE, NEGATIVE), (0, NEGATIVE[:1], POSITIVE[1:2])):
        expected = _mean_last_stream(model, positive, layer) - _mean_last_stream(model, negative, layer)
        trial.matches((model, positive, negative, layer), expected, "d_model", 1e-4)


def _mean_last_stream(model, texts, layer):
    """Mean stream before a layer at the last token."""
    streams = []
    record = (f"blocks.{layer}.hook_resid_pre", lambda resid, hook: streams.append(resid[0, -1].clone()))
    for text in texts:
        model.run_with_hooks(model.to_tokens(text), fwd_hooks=[record])
    return sum(streams) / len(streams)


EXERCISE = Exercise(
    id="6.7",
    title="a direction from contrast pairs",
    minutes=5,
    difficulty=2,
    hints=(
        "The texts differ in length: run them one by one, and take the stream at the last token of each.",
        "`model(model.to_tokens(text), stop_at_layer=layer)` returns the stream before that layer, `[1, pos, d_model]`. `model.run_with_cache` works, too.",
        "`torch.stack` the vectors of one kind and average over texts. Do the same for the other kind, and subtract.",
    ),
    reference=contrast_vector,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "mean over positions",
            "take the stream at the last token, where the texts differ and where the model predicts the next token.",
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
            "without beginning-of-text",
            "begin each text with beginning-of-text, as `model.to_tokens(text)` does by default.",
            _contrast(prepend_bos=False),
        ),
        Mistake(
            "the stream after the layer",
            "this is the stream after the layer. The stream before it is hook_resid_pre of the same layer.",
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
            "the mean stream of the positive texts also holds what all texts share. Subtract the mean of the negative texts.",
            _contrast(lambda positive, negative: positive.mean(dim=0)),
        ),
        Mistake(
            "length 1",
            "return the difference as it is: its length says how far apart the two kinds are.",
            _contrast(lambda *streams: torch.nn.functional.normalize(_difference_of_means(*streams), dim=0)),
        ),
    ),
)
