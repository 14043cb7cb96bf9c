"""Exercise 5.11: the mean over the prompts of each template."""

import torch

from helpers.ablation import group_means
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _row_by_row(mean_of):
    """For every prompt ``mean_of`` the z of its template's prompts."""
    return lambda z, groups: torch.stack([mean_of(z[groups == group]).expand_as(z[0]) for group in groups])


def _without_itself(z, groups):
    """For every prompt the mean over the other prompts of its template."""
    others = (groups == groups[:, None]) & ~torch.eye(len(z), dtype=torch.bool)
    return torch.stack([z[row].mean(dim=0) for row in others])


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
        "Take one template at a time: the mask `groups == template` says which prompts belong to it.",
        "With `same = groups == template` the mean is `z[same].mean(dim=0)`. Write it to the rows of all these prompts.",
    ),
    reference=group_means,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "one mean for all",
            "every template has its own mean: its words stand at other positions.",
            lambda z, groups: z.mean(dim=0).expand_as(z),
        ),
        Mistake(
            "a row a template",
            "expected one row per prompt: the mean of its template.",
            lambda z, groups: torch.stack([z[groups == group].mean(dim=0) for group in groups.unique()]),
        ),
        Mistake(
            "sorted by template",
            "keep the order: prompt n of the result belongs to prompt n of z.",
            lambda z, groups: group_means(z, groups)[groups.argsort()],
        ),
        Mistake(
            "the prompt itself left out",
            "the mean is over all prompts of the template, this one included.",
            _without_itself,
        ),
        Mistake(
            "mean over positions, too",
            "every position keeps its own mean.",
            _row_by_row(lambda z: z.mean(dim=(0, 1))),
        ),
        Mistake(
            "a sum instead of a mean",
            "templates differ in their number of prompts: divide by it.",
            _row_by_row(lambda z: z.sum(dim=0)),
        ),
        Mistake(
            "divided by all prompts",
            "divide the sum of a template by the number of its own prompts.",
            lambda z, groups: _row_by_row(lambda members: members.sum(dim=0) / len(z))(z, groups),
        ),
        Mistake(
            "heads mixed",
            "every head has its own mean.",
            _row_by_row(lambda z: z.mean(dim=(0, 2))[:, None]),
        ),
        Mistake("nothing averaged", "z came back unchanged.", lambda z, groups: z.clone()),
    ),
)
