"""Exercise 4.7: three kinds of ablation."""

import torch

from helpers.ablation import ablate_z
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _everybody(z, head, kind, other):
    new = z.clone()
    new[:] = {"zero": torch.zeros_like(z), "mean": z.mean(dim=0).expand_as(z), "resample": other}[kind]
    return new


def _with_part(part, kinds, value):
    """The reference, but for ``kinds`` the part ``part(head)`` is set to ``value(z, other)`` there."""

    def answer(z, head, kind, other):
        if kind not in kinds:
            return ablate_z(z, head, kind, other)
        new = z.clone()
        new[part(head)] = value(z, other)[part(head)]
        return new

    return answer


ALL = ("zero", "mean", "resample")


def _at_head(head):
    return (slice(None), slice(None), head)


def _values(kind):
    return {
        "zero": lambda z, o: torch.zeros_like(z),
        "mean": lambda z, o: z.mean(0).expand_as(z),
        "resample": lambda z, o: o,
    }[kind]


def _along_pos(z, head, kind, other):
    new = z.clone()
    new[:, head] = _values(kind)(z, other)[:, head]
    return new


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry, on sizes that tell the axes apart."""
    z, other = (torch.randn(3, 5, 4, 2, generator=generator(n)) + n for n in (0, 1))
    for kind in ALL:
        for head in (2, 0):
            expected = z.clone()
            for b in range(3):
                for pos in range(5):
                    mean = (z[0, pos, head] + z[1, pos, head] + z[2, pos, head]) / 3
                    expected[b, pos, head] = {
                        "zero": 0 * mean,
                        "mean": mean,
                        "resample": other[b, pos, head],
                    }[kind]
            trial.matches((z, head, kind, other), expected, "batch pos head d_head")


EXERCISE = Exercise(
    id="4.7",
    title="three kinds of ablation",
    minutes=6,
    difficulty=2,
    hints=(
        "new = z.clone(), then write into new[:, :, head].",
        'For "mean": z[:, :, head].mean(dim=0), one mean for every position.',
        'For "resample": other[:, :, head], what the head computed on other sequences.',
    ),
    reference=ablate_z,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake("every head replaced", "only the one head is ablated; the others keep their z.", _everybody),
        Mistake(
            "a position instead of a head",
            "z is [batch pos head d_head]: the head is the third axis, z[:, :, head].",
            _along_pos,
        ),
        Mistake(
            "mean over positions, too",
            "every position has its own mean: over the batch only.",
            _with_part(_at_head, ("mean",), lambda z, o: z.mean((0, 1)).expand_as(z)),
        ),
        Mistake(
            "mean over positions",
            "the mean is over the batch (axis 0), not over positions.",
            _with_part(_at_head, ("mean",), lambda z, o: z.mean(1, keepdim=True).expand_as(z)),
        ),
        Mistake(
            "mean of the other sequences",
            'the mean is that of z itself; `other` is for "resample".',
            _with_part(_at_head, ("mean",), lambda z, o: o.mean(0).expand_as(z)),
        ),
        Mistake(
            "mean over heads",
            "the mean is over the batch, of this head alone.",
            _with_part(_at_head, ("mean",), lambda z, o: z.mean(2, keepdim=True).expand_as(z)),
        ),
        Mistake(
            "resampled by a roll",
            "put in what stands in `other`; it may hold sequences of another kind.",
            _with_part(_at_head, ("resample",), lambda z, o: z.roll(1, 0)),
        ),
        Mistake(
            "nothing replaced",
            'for one of the kinds z came back as it was: write "zero", "mean" and "resample", and return the copy that you changed.',
            lambda z, head, kind, other: z.clone(),
        ),
    ),
)
