"""A transformer written by hand: an induction circuit whose every weight, pattern and score is known.

The stream has rooms that do not overlap: what a token is, where it stands, which token stood before it, what is to be
predicted, and scratch that nobody reads. Embeddings are one-hot, so a weight matrix can be read like a switchboard. Softmax
is fed differences of 100, so attention is 0 or 1 to float precision. The circuit is that of Elhage et al. 2021.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.shortformer import ShortformerModel, config, wrap

HeadWeights = tuple[Tensor, Tensor, Tensor, Tensor]  # W_Q W_K W_V [d_model d_head], W_O [d_head d_model]
SHARPNESS = 100.0  # difference of attention scores between the key that is meant and every other
BOS = 0


@dataclass(frozen=True)
class Layout:
    """Where things lie in the residual stream: slices of its ``d_model`` axes."""

    d_vocab: int
    n_ctx: int

    @property
    def token(self) -> slice:
        return slice(0, self.d_vocab)

    @property
    def position(self) -> slice:
        return slice(self.d_vocab, self.d_vocab + self.n_ctx)

    @property
    def previous(self) -> slice:
        return slice(self.position.stop, self.position.stop + self.d_vocab)

    @property
    def output(self) -> slice:
        return slice(self.previous.stop, self.previous.stop + self.d_vocab)

    @property
    def scratch(self) -> slice:
        return slice(self.output.stop, self.output.stop + self.d_vocab)

    @property
    def d_model(self) -> int:
        return self.scratch.stop

    @property
    def d_head(self) -> int:
        return self.d_vocab + self.n_ctx  # room for a token and a position

    @property
    def strength(self) -> float:
        """What a query is multiplied by, so that a match scores ``SHARPNESS`` after the division by √d_head."""
        return SHARPNESS * sqrt(self.d_head)


def empty_head(layout: Layout) -> HeadWeights:
    """Four matrices of zeros."""
    W_Q, W_K, W_V = torch.zeros(3, layout.d_model, layout.d_head)
    return W_Q, W_K, W_V, torch.zeros(layout.d_head, layout.d_model)


def previous_token_head(layout: Layout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Query i meets key i - 1, by position; what is carried is the token, into the room ``previous``."""
    W_Q, W_K, W_V, W_O = empty_head(layout)
    n_ctx, d_vocab = layout.n_ctx, layout.d_vocab
    W_Q[layout.position, :n_ctx] = layout.strength * torch.eye(n_ctx)
    W_K[layout.position, :n_ctx] = torch.eye(n_ctx).roll(1, dims=1)  # position j says j + 1
    W_V[layout.token, :d_vocab] = torch.eye(d_vocab)
    W_O[:d_vocab, layout.previous] = torch.eye(d_vocab)
    return W_Q, W_K, W_V, W_O


