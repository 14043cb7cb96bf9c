"""Exercise 8.8: average precision of a ranking with ties."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def tied_average_precision(sizes: Float[Tensor, " edge"], truth: Bool[Tensor, " edge"]) -> Float[Tensor, ""]:
    """Sum over the distinct sizes, largest first, of  precision · rise of the recall .

    At a size all edges of this size or above are taken.
    """
    total = torch.tensor(0.0)
    for size in sizes.unique():
        precision = truth[sizes >= size].float().mean()
        total = total + precision * truth[sizes == size].sum() / truth.sum()
    return total


def _curve(sizes, truth) -> tuple[Tensor, Tensor]:
    """Precision and recall at each distinct size, largest first."""
    levels = sizes.unique().flip(0)
    taken = sizes >= levels[:, None]
    hits = (taken & truth).sum(dim=1).float()
    return hits / taken.sum(dim=1), hits / truth.sum()


def _one_by_one(order):
    """Average precision that takes edges one by one, ties as an order has them."""

    def answer(sizes, truth):
        ranked = truth[order(sizes, truth)].float()
        return (ranked * ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)).sum() / ranked.sum()

    return answer


def _of_curve(area):
    return lambda sizes, truth: area(*_curve(sizes, truth))


def _rises(recall):
    return recall.diff(prepend=torch.zeros(1))


def _with_ties(sizes, truth, weigh):
    total = torch.tensor(0.0)
    for size in sizes.unique():
        total = total + weigh(sizes, truth, size)
    return total


def _roc(sizes, truth):
    """Probability that a true edge ranks above a false one; a tie counts half."""
    above = sizes[truth][:, None] - sizes[~truth]
    return ((above > 0).float() + (above == 0).float() / 2).mean()


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: loops over integer sizes: many ties, no tie, one tie of all edges; ends at 0."""
    cases = [(30, 4), (25, 1000), (40, 7), (12, 1), (50, 12)]
    for seed, (count, distinct) in enumerate(cases):
        sizes = torch.randint(distinct, (count,), generator=generator(seed)).float()
        truth = torch.rand(count, generator=generator(100 + seed)) < 0.3
        sizes = sizes + 2 * truth * (distinct > 1) * (
            torch.rand(count, generator=generator(200 + seed)) < 0.6
        )
        expected, before = 0.0, 0.0
        for size in sorted(set(sizes.tolist()), reverse=True):
            taken = [is_true for s, is_true in zip(sizes.tolist(), truth.tolist()) if s >= size]
            recall = sum(taken) / truth.sum().item()
            expected += sum(taken) / len(taken) * (recall - before)
            before = recall
        trial.matches((sizes, truth), torch.tensor(expected), "")


EXERCISE = Exercise(
    id="8.8",
    title="average precision with ties",
    minutes=7,
    difficulty=2,
    hints=(
        "`sizes.unique()` lists the distinct sizes. For each size, `sizes >= size` are the edges taken: all of a tie at once.",
        "The recall rises by the true edges of this size, divided by all true edges.",
        "`truth[sizes >= size].float().mean()` is the precision.",
    ),
    reference=tied_average_precision,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "ties in the order of the list",
            "edges of equal size must enter at once. Yours enter one by one, in the order of the list.",
            _one_by_one(lambda sizes, truth: sizes.argsort(descending=True, stable=True)),
        ),
        Mistake(
            "ties in the order of the sort",
            "edges of equal size must enter at once. Yours enter one by one, in the order of the sort.",
            _one_by_one(lambda sizes, truth: sizes.argsort(descending=True)),
        ),
        Mistake(
            "ties in the backward order of the list",
            "edges of equal size must enter at once. Yours enter one by one, in the order of the sort.",
            _one_by_one(lambda sizes, truth: sizes.argsort().flip(0)),
        ),
        Mistake(
            "every edge in place of every size",
            "go through the distinct sizes: a size that many edges share counts once.",
            lambda sizes, truth: _with_ties(
                sizes,
                truth,
                lambda s, t, size: (
                    t[s >= size].float().mean() * (s == size).sum() * t[s == size].sum() / t.sum()
                ),
            ),
        ),
        Mistake(
            "rises from the smallest size",
            "take the largest sizes first: then the recall rises from 0 to 1.",
            _of_curve(lambda precision, recall: (precision.flip(0) * _rises(recall.flip(0))).sum()),
        ),
        Mistake(
            "true edges first in a tie",
            "a tie says nothing about its edges: they enter at once.",
            _one_by_one(lambda sizes, truth: (sizes + 0.5 * truth).argsort(descending=True)),
        ),
        Mistake(
            "smallest first",
            "take the largest sizes first.",
            lambda sizes, truth: tied_average_precision(-sizes, truth),
        ),
        Mistake(
            "mean over the sizes",
            "weigh each precision by the rise of the recall.",
            _of_curve(lambda precision, recall: precision.mean()),
        ),
        Mistake(
            "trapezoids",
            "take the precision at the size itself, not its mean with the one before.",
            _of_curve(lambda precision, recall: torch.trapezoid(precision, recall)),
        ),
        Mistake(
            "trapezoids from 1",
            "take the precision at the size itself, not its mean with the one before.",
            _of_curve(
                lambda precision, recall: torch.trapezoid(
                    torch.cat([torch.ones(1), precision]), torch.cat([torch.zeros(1), recall])
                )
            ),
        ),
        Mistake(
            "precision of one size alone",
            "precision counts all edges of this size or above.",
            lambda sizes, truth: _with_ties(
                sizes,
                truth,
                lambda s, t, size: t[s == size].float().mean() * t[s == size].sum() / t.sum(),
            ),
        ),
        Mistake(
            "larger sizes only",
            "the edges of this size are taken, too.",
            lambda sizes, truth: _with_ties(
                sizes,
                truth,
                lambda s, t, size: t[s > size].float().mean().nan_to_num(0) * t[s == size].sum() / t.sum(),
            ),
        ),
        Mistake(
            "larger sizes only",
            "the edges of this size are taken, too: use >=.",
            lambda sizes, truth: _with_ties(
                sizes, truth, lambda s, t, size: t[s > size].float().mean() * t[s == size].sum() / t.sum()
            ),
        ),
        Mistake(
            "fraction of all edges",
            "recall divides by the number of true edges, not of all edges.",
            lambda sizes, truth: tied_average_precision(sizes, truth) * truth.float().mean(),
        ),
        Mistake(
            "recall instead of its rise",
            "weigh by how much the recall rises at this size.",
            _of_curve(lambda precision, recall: (precision * recall).sum()),
        ),
        Mistake(
            "not divided by the true edges",
            "recall is a fraction: divide by the number of all true edges.",
            lambda sizes, truth: tied_average_precision(sizes, truth) * truth.sum(),
        ),
        Mistake(
            "weighted by edges",
            "weigh by the true edges of this size, not by all edges of this size.",
            lambda sizes, truth: _with_ties(
                sizes,
                truth,
                lambda s, t, size: t[s >= size].float().mean() * (s == size).sum() / len(s),
            ),
        ),
        Mistake("area under ROC", "this is the area under the ROC curve: use the precision.", _roc),
        Mistake(
            "precision by size",
            "one number is expected: the sum over the sizes.",
            _of_curve(lambda precision, recall: precision * _rises(recall)),
        ),
    ),
)
