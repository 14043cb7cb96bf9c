"""Exercise 5.12: the mean over the prompts of each template."""

import torch

from helpers.ablation import group_means
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _row_by_row(mean_of):
    """For every prompt ``mean_of`` the z of its template's prompts."""
    return lambda z, groups: torch.stack([mean_of(z[groups == group]).expand_as(z[0]) for group in groups])


def _without_itself(least):
    """The sum over the other prompts of a template, divided by their number or ``least``."""

    def answer(z, groups):
        others = ((groups == groups[:, None]) & ~torch.eye(len(z), dtype=torch.bool)).float()
        return torch.einsum("mn,n...->m...", others / others.sum(dim=1, keepdim=True).clamp_min(least), z)

    return answer


def _of_labels(labels_of, start):
    """The means of some labels, ``labels_of(groups)``, written into ``start(z)``."""

    def answer(z, groups):
        means = start(z)
        for group in filter(groups.tolist().__contains__, labels_of(groups)):
            means[groups == group] = z[groups == group].mean(dim=0)
        return means

    return answer


def _from_0(groups):
    return range(len(groups.unique()))


def _without_the_last(groups):
    return range(int(groups.max()))


def _of_several(groups):
    return [group for group in set(groups.tolist()) if (groups == group).sum() > 1]


def _runs(z, groups):
    _, lengths = groups.unique_consecutive(return_counts=True)
    return torch.cat([run.mean(dim=0).expand_as(run) for run in z.split(lengths.tolist())])


# labels that are missing, not in order, or higher than the number of prompts; single prompts
GROUPS = [2, 0, 2, 1, 0, 2, 1], [4, 0, 4, 4, 12, 0, 0, 0], [1, 1, 1], [5]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt, templates of different numbers and in no order."""
    for labels in GROUPS:
        n_prompts, groups = len(labels), torch.tensor(labels)
        z = torch.randn(n_prompts, 5, 3, 2, generator=generator(n_prompts))
        expected = torch.zeros_like(z)
        for n in range(n_prompts):
            members = [m for m in range(n_prompts) if labels[m] == labels[n]]
            for m in members:
                expected[n] += z[m] / len(members)
        trial.matches((z, groups), expected, "prompt pos head d_head")


EXERCISE = Exercise(
    id="5.12",
    title="the mean of a template",
    minutes=4,
    difficulty=1,
    hints=(
        "Take one template at a time: the mask `groups == template` says which prompts belong to it.",
        "A mask selects rows when you read (`z[mask]`) and when you write. Write to a tensor of your own: `z` stays as it is.",
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
            "one row per template",
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
            _without_itself(0),
        ),
        Mistake(
            "the prompt itself left out",
            "the mean is over all prompts of the template, this one included.",
            _without_itself(1),
        ),
        Mistake(
            "median",
            "take the mean, not the median.",
            _row_by_row(lambda members: members.median(dim=0).values),
        ),
        Mistake(
            "runs of equal numbers",
            "prompts of a template need not follow each other: use the mask `groups == template`.",
            _runs,
        ),
        Mistake(
            "single prompts left at 0",
            "a template with one prompt has a mean, too: that prompt's row.",
            _of_labels(_of_several, torch.zeros_like),
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
        *(
            Mistake(
                "labels taken for 0, 1, 2, …",
                "labels are any numbers: loop over those that occur, `groups.unique()`.",
                _of_labels(_from_0, others),
            )
            for others in (torch.zeros_like, torch.clone)
        ),
        *(
            Mistake(
                "the highest label left out",
                "range(n) ends before n. Loop over the labels that occur, `groups.unique()`.",
                _of_labels(_without_the_last, others),
            )
            for others in (torch.zeros_like, torch.clone)
        ),
        Mistake("nothing averaged", "z came back unchanged.", lambda z, groups: z.clone()),
    ),
)
