"""Training of the attention-only models: books, with a few natural spans repeated in half of the sequences.

The recipe is that of a small language model. Two choices matter for the circuits: positions start as sinusoids in a few
directions, longer than the embeddings, so that a head can tell a position from its neighbour early on; and half of the
sequences repeat some of their spans, short and long, so that looking back pays. Both stand in the model card.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from helpers.shortformer import config


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, besides the corpus."""

    n_layers: int
    tokens: int
    n_heads: int = 6
    d_head: int = 64
    d_model: int = 384
    n_ctx: int = 256
    d_vocab: int = 3072
    batch: int = 16
    lr: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    repeated: float = 0.5  # share of the sequences in which spans are copied
    spans: int = 3
    span_lengths: tuple[int, int] = (4, 100)
    position_directions: int = 32
    position_length: float = 2.0  # of a positional embedding, in lengths of a token embedding, at the start
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.tokens // (self.batch * self.n_ctx)

    def config(self):
        return config(
            **{
                name: getattr(self, name)
                for name in ["n_layers", "n_heads", "d_head", "d_model", "n_ctx", "d_vocab"]
            }
        )


def batches(text: Int[Tensor, " token"], recipe: Recipe, bos: int) -> Iterator[Int[Tensor, "batch pos"]]:
    """Endless batches: beginning-of-text, then a random window; in a share of them spans are copied to later places.

    The lengths of the spans are log-uniform, so that short ones are as common as long ones.
    """
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    shortest, longest = recipe.span_lengths

    def random(low: int, high: int, size=(1,)) -> Tensor:
        return torch.randint(low, high, size, generator=generator)

    while True:
        start = random(0, len(text) - recipe.n_ctx, (recipe.batch, 1))
        rows = text[start + torch.arange(recipe.n_ctx - 1)].long()
        rows = F.pad(rows, (1, 0), value=bos)
        for index in (torch.rand(recipe.batch, generator=generator) < recipe.repeated).nonzero():
            row = rows[index.item()]
            for share in torch.rand(recipe.spans, generator=generator).tolist():
                length = round(shortest * (longest / shortest) ** share)
                source = random(1, recipe.n_ctx - 2 * length + 1).item()
                target = random(source + length, recipe.n_ctx - length + 1).item()
                row[target : target + length] = row[source : source + length].clone()
        yield rows
