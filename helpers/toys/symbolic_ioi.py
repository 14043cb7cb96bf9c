"""The smallest indirect object identification: names as symbols, one layer, two heads (https://arxiv.org/abs/2510.25013)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from helpers.shortformer import ShortformerModel, config, initialise
from helpers.toys import one_thread

NAMES, BATCH = 40, 128  # tokens 0 to 39 are names, 40 begins a row and 41 asks
BEGIN, ASK = NAMES, NAMES + 1


@dataclass(frozen=True)
class Record:
    """What was measured after ``step`` steps, on rows of their own."""

    step: int
    loss: float  # nats, of the name at the end
    accuracy: float  # share of rows in which IO is the most likely token


def rows(count: int, generator: torch.Generator) -> tuple[Int[Tensor, "row pos"], Int[Tensor, " row"]]:
    """Rows  begin, name, name, S, ask  and the name that is due at the end: the one of the two that S is not."""
    pair = torch.rand(count, NAMES, generator=generator).topk(2, dim=1).indices
    acts = torch.randint(2, (count, 1), generator=generator)
    begin, ask = torch.full((2, count, 1), BEGIN) + torch.tensor([0, 1])[:, None, None]
    return torch.cat([begin, pair, pair.gather(1, acts), ask], dim=1), pair.gather(1, 1 - acts)[:, 0]


def symbolic_model(n_layers: int = 1, n_heads: int = 2, seed: int = 0) -> ShortformerModel:
    """An untrained attention-only model: ``d_model`` 64."""
    sizes = dict(n_layers=n_layers, n_heads=n_heads, d_head=32, d_model=64, n_ctx=5, d_vocab=NAMES + 2)
    model = ShortformerModel(config(**sizes))
    initialise(model, seed, position_directions=8)
    return model


def train(
    model: ShortformerModel, steps: int, joins: int = 0, every: int = 50, seed: int = 0, lr: float = 2e-3
) -> Iterator[Record]:
    """Train on the name at the end, yielding a ``Record`` every ``every`` steps, the first before any.

    All heads but the first are silent (their W_O is 0) until step ``joins``.
    """
    generator = torch.Generator().manual_seed(seed)
    held_out, due = rows(512, generator)
    W_O = model.layers[0].attn.o.weight  # [d_model head*d_head]
    later = slice(model.cfg.d_head, None)
    start = W_O[:, later].detach().clone()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=lr)
    for step in range(steps + 1):
        if step <= joins:
            W_O.data[:, later] = start if step == joins else 0
        if step % every == 0:
            with torch.no_grad():
                logits = model(held_out)[:, -1]
            hit = (logits.argmax(dim=-1) == due).float().mean().item()
            yield Record(step, F.cross_entropy(logits, due).item(), hit)
        if step < steps:
            with one_thread():
                tokens, io = rows(BATCH, generator)
                optimizer.zero_grad()
                F.cross_entropy(model(tokens)[:, -1], io).backward()
                optimizer.step()
