"""Exercise 5.11: the mean of a template."""

import torch

from helpers.ablation import group_means
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _over_everything(z, groups):
    return z.mean(dim=0).expand_as(z)


def _row_by_row(mean):
    """``mean(z, groups, n)`` for each prompt n."""
    return lambda z, groups: torch.stack([mean(z, groups, n) for n in range(len(z))])


def _of_others(z, groups, n):
    same = groups == groups[n]
    same[n] = False
    return z[same].mean(dim=0)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt, templates of different numbers and in no order."""
    z, groups = torch.randn(7, 5, 3, 2, generator=generator(0)), torch.tensor([2, 0, 2, 1, 0, 2, 1])
    expected = torch.zeros_like(z)
    for n in range(7):
        members = [m for m in range(7) if groups[m] == groups[n]]
        for m in members:
            expected[n] += z[m] / len(members)
    trial.matches((z, groups), expected, "prompt pos head d_head")


EXERCISE = Exercise(
    id="5.11",
    title="the mean of a template",
    minutes=4,
    difficulty=1,
    hints=(
        "For one template: same = groups == template; the mean is z[same].mean(dim=0).",
        "Put it at every prompt of that template: means[same] = z[same].mean(dim=0).",
    ),
    reference=group_means,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "one mean for all",
            "each template has its own mean: other words stand at its positions.",
            _over_everything,
        ),
        Mistake(
            "a row a template",
            "every prompt gets a row: the mean of its template.",
            lambda z, groups: torch.stack([z[groups == group].mean(dim=0) for group in groups.unique()]),
        ),
        Mistake(
            "sorted by template",
            "prompt n of the result belongs to prompt n of z: keep the order.",
            lambda z, groups: torch.cat(
                [z[groups == g].mean(dim=0).expand_as(z[groups == g]) for g in groups.unique()]
            ),
        ),
        Mistake(
            "the prompt itself left out",
            "the mean is over all prompts of the template.",
            _row_by_row(_of_others),
        ),
        Mistake(
            "mean over positions, too",
            "every position keeps its own mean.",
            _row_by_row(lambda z, groups, n: z[groups == groups[n]].mean(dim=(0, 1)).expand_as(z[n])),
        ),
        Mistake(
            "a sum instead of a mean",
            "templates differ in how many prompts they have: divide.",
            _row_by_row(lambda z, groups, n: z[groups == groups[n]].sum(dim=0)),
        ),
        Mistake(
            "divided by all prompts",
            "each template's sum is divided by the number of its own prompts.",
            _row_by_row(lambda z, groups, n: z[groups == groups[n]].sum(dim=0) / len(z)),
        ),
        Mistake(
            "heads mixed",
            "each head has its own mean.",
            _row_by_row(
                lambda z, groups, n: z[groups == groups[n]].mean(dim=(0, 2))[:, None].expand_as(z[n])
            ),
        ),
        Mistake("nothing averaged", "z came back as it was.", lambda z, groups: z.clone()),
    ),
)
