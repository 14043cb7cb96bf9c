"""Exercise 2.8: skip-trigrams of a one-layer model."""

import torch

from helpers.circuits import skip_trigrams
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over destinations and sources, in double precision; also with large scores."""
    for destinations, sources, outs, middle in [(6, 3, 5, 0), (4, 7, 2, 200), (2, 4, 3, -200)]:
        QK = torch.randn(destinations, sources, generator=generator(sources)) + middle
        OV = torch.randn(sources, outs, generator=generator(outs))
        expected = torch.zeros(destinations, sources, outs)
        for b, scores in enumerate(QK.double()):
            for a in range(sources):
                weight = scores[a].exp() / scores.exp().sum()
                expected[b, a] = weight * OV[a]
        trial.matches((QK, OV), expected, "destination source out")


EXERCISE = Exercise(
    id="2.8",
    title="skip-trigrams",
    minutes=6,
    difficulty=2,
    hints=(
        "The weight that a destination gives to each source is a softmax over the sources.",
        "Weight [destination, source] times effect [source, out], without a sum. "
        "New axes (`None` in an index) make the two shapes fit: every triple stays.",
    ),
    reference=skip_trigrams,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake(
            "scores instead of weights",
            "take the softmax over the sources first.",
            lambda QK, OV: QK[:, :, None] * OV[None],
        ),
        Mistake(
            "softmax over the destinations",
            "each destination divides its attention among the sources: dim=-1.",
            lambda QK, OV: QK.softmax(0)[:, :, None] * OV[None],
        ),
        Mistake(
            "sources summed",
            "the sources are added together; keep every triple.",
            lambda QK, OV: QK.softmax(-1) @ OV,
        ),
        Mistake(
            "softmax overflows",
            "exp(200) is infinite and exp(-200) is 0. Use softmax, or subtract each row's maximum before exp.",
            lambda QK, OV: (QK.exp() / QK.exp().sum(-1, keepdim=True))[:, :, None] * OV[None],
        ),
        Mistake(
            "added",
            "weight and effect are added; attention multiplies them.",
            lambda QK, OV: QK.softmax(-1)[:, :, None] + OV[None],
        ),
        Mistake(
            "softmax over the outs too",
            "the effect is on logits; no softmax over the outs.",
            lambda QK, OV: QK.softmax(-1)[:, :, None] * OV.softmax(-1)[None],
        ),
    ),
)
