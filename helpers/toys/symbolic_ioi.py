"""The smallest indirect object identification: names as symbols, one layer, two heads.

Follows https://arxiv.org/abs/2510.25013. A row is  begin, name, name, S, ask ; the answer is IO.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from helpers.shortformer import ShortformerModel, config, initialise
from helpers.toys import one_thread

NAMES = 40  # tokens 0 to 39 are names
BEGIN, ASK = NAMES, NAMES + 1
BATCH_ROWS, HELD_OUT_ROWS = 128, 512


@dataclass(frozen=True)
class Record:
    """Measurements after ``step`` steps, on held-out rows."""

    step: int
    loss: float  # of the last token, in nats
    accuracy: float  # fraction of rows in which IO is the most likely token


def symbolic_model(n_layers: int = 1, n_heads: int = 2, seed: int = 0) -> ShortformerModel:
    """Return an untrained attention-only model: ``d_model`` 64, ``d_head`` 32, 42 tokens.

    >>> symbolic_model().cfg.n_heads
    2
    """
    sizes = dict(d_head=32, d_model=64, n_ctx=5, d_vocab=NAMES + 2)
    model = ShortformerModel(config(n_layers=n_layers, n_heads=n_heads, **sizes))
    initialise(model, seed, position_directions=8)
    return model


def rows(count: int, generator: torch.Generator) -> tuple[Int[Tensor, "row pos"], Int[Tensor, " row"]]:
    """Return rows  begin, name, name, S, ask  and IO of each: the one of the two that S is not.

    >>> tokens, io = rows(4, torch.Generator().manual_seed(0))
    >>> tokens.shape, (tokens[:, 3] == io).any()
    (torch.Size([4, 5]), tensor(False))
    """
    pair = torch.rand(count, NAMES, generator=generator).topk(2, dim=1).indices
    s_index = torch.randint(2, (count, 1), generator=generator)
    s, io = pair.gather(1, s_index), pair.gather(1, 1 - s_index)[:, 0]
    begin, ask = torch.full((count, 1), BEGIN), torch.full((count, 1), ASK)
    return torch.cat([begin, pair, s, ask], dim=1), io


def train(
    model: ShortformerModel,
    steps: int,
    join_step: int = 0,
    every: int = 50,
    seed: int = 0,
    lr: float = 2e-3,
) -> Iterator[Record]:
    """Train on the answer alone and yield a ``Record`` every few steps.

    All heads but the first write nothing (their W_O is 0) until step ``join_step``. The first
    record precedes the first step; ``every`` is the number of steps between two.

    >>> next(train(symbolic_model(), steps=100)).step
    0
    """
    generator = torch.Generator().manual_seed(seed)
    held_out, held_out_io = rows(HELD_OUT_ROWS, generator)
    W_O = model.layers[0].attn.o.weight  # [d_model head*d_head]
    later_heads = slice(model.cfg.d_head, None)
    initial = W_O[:, later_heads].detach().clone()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=lr)
    for step in range(steps + 1):
        if step <= join_step:
            W_O.data[:, later_heads] = initial if step == join_step else 0
        if step % every == 0:
            yield _measure(model, step, held_out, held_out_io)
        if step < steps:
            with one_thread():
                tokens, io = rows(BATCH_ROWS, generator)
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(tokens)[:, -1], io).backward()
                optimizer.step()


@torch.no_grad()
def _measure(
    model: ShortformerModel, step: int, tokens: Int[Tensor, "row pos"], io: Int[Tensor, " row"]
) -> Record:
    """Loss and accuracy of the answers to ``tokens``."""
    logits = model(tokens)[:, -1]
    accuracy = (logits.argmax(dim=-1) == io).float().mean().item()
    return Record(step, nn.functional.cross_entropy(logits, io).item(), accuracy)
