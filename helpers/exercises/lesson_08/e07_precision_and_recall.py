"""Exercise 8.7: precision and recall of the strongest edges."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def precision_and_recall(
    scores: Float[Tensor, " edge"], truth: Bool[Tensor, " edge"], n: int
) -> Float[Tensor, " 2"]:
    """Precision and recall of the n edges with the largest |score|."""
    strongest = scores.abs().argsort(descending=True)[:n]
    hits = truth[strongest].sum()
    return torch.stack([hits / n, hits / truth.sum()])


def _graded(rank, grade=lambda hits, n, truth, edges: (hits / n, hits / truth.sum())):
    """Grades of the first n edges of another ranking."""

    def answer(scores, truth, n):
        strongest = rank(scores).argsort(descending=True)[:n]
        hits = truth[strongest].sum().float()
        return torch.stack([torch.as_tensor(part).float() for part in grade(hits, n, truth, len(scores))])

    return answer


def _taken_by_truth(scores, truth, n):
    """The n strongest of the true edges."""
    return torch.tensor([1.0, min(n / truth.sum().item(), 1.0)])


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: a loop over sorted edges; n below, at and above the number of true edges."""
    for seed, count in enumerate((28, 45)):
        scores = torch.randn(count, generator=generator(seed))
        truth = torch.rand(count, generator=generator(10 + seed)) < 0.35
        scores[truth] *= 2
        ranked = sorted(zip(scores.tolist(), truth.tolist()), key=lambda edge: -abs(edge[0]))
        for n in (1, 5, int(truth.sum()), int(truth.sum()) + 6):
            hits = sum(is_true for _, is_true in ranked[:n])
            expected = torch.tensor([hits / n, hits / truth.sum().item()])
            trial.matches((scores, truth, n), expected, "grade")


EXERCISE = Exercise(
    id="8.7",
    title="precision and recall",
    minutes=5,
    difficulty=1,
    hints=(
        "Rank the edges by |score|, take the first n, and count how many of them are true: the hits.",
        "Precision is hits / n. Recall is hits / true edges.",
        "`indices = scores.abs().argsort(descending=True)[:n]` picks the edges. `truth[indices]` is True for the hits.",
    ),
    reference=precision_and_recall,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "signed scores",
            "an edge with a large negative score is strong, too: rank by |score|.",
            _graded(lambda scores: scores),
        ),
        Mistake(
            "most negative first",
            "an edge with a large positive score is strong, too: rank by |score|.",
            _graded(lambda scores: -scores),
        ),
        Mistake(
            "weakest edges",
            "take the edges with the largest |score|.",
            _graded(lambda scores: -scores.abs()),
        ),
        Mistake(
            "recall first",
            "expected precision first, then recall.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits / truth.sum(), hits / n)),
        ),
        Mistake(
            "precision twice",
            "recall is hits / true edges.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits / n, hits / n)),
        ),
        Mistake(
            "recall twice",
            "precision is hits / n.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits / truth.sum(), hits / truth.sum())),
        ),
        Mistake(
            "fraction of all edges",
            "recall divides by the number of true edges, not of all edges.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits / n, hits / edges)),
        ),
        Mistake(
            "whole numbers",
            "divide with /. The operator // drops what stands behind the point.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits // n, hits // truth.sum())),
        ),
        Mistake(
            "accuracy",
            "count only the edges that are taken and true, not those left out and false.",
            _graded(
                torch.abs,
                lambda hits, n, truth, edges: (
                    (edges - n - truth.sum() + 2 * hits) / edges,
                    hits / truth.sum(),
                ),
            ),
        ),
        Mistake(
            "numbers of hits",
            "divide the hits: by n for precision, by the number of true edges for recall.",
            _graded(torch.abs, lambda hits, n, truth, edges: (hits, hits)),
        ),
        Mistake(
            "true edges alone",
            "rank all edges: the false ones compete for the first n places.",
            _taken_by_truth,
        ),
        Mistake(
            "errors",
            "these are the fractions of errors: count the true edges.",
            lambda *arguments: 1 - precision_and_recall(*arguments),
        ),
    ),
)