def induction_head(layout: Layout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The query's token meets keys by the token *before* them; what is carried is the key's token, into ``output``."""
    W_Q, W_K, W_V, W_O = empty_head(layout)
    tokens = torch.eye(layout.d_vocab)
    W_Q[layout.token, : layout.d_vocab] = layout.strength * tokens
    W_K[layout.previous, : layout.d_vocab] = tokens
    W_V[layout.token, : layout.d_vocab] = tokens
    W_O[: layout.d_vocab, layout.output] = tokens
    return W_Q, W_K, W_V, W_O


def _to_scratch(layout: Layout, W_Q: Tensor, W_K: Tensor) -> HeadWeights:
    """A decoy: it attends, and stores the token where nobody reads."""
    _, _, W_V, W_O = empty_head(layout)
    W_V[layout.token, : layout.d_vocab] = torch.eye(layout.d_vocab)
    W_O[: layout.d_vocab, layout.scratch] = torch.eye(layout.d_vocab)
    return W_Q, W_K, W_V, W_O


def current_token_head(layout: Layout) -> HeadWeights:
    """Decoy: every position attends to itself."""
    W_Q, W_K, _, _ = empty_head(layout)
    W_Q[layout.position, : layout.n_ctx] = layout.strength * torch.eye(layout.n_ctx)
    W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)
    return _to_scratch(layout, W_Q, W_K)


def first_token_head(layout: Layout) -> HeadWeights:
    """Decoy: every position attends to position 0."""
    W_Q, W_K, _, _ = empty_head(layout)
    W_Q[layout.position, 0] = layout.strength
    W_K[layout.position.start, 0] = 1
    return _to_scratch(layout, W_Q, W_K)


def duplicate_token_head(layout: Layout) -> HeadWeights:
    """Decoy: a query attends to earlier positions with its own token; to all alike where there is none."""
    W_Q, W_K, _, _ = empty_head(layout)
    d_vocab, d_head = layout.d_vocab, layout.d_head
    W_Q[layout.token, :d_vocab] = layout.strength * torch.eye(d_vocab)
    W_K[layout.token, :d_vocab] = torch.eye(d_vocab)
    W_Q[layout.position, d_vocab:d_head] = -layout.strength * torch.eye(layout.n_ctx)  # but not to itself
    W_K[layout.position, d_vocab:d_head] = torch.eye(layout.n_ctx)
    return _to_scratch(layout, W_Q, W_K)


def planted_model(layout: Layout, heads: list[list[HeadWeights]]) -> TransformerBridge:
    """An attention-only model with these heads, layer by layer; as many in each layer. Logits are 20 × the room ``output``."""
    if len({len(layer) for layer in heads}) != 1:
        raise ValueError(
            f"expected as many heads in every layer, got {[len(layer) for layer in heads]}: add a decoy"
        )
    sizes = dict(n_layers=len(heads), n_heads=len(heads[0]), d_model=layout.d_model, d_head=layout.d_head)
    model = ShortformerModel(config(**sizes, n_ctx=layout.n_ctx, d_vocab=layout.d_vocab))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.tok_embed.weight[:, layout.token] = torch.eye(layout.d_vocab)
        model.pos.weight[:, layout.position] = torch.eye(layout.n_ctx)
        model.head.weight[:, layout.output] = 20 * torch.eye(layout.d_vocab)
        for block, layer in zip(model.layers, heads):
            W_Q, W_K, W_V, W_O = (torch.stack(weights) for weights in zip(*layer))  # [head ...]
            for linear, weight in [(block.attn.q, W_Q), (block.attn.k, W_K), (block.attn.v, W_V)]:
                linear.weight.copy_(weight.transpose(1, 2).flatten(0, 1))
            block.attn.o.weight.copy_(W_O.flatten(0, 1).T)
    return wrap(model, None, "planted")


def induction_model(layout: Layout) -> TransformerBridge:
    """The whole circuit among decoys: 0.1 is the previous-token head, 1.2 the induction head."""
    first = [current_token_head(layout), previous_token_head(layout), first_token_head(layout)]
    second = [first_token_head(layout), duplicate_token_head(layout), induction_head(layout)]
    return planted_model(layout, [first, second])


def distinct_repeated(
    layout: Layout, length: int, batch: int, generator: torch.Generator
) -> Int[Tensor, "batch pos"]:
    """Beginning-of-text, ``length`` different tokens in random order, and the same again."""
    if length >= layout.d_vocab or 2 * length + 1 > layout.n_ctx:
        raise ValueError(
            f"expected a length below {layout.d_vocab} (tokens other than beginning-of-text) with 1 + 2 length ≤ {layout.n_ctx}, got {length}"
        )
    half = torch.stack(
        [1 + torch.randperm(layout.d_vocab - 1, generator=generator)[:length] for _ in range(batch)]
    )
    return torch.cat([torch.full((batch, 1), BOS), half, half], dim=1)


def attend(
    head: HeadWeights, x: Float[Tensor, "pos d_model"], p: Float[Tensor, "pos d_model"]
) -> tuple[Tensor, Tensor]:
    """Pattern and store of one head that reads ``x + p`` at Q and K and ``x`` at V."""
    W_Q, W_K, W_V, W_O = head
    scores = (x + p) @ W_Q @ ((x + p) @ W_K).T / sqrt(W_Q.shape[1])
    future = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    return pattern, pattern @ x @ W_V @ W_O
