"""Grades of circuit discovery: against edges that are known, and against the model itself.

Where the true edges are known, precision and recall of a ranking. Where they are not, the fraction
of the behaviour that the strongest edges keep (faithfulness: Hanna et al. 2024, arXiv 2403.17806)
and that the model keeps without them (completeness: Wang et al. 2022, section 4). Scores are
ranked by size, and scores that are equal count as a tie.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from helpers.ablation import fraction_recovered
from helpers.discovery import EdgePatching
from helpers.edges import strongest

ROUNDING = 1e-5  # of the largest |score|, below which a score counts as 0


class PrecisionRecall(NamedTuple):
    """Precision and recall when all edges with |score| ≥ a level are taken, highest level first."""

    precision: Float[Tensor, " level"]
    recall: Float[Tensor, " level"]


class Faithfulness(NamedTuple):
    """Fractions of the behaviour with only the strongest edges kept, and with them removed."""

    kept: Float[Tensor, " size"]
    removed: Float[Tensor, " size"]


def score_sizes(scores: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """|score|, where sizes below ``ROUNDING`` × the largest are 0: ties. NaN stays (no edge).

    >>> score_sizes(torch.tensor([-2.0, 1e-6, torch.nan]))
    tensor([2., 0., nan])
    """
    sizes = scores.abs()
    return sizes.masked_fill(sizes < ROUNDING * sizes.nan_to_num(0).max(), 0)


def precision_recall(scores: Float[Tensor, "..."], truth: Bool[Tensor, "..."]) -> PrecisionRecall:
    """Precision and recall at each distinct level of |score|; equal scores enter at once.

    precision = true edges taken / edges taken ,  recall = true edges taken / true edges . NaN in
    ``scores``: there is no edge. Raises ``ValueError`` without a true edge among the scores.

    >>> scores, truth = torch.tensor([3.0, -2.0, 2.0]), torch.tensor([True, True, False])
    >>> precision_recall(scores, truth)
    PrecisionRecall(precision=tensor([1.0000, 0.6667]), recall=tensor([0.5000, 1.0000]))
    """
    _, taken, true_taken = _by_level(scores, truth)
    return PrecisionRecall(true_taken / taken, true_taken / true_taken[-1])


def average_precision(scores: Float[Tensor, "..."], truth: Bool[Tensor, "..."]) -> Float[Tensor, ""]:
    """Area under the precision by recall:  Σ precision · (recall - recall at the level before) .

    As in scikit-learn's ``average_precision_score``. A tie of all edges scores the fraction of true
    edges, about what a random order scores.

    >>> average_precision(torch.tensor([3.0, -2.0, 2.0]), torch.tensor([True, True, False]))
    tensor(0.8333)
    """
    precision, recall = precision_recall(scores, truth)
    return (precision * recall.diff(prepend=recall.new_zeros(1))).sum()


def precision_at(scores: Float[Tensor, "..."], truth: Bool[Tensor, "..."], n: int) -> Float[Tensor, ""]:
    """Expected precision of the n edges with the largest |score|, ties in random order.

    At n = number of true edges, recall is the same number. Raises ``ValueError`` for a wrong n.

    >>> precision_at(torch.tensor([3.0, -2.0, 2.0]), torch.tensor([True, True, False]), 2)
    tensor(0.7500)
    """
    _, taken, true_taken = _by_level(scores, truth)
    if not 1 <= n <= taken[-1]:
        raise ValueError(f"expected a number of edges from 1 to {int(taken[-1])}, got {n}: change n.")
    level = int((taken < n).sum())  # the first one with n edges or more
    above, true_above = (torch.cat([part.new_zeros(1), part])[level] for part in (taken, true_taken))
    of_tie = (true_taken[level] - true_above) / (taken[level] - above)
    return (true_above + (n - above) * of_tie) / n


def _by_level(scores: Float[Tensor, "..."], truth: Bool[Tensor, "..."]) -> tuple[Tensor, Tensor, Tensor]:
    """Levels of |score|, highest first; numbers of edges and of true edges at each or above."""
    if scores.shape != truth.shape:
        shapes = f"{list(scores.shape)} and {list(truth.shape)}"
        raise ValueError(f"expected scores and truth of one shape, got {shapes}: take both for all edges.")
    exists = scores.isfinite()
    if not (truth & exists).any():
        raise ValueError("expected a true edge among those with a score, got none: check the mask.")
    levels, which = score_sizes(scores)[exists].unique(return_inverse=True)
    numbers = (which.bincount(), which.bincount(weights=truth[exists].float()))
    return levels.flip(0), *(number.flip(0).cumsum(0).float() for number in numbers)


def faithfulness_by_size(
    patching: EdgePatching, scores: Float[Tensor, "sender receiver"], sizes: Sequence[int]
) -> Faithfulness:
    """Faithfulness of the n edges with the largest |score|, and of all other edges, for each n.

    (metric of the circuit - corrupted) / (clean - corrupted) , each the mean over prompts; the
    edges outside of the circuit are patched. A circuit is faithful if ``kept`` is near 1. It is
    complete if ``removed`` is near 0, the case K = C of Wang et al. 2022, section 4.2.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> texts = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, *texts, lambda logits: logits[:, 17])
    >>> scores = torch.where(patching.graph.exists, 1.0, torch.nan)
    >>> faithfulness_by_size(patching, scores, [0, 25]).kept.round(decimals=3).abs()
    tensor([0., 1.])
    """
    circuits = [strongest(scores, n) for n in sizes]
    kept = [circuit_faithfulness(patching, circuit).item() for circuit in circuits]
    removed = [
        circuit_faithfulness(patching, patching.graph.exists & ~circuit).item() for circuit in circuits
    ]
    return Faithfulness(torch.tensor(kept), torch.tensor(removed))


def circuit_faithfulness(patching: EdgePatching, circuit: Bool[Tensor, "..."]) -> Float[Tensor, ""]:
    """Fraction of the behaviour that is left when all edges outside of a circuit are patched.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> texts = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, *texts, lambda logits: logits[:, 17])
    >>> circuit_faithfulness(patching, patching.graph.exists).round(decimals=3)
    tensor(1.)
    """
    metric = patching(patching.graph.exists & ~circuit)
    return fraction_recovered(metric, patching.corrupted_metric, patching.clean_metric).cpu()


def curve_areas(fractions: Float[Tensor, " size"], kept: Float[Tensor, " size"]) -> tuple[float, float]:
    """CPR and CMD of Mueller et al. 2025 (MIB, arXiv 2504.13151): ∫ f dk and ∫ |1 - f| dk.

    f is the faithfulness of the fraction k of all edges, from one point to the next a trapezoid.

    >>> curve_areas(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 1.0, 1.0]))
    (0.75, 0.25)
    """
    return tuple(torch.trapezoid(f, fractions).item() for f in (kept, (1 - kept).abs()))
