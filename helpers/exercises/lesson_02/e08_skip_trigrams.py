"""Exercise 2.8: skip-trigrams of a one-layer model."""

import torch

from helpers.circuits import skip_trigrams
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over destinations, sources and outs."""
    QK, OV = torch.randn(4, 3, generator=generator(0)), torch.randn(3, 5, generator=generator(1))
    expected = torch.zeros(4, 3, 5)
    for b in range(4):
        total = sum(QK[b, a].exp() for a in range(3))
        for a in range(3):
            for c in range(5):
                expected[b, a, c] = QK[b, a].exp() / total * OV[a, c]
    trial.matches((QK, OV), expected, "destination source out")


EXERCISE = Exercise(
    id="2.8",
    title="skip-trigrams",
    minutes=6,
    difficulty=2,
    hints=(
        "The weight that a destination gives to each source is a softmax over the sources.",
        "Weight [destination, source] times effect [source, out]: no sum, but an outer product along new axes, "
        "so that every triple stays.",
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
            "axes in another order",
            "expected [destination, source, out]; source comes first here.",
            lambda QK, OV: skip_trigrams(QK, OV).transpose(0, 1),
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
