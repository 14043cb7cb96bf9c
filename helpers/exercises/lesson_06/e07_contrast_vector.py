"""Exercise 6.7: a direction from contrast pairs."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.models import load_model
from helpers.steering import contrast_vector

POSITIVE = ("In the evening Mary", "The old king saw Anne", "Kate")
NEGATIVE = ("In the evening John", "Tom")


def _mean_over_positions(model, positive, negative, layer):
    name = f"blocks.{layer}.hook_resid_pre"
    means = [
        torch.stack([model.run_with_cache(model.to_tokens(t))[1][name][0].mean(dim=0) for t in texts]).mean(0)
        for texts in (positive, negative)
    ]
    return means[0] - means[1]


def _streams(model, texts, layer, at=-1, hook="hook_resid_pre"):
    """Streams of the texts at one position, [text d_model]."""
    caches = (model.run_with_cache(model.to_tokens(text))[1] for text in texts)
    return torch.stack([cache[f"blocks.{layer}.{hook}"][0, at] for cache in caches])


def _contrast(difference, **where):
    """``difference(streams of positive, streams of negative)`` ."""
    return lambda model, positive, negative, layer: difference(
        _streams(model, positive, layer, **where), _streams(model, negative, layer, **where)
    )


def _in_one_batch(model, positive, negative, layer):
    name = f"blocks.{layer}.hook_resid_pre"
    last = [
        model.run_with_cache(model.to_tokens(list(texts)))[1][name][:, -1] for texts in (positive, negative)
    ]
    return _means_apart(*last)


def _means_apart(a, b):
    return a.mean(0) - b.mean(0)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: streams caught one by one by a hook of our own; as many texts of one kind as of the other are not to be expected."""
    model = load_model("attn-only-2l")
    caught = []
    for texts in (POSITIVE, NEGATIVE):
        total = torch.zeros(model.cfg.d_model)
        for text in texts:
            seen = {}
            hook = (
                "blocks.1.hook_resid_pre",
                lambda resid, hook, seen=seen: seen.update(last=resid[0, -1].clone()),
            )
            model.run_with_hooks(model.to_tokens(text), fwd_hooks=[hook])
            total += seen["last"]
        caught.append(total / len(texts))
    trial.matches((model, POSITIVE, NEGATIVE, 1), caught[0] - caught[1], "d_model", 1e-4)


def _turns_round(trial: Trial) -> None:
    """Property: the two kinds exchanged give the opposite direction, and a kind against itself gives none."""
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
        'model.run_with_cache(model.to_tokens(text))[1][f"blocks.{layer}.hook_resid_pre"] is the stream, [1, pos, d_model].',
        "Take [0, -1] of each text, one text at a time (they differ in length), torch.stack them, mean over texts.",
        "Mean of the positive texts minus mean of the negative ones.",
    ),
    reference=contrast_vector,
    tests=(_equals_by_hand, _turns_round),
    mistakes=(
        Mistake(
            "mean over positions",
            "take the stream at the last token: that is where the texts differ, and what the model would go on from.",
            _mean_over_positions,
        ),
        Mistake(
            "first position",
            "position 0 is beginning-of-text, the same everywhere: take the last, [0, -1].",
            _contrast(_means_apart, at=0),
        ),
        Mistake(
            "the token before the last",
            "the last token stands at -1.",
            _contrast(_means_apart, at=-2),
        ),
        Mistake(
            "the stream after the layer",
            "before the layer: hook_resid_pre.",
            _contrast(_means_apart, hook="hook_resid_post"),
        ),
        Mistake(
            "the wrong way round",
            "positive minus negative.",
            _contrast(lambda a, b: b.mean(0) - a.mean(0)),
        ),
        Mistake(
            "sums instead of means",
            "there may be more texts of one kind: subtract the means.",
            _contrast(lambda a, b: a.sum(0) - b.sum(0)),
        ),
        Mistake(
            "texts in one batch",
            "shorter texts were padded, so [-1] is padding: run them one by one.",
            _in_one_batch,
        ),
        Mistake(
            "pair by pair",
            "there may be more texts of one kind: subtract two means, not pair by pair.",
            _contrast(lambda a, b: torch.stack([x - y for x, y in zip(a, b)]).mean(0)),
        ),
        Mistake(
            "only the first text of each kind",
            "average over all texts of a kind: one text's own words cancel only then.",
            _contrast(lambda a, b: a[0] - b[0]),
        ),
        Mistake(
            "negative texts left out",
            "the mean stream of the positive texts holds all that any text has: subtract the negative ones' mean.",
            _contrast(lambda a, b: a.mean(0)),
        ),
        Mistake(
            "length 1",
            "return the difference as it is: its length says how far apart the two kinds are.",
            _contrast(lambda a, b: torch.nn.functional.normalize(_means_apart(a, b), dim=0)),
        ),
    ),
)
