"""Exercise 4.7: three kinds of ablation."""

import torch

from helpers.ablation import ablate_z
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator

VALUES = {
    "zero": lambda z, resampled_z: torch.zeros_like(z),
    "mean": lambda z, resampled_z: z.mean(0).expand_as(z),
    "resample": lambda z, resampled_z: resampled_z,
}


def _equals_single_entries(trial: Trial) -> None:
    """Oracle: entry by entry, on axes of different lengths."""
    z, resampled_z = (torch.randn(3, 5, 4, 2, generator=generator(n)) + n for n in (0, 1))
    for kind in VALUES:
        for head in (2, 0):
            expected = z.clone()
            for b in range(3):
                for pos in range(5):
                    mean = (z[0, pos, head] + z[1, pos, head] + z[2, pos, head]) / 3
                    values = {"zero": 0 * mean, "mean": mean, "resample": resampled_z[b, pos, head]}
                    expected[b, pos, head] = values[kind]
            trial.matches((z, head, kind, resampled_z), expected, "batch pos head d_head")


def _variant(index=lambda head: (..., head, slice(None)), **changes):
    """The reference with another part of z replaced, or with other values for some kinds."""
    values = VALUES | changes

    def answer(z, head, kind, resampled_z):
        new = z.clone()
        new[index(head)] = values[kind](z, resampled_z)[index(head)]
        return new

    return answer


EXERCISE = Exercise(
    id="4.7",
    title="three kinds of ablation",
    minutes=6,
    difficulty=2,
    hints=(
        "Work on a copy, `new = z.clone()`. The head is the third axis: write into `new[:, :, head]`.",
        'For "mean": the mean of `z[:, :, head]` over the batch, one mean for every position.',
        'For "resample": the same head of `resampled_z`, which is what it computed on other sequences.',
    ),
    reference=ablate_z,
    tests=(_equals_single_entries,),
    mistakes=(
        Mistake(
            "every head replaced",
            "ablate one head only. The other heads keep their z.",
            _variant(index=lambda head: ...),
        ),
        Mistake(
            "a position instead of a head",
            "z is [batch pos head d_head], so the head is the third axis: z[:, :, head].",
            _variant(index=lambda head: (slice(None), head)),
        ),
        Mistake(
            "mean over positions, too",
            "average over the batch only: every position has its own mean.",
            _variant(mean=lambda z, resampled_z: z.mean((0, 1)).expand_as(z)),
        ),
        Mistake(
            "mean over positions",
            "average over the batch (axis 0), not over positions.",
            _variant(mean=lambda z, resampled_z: z.mean(1, keepdim=True).expand_as(z)),
        ),
        Mistake(
            "mean of the other sequences",
            'the mean is that of z itself. `resampled_z` is for "resample".',
            _variant(mean=lambda z, resampled_z: resampled_z.mean(0).expand_as(z)),
        ),
        Mistake(
            "mean over heads",
            "average over the batch, for this head alone.",
            _variant(mean=lambda z, resampled_z: z.mean(2, keepdim=True).expand_as(z)),
        ),
        Mistake(
            "resampled by a roll",
            "take the values from `resampled_z`, which may hold sequences of another kind.",
            _variant(resample=lambda z, resampled_z: z.roll(1, 0)),
        ),
        Mistake(
            "nothing replaced",
            'for one of the kinds z came back unchanged. Write all three, "zero", "mean" and "resample", '
            "and return the copy that you changed.",
            lambda z, head, kind, resampled_z: z.clone(),
        ),
    ),
)
