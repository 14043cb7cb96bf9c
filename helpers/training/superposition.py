"""More features than directions: the toy model of superposition (Elhage et al. 2022, https://transformer-circuits.pub/2022/toy_model).

Features x, each in [0, 1] and mostly 0, are squeezed into fewer directions and read out again:  x̂ = ReLU(x Wᵀ W + b) .
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from helpers.training.live import one_thread

BATCH = 512


@dataclass(frozen=True)
class Record:
    """The model after ``step`` steps."""

    step: int
    loss: float  # importance-weighted mean square error, summed over features
    W: Float[Tensor, "direction feature"]


def features(
    count: int, number: int, density: float, generator: torch.Generator
) -> Float[Tensor, "row feature"]:
    """Rows of features: each is present with probability ``density``, and then uniform in [0, 1]."""
    values = torch.rand(count, number, generator=generator)
    return values * (torch.rand(count, number, generator=generator) < density)


def train(
    number: int = 5,
    directions: int = 2,
    density: float = 0.05,
    decay: float = 0.9,
    steps: int = 3000,
    every: int = 100,
    seed: int = 0,
) -> Iterator[Record]:
    """Train, yielding a ``Record`` every ``every`` steps. Feature i has the importance  decay^i ."""
    generator = torch.Generator().manual_seed(seed)
    W = nn.Parameter(torch.randn(directions, number, generator=generator) / number**0.5)
    b = nn.Parameter(torch.zeros(number))
    importance = decay ** torch.arange(number)
    optimizer = torch.optim.AdamW([W, b], lr=1e-2, weight_decay=0)
    for step in range(steps + 1):
        x = features(BATCH, number, density, generator)
        with one_thread():
            loss = (importance * (x - torch.relu(x @ W.T @ W + b)) ** 2).sum(dim=1).mean()
            if step % every == 0:
                yield Record(step, loss.item(), W.detach().clone())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
