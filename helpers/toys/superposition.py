"""More features than directions: the toy model of superposition.

Features x, each in [0, 1] and mostly 0, are compressed into fewer directions and read out again:
x̂ = ReLU(x Wᵀ W + b). (Elhage et al. 2022, https://transformer-circuits.pub/2022/toy_model)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from helpers.toys import one_thread

BATCH_ROWS = 512


@dataclass(frozen=True)
class Record:
    """The model after ``step`` steps."""

    step: int
    loss: float  # on the batch of that step
    W: Float[Tensor, "direction feature"]
    b: Float[Tensor, " feature"]


def superposition_loss(
    W: Float[Tensor, "direction feature"],
    b: Float[Tensor, " feature"],
    x: Float[Tensor, "row feature"],
    importance: Float[Tensor, " feature"],
) -> Float[Tensor, ""]:
    """Squared error of  ReLU(x Wᵀ W + b)  weighted by importance.

    The error is summed over features and averaged over rows.

    >>> superposition_loss(torch.eye(2), torch.zeros(2), torch.ones(1, 2), torch.ones(2))
    tensor(0.)
    """
    read_out = torch.relu(x @ W.T @ W + b)
    return (importance * (x - read_out) ** 2).sum(dim=1).mean()


def feature_dimensionality(W: Float[Tensor, "direction feature"]) -> Float[Tensor, " feature"]:
    """Fraction of a direction that belongs to each feature:  D_i = ‖W_i‖⁴ / Σ_j (W_i · W_j)² .

    1 for a direction of its own, ½ for two antipodal features, 2/5 for a pentagon in a plane, 0 for
    a feature that is not represented. (Elhage et al. 2022, "Feature dimensionality", written there
    as  ‖W_i‖² / Σ_j (Ŵ_i · W_j)² .)

    >>> feature_dimensionality(torch.tensor([[1.0, 0, 0], [0, 2, -2]]))
    tensor([1.0000, 0.5000, 0.5000])
    """
    overlaps = W.T @ W
    return overlaps.diagonal() ** 2 / (overlaps**2).sum(dim=1).clamp_min(1e-12)


def train(
    loss_of: Callable = superposition_loss,
    n_features: int = 5,
    directions: int = 2,
    density: float = 0.05,
    decay: float = 0.9,
    steps: int = 3000,
    every: int = 100,
    seed: int = 0,
) -> Iterator[Record]:
    """Train with ``loss_of(W, b, x, importance)`` and yield a ``Record`` every few steps.

    Feature i has the importance  decay^i ; ``density`` is the probability of a feature's presence.

    >>> next(train(directions=3)).W.shape
    torch.Size([3, 5])
    """
    generator = torch.Generator().manual_seed(seed)
    W = nn.Parameter(torch.randn(directions, n_features, generator=generator) / n_features**0.5)
    b = nn.Parameter(torch.zeros(n_features))
    importance = decay ** torch.arange(n_features)
    optimizer = torch.optim.AdamW([W, b], lr=1e-2, weight_decay=0)
    for step in range(steps + 1):
        x = features(BATCH_ROWS, n_features, density, generator)
        with one_thread():
            loss = loss_of(W, b, x, importance)
        if step % every == 0:
            yield Record(step, loss.item(), W.detach().clone(), b.detach().clone())
        with one_thread():
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def features(
    n_rows: int, n_features: int, density: float, generator: torch.Generator
) -> Float[Tensor, "row feature"]:
    """Return rows of features, each present with probability ``density``, then uniform in [0, 1].

    >>> x = features(10_000, 5, 0.3, torch.Generator().manual_seed(0))
    >>> abs((x > 0).float().mean() - 0.3) < 0.02
    tensor(True)
    """
    values = torch.rand(n_rows, n_features, generator=generator)
    return values * (torch.rand(n_rows, n_features, generator=generator) < density)
