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
    for kind in VALUES:
        for batch, n, heads, d_head, head in [
            (3, 5, 4, 2, 2),
            (3, 5, 4, 2, 0),
            (6, 4, 3, 2, 2),
            (1, 3, 1, 2, 0),
        ]:
            shape = (batch, n, heads, d_head)
            z, resampled_z = (torch.randn(shape, generator=generator(seed)) + seed for seed in (0, 1))
            expected = z.clone()
            for b in range(batch):
                for pos in range(n):
                    mean = sum(z[other, pos, head] for other in range(batch)) / batch
                    values = {"zero": 0 * mean, "mean": mean, "resample": resampled_z[b, pos, head]}
                    expected[b, pos, head] = values[kind]
            trial.matches((z, head, kind, resampled_z), expected, "batch pos head d_head")


def _of_head(head):
    return ..., head, slice(None)


def _variant(index=_of_head, kinds=tuple(VALUES), **changes):
    """The reference with another part of z replaced for ``kinds``, or with other values."""
    values = VALUES | changes

    def answer(z, head, kind, resampled_z):
        new = z.clone()
        part = index(head) if kind in kinds else _of_head(head)
        new[part] = values[kind](z, resampled_z)[part]
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
        *(
            Mistake(
                f'every head replaced for "{kind}"',
                "the other heads keep their z. Replace the one head only.",
                _variant(index=lambda head: ..., kinds=(kind,)),
            )
            for kind in VALUES
        ),
        *(
            Mistake(
                f'last position only for "{kind}"',
                f'for kind "{kind}" only the last position is replaced. Replace all positions of the head.',
                _variant(index=lambda head: (slice(None), -1, head), kinds=(kind,)),
            )
            for kind in VALUES
        ),
        Mistake(
            "last position only",
            "only the last position is replaced. Replace all positions of the head.",
            _variant(index=lambda head: (slice(None), -1, head)),
        ),
        Mistake(
            "later heads replaced, too",
            "the slice `head:` holds all heads from this one on. Write `head` for this one only.",
            _variant(index=lambda head: (..., slice(head, None), slice(None))),
        ),
        Mistake(
            "mean of zeros",
            'for "mean" the head is zero. Take the mean of z before you write zeros into the copy.',
            _variant(mean=lambda z, resampled_z: torch.zeros_like(z)),
        ),
        Mistake(
            "kinds swapped",
            '"zero" gives the mean, and "mean" gives zeros. Swap the two branches.',
            _variant(zero=VALUES["mean"], mean=VALUES["zero"]),
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
        *(
            Mistake(
                f'nothing replaced for "{kind}"',
                f'for kind "{kind}" z came back unchanged. Write a branch for each of the three kinds.',
                _variant(**{kind: lambda z, resampled_z: z}),
            )
            for kind in VALUES
        ),
        *(
            Mistake(
                f'"{kind}" alone',
                f'only kind "{kind}" is ablated. Write a branch for each of the other two kinds.',
                _variant(**{other: lambda z, resampled_z: z for other in VALUES if other != kind}),
            )
            for kind in VALUES
        ),
        Mistake(
            "nothing replaced",
            "z came back unchanged for every kind. Return the copy that you changed.",
            lambda z, head, kind, resampled_z: z.clone(),
        ),
    ),
)
