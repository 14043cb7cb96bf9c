"""Statistics of measured values: rank correlation and bootstrap intervals."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rank_correlation(x: Float[Tensor, " item"], y: Float[Tensor, " item"]) -> Float[Tensor, ""]:
    """Spearman's rank correlation: the correlation of the ranks, between -1 and 1 (no ties).

    For n independent pairs it is 0 ± 1/√(n - 1).

    >>> rank_correlation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 10.0, 100.0]))
    tensor(1.)
    """
    ranks = torch.stack([values.argsort().argsort().float() for values in (x, y)])
    return torch.corrcoef(ranks)[0, 1]


def bootstrap(
    values: Float[Tensor, " prompt"], samples: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap confidence interval of the mean, as its lower and upper end.

    The interval holds the middle ``level`` of ``samples`` means, each of as many values drawn with
    replacement as there are.

    >>> bootstrap(torch.ones(5))
    (1.0, 1.0)
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(values), (samples, len(values)), generator=generator)
    means = values.cpu()[rows].mean(dim=1)
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2])).tolist()
    return low, high


def bootstrap_ratio(
    numerator: Float[Tensor, " prompt"],
    denominator: Float[Tensor, " prompt"],
    groups: Int[Tensor, " prompt"],
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap confidence interval of a ratio of sums over prompts, as its lower and upper end.

    Σ numerator / Σ denominator  of whole groups of prompts (such as templates), drawn with
    replacement. Both sums are over the same groups.

    >>> bootstrap_ratio(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]), torch.tensor([0, 1]))
    (0.5, 0.5)
    """
    generator = torch.Generator().manual_seed(seed)
    groups = groups.cpu()
    members = (groups == groups.unique()[:, None]).float()  # [group prompt]
    drawn = torch.randint(len(members), (samples, len(members)), generator=generator)
    sums = [(members @ values.cpu())[drawn].sum(dim=1) for values in (numerator, denominator)]
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2])
    low, high = (sums[0] / sums[1]).quantile(ends).tolist()
    return low, high
