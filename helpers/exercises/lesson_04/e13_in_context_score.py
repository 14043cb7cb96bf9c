"""Exercise 4.13: the in-context score."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.sequences import in_context_score


def _equals_sums(trial: Trial) -> None:
    """Oracle: sums over both windows; the loss falls, or it rises."""
    for end in (3, 8):
        loss = torch.rand(30, generator=generator(end)) + torch.linspace(5, end, 30)
        for early, late in [((2, 7), (19, 29)), ((0, 4), (23, 30)), ((5, 6), (11, 12))]:
            means = [
                sum(loss[i] for i in range(*window)) / (window[1] - window[0]) for window in (early, late)
            ]
            trial.matches((loss, early, late), means[1] - means[0], "", 1e-4)


def _difference(measure):
    """``measure(loss, start, stop)`` of the late window minus that of the early one."""
    return lambda loss, early, late: measure(loss, *late) - measure(loss, *early)


EXERCISE = Exercise(
    id="4.13",
    title="the in-context score",
    minutes=3,
    difficulty=1,
    hints=(
        "A window (start, stop) stands for a slice of `loss`. Average over each window by itself.",
        "Which of the two means has to be subtracted, if the score is negative when later tokens are easier?",
    ),
    reference=in_context_score,
    tests=(_equals_sums,),
    mistakes=(
        Mistake(
            "early minus late",
            "this is the early mean minus the late mean. Subtract the early mean from the late one.",
            lambda loss, early, late: in_context_score(loss, late, early),
        ),
        Mistake(
            "absolute value",
            "the score keeps its sign: it is negative where later tokens are easier.",
            lambda loss, early, late: in_context_score(loss, early, late).abs(),
        ),
        Mistake(
            "single positions",
            "single tokens are noisy. Take the mean over each window.",
            _difference(lambda loss, start, stop: loss[start]),
        ),
        Mistake(
            "sums instead of means",
            "the windows have different lengths. Compare means.",
            _difference(lambda loss, start, stop: loss[start:stop].sum()),
        ),
        Mistake(
            "last position counted",
            "a window is [start, stop). Leave out the position stop.",
            _difference(lambda loss, start, stop: loss[start : stop + 1].mean()),
        ),
        *(
            Mistake(
                "shifted by one",
                f"both windows stand one position too {when}. Take loss[start:stop].",
                _difference(lambda loss, start, stop, by=by: loss[start + by : stop + by].mean()),
            )
            for when, by in (("early", -1), ("late", 1))
        ),
        Mistake(
            "first position left out",
            "a window is [start, stop). The position start belongs to it.",
            _difference(lambda loss, start, stop: loss[start + 1 : stop].mean()),
        ),
        Mistake(
            "one length for both windows",
            "the windows have different lengths. Divide each sum by the length of its own window.",
            lambda loss, early, late: (
                (loss[slice(*late)].sum() - loss[slice(*early)].sum()) / (early[1] - early[0])
            ),
        ),
        Mistake(
            "window taken as start and length",
            "a window is (start, stop), not (start, length).",
            _difference(lambda loss, start, length: loss[start : start + length].mean()),
        ),
        Mistake(
            "ratio",
            "this is a ratio. Return the difference, in nats.",
            lambda loss, early, late: loss[slice(*late)].mean() / loss[slice(*early)].mean(),
        ),
        Mistake(
            "late loss only",
            "this is the loss late in the text. Subtract the loss early in the text.",
            lambda loss, early, late: loss[slice(*late)].mean(),
        ),
    ),
)
