"""More features than directions: the toy model of superposition (Elhage et al. 2022, https://transformer-circuits.pub/2022/toy_model).

Features x, each in [0, 1] and mostly 0, are squeezed into fewer directions and read out again:  x̂ = ReLU(x Wᵀ W + b) .
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from helpers.toys import one_thread

BATCH = 512


@dataclass(frozen=True)
class Record:
    """The model after ``step`` steps."""

    step: int
    loss: float  # of the batch of that step
    W: Float[Tensor, "direction feature"]
    b: Float[Tensor, " feature"]


def features(
    count: int, number: int, density: float, generator: torch.Generator
) -> Float[Tensor, "row feature"]:
    """Rows of features: each is present with probability ``density``, and then uniform in [0, 1]."""
    values = torch.rand(count, number, generator=generator)
    return values * (torch.rand(count, number, generator=generator) < density)


def superposition_loss(
    W: Float[Tensor, "direction feature"],
    b: Float[Tensor, " feature"],
    x: Float[Tensor, "row feature"],
    importance: Float[Tensor, " feature"],
) -> Float[Tensor, ""]:
    """Square error of  ReLU(x Wᵀ W + b) , weighted by importance, summed over features, averaged over rows."""
    read_out = torch.relu(x @ W.T @ W + b)
    return (importance * (x - read_out) ** 2).sum(dim=1).mean()


def feature_dimensionality(W: Float[Tensor, "direction feature"]) -> Float[Tensor, " feature"]:
    """Share of a direction that each feature has for itself:  D_i = ‖W_i‖⁴ / Σ_j (W_i · W_j)² , 0 for a feature that is not stored.

    1: a direction of its own; ½: shared by two, as antipodes; 2/5: a pentagon in a plane. (Elhage et al. 2022, "Feature dimensionality",
    written there as  ‖W_i‖² / Σ_j (Ŵ_i · W_j)² .)
    """
    overlaps = W.T @ W
    return overlaps.diagonal() ** 2 / (overlaps**2).sum(dim=1).clamp_min(1e-12)


def train(
    loss_of: Callable = superposition_loss,
    number: int = 5,
    directions: int = 2,
    density: float = 0.05,
    decay: float = 0.9,
    steps: int = 3000,
    every: int = 100,
    seed: int = 0,
) -> Iterator[Record]:
    """Train with ``loss_of(W, b, x, importance)``, yielding a ``Record`` every ``every`` steps. Feature i has the importance  decay^i ."""
    generator = torch.Generator().manual_seed(seed)
    W = nn.Parameter(torch.randn(directions, number, generator=generator) / number**0.5)
    b = nn.Parameter(torch.zeros(number))
    importance = decay ** torch.arange(number)
    optimizer = torch.optim.AdamW([W, b], lr=1e-2, weight_decay=0)
    for step in range(steps + 1):
        x = features(BATCH, number, density, generator)
        with one_thread():
            loss = loss_of(W, b, x, importance)
        if step % every == 0:
            yield Record(step, loss.item(), W.detach().clone(), b.detach().clone())
        with one_thread():
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
