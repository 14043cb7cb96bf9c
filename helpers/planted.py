"""A transformer written by hand: an induction circuit whose weights and scores are known exactly.

The residual stream has subspaces that do not overlap: the token, its position, the token before it,
the prediction, and scratch that no head reads. Embeddings are one-hot, so a weight matrix reads
like a switchboard. Attention scores differ by 100, so attention is 0 or 1 to float precision.
The circuit is that of Elhage et al. 2021, "Induction heads".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources.native.model import NativeModel

from helpers.shortformer import ShortformerModel, config, wrap

SHARPNESS = 100.0  # attention score of the matching key minus that of every other key
LOGIT_SCALE = 20.0  # of a predicted token
BOS = 0


@dataclass(frozen=True)
class Layout:
    """Subspaces of the residual stream: slices of its ``d_model`` axes.

    >>> layout = Layout(d_vocab=3, n_ctx=5)
    >>> layout.token, layout.position, layout.d_model
    (slice(0, 3, None), slice(3, 8, None), 17)
    """

    d_vocab: int
    n_ctx: int
    sharpness: int | float = SHARPNESS

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
        return self.d_vocab + self.n_ctx  # one dimension for each token and each position

    @property
    def strength(self) -> int | float:
        """Factor of a query after which a match scores ``sharpness``, divided by √d_head."""
        return self.sharpness * sqrt(self.d_head)


class HeadWeights(NamedTuple):
    """Weights of one head. A plain tuple or list of the same four matrices serves as well."""

    W_Q: Float[Tensor, "d_model d_head"]
    W_K: Float[Tensor, "d_model d_head"]
    W_V: Float[Tensor, "d_model d_head"]
    W_O: Float[Tensor, "d_head d_model"]


def empty_head(layout: Layout) -> HeadWeights:
    """Return four matrices of zeros, to be filled in.

    >>> [list(weight.shape) for weight in empty_head(Layout(d_vocab=3, n_ctx=5))]
    [[17, 8], [17, 8], [17, 8], [8, 17]]
    """
    W_Q, W_K, W_V = torch.zeros(3, layout.d_model, layout.d_head)
    return HeadWeights(W_Q, W_K, W_V, torch.zeros(layout.d_head, layout.d_model))


def previous_token_head(layout: Layout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Head in which query i matches key i - 1, and which writes its token to ``previous``.

    >>> W_Q, W_K, W_V, W_O = previous_token_head(Layout(d_vocab=3, n_ctx=5))
    >>> W_K[3:8, :5].argmax(dim=1)  # position j as a key matches the query of position j + 1
    tensor([1, 2, 3, 4, 0])
    """
    W_Q, W_K, W_V, W_O = empty_head(layout)
    n_ctx, d_vocab = layout.n_ctx, layout.d_vocab
    W_Q[layout.position, :n_ctx] = layout.strength * torch.eye(n_ctx)
    W_K[layout.position, :n_ctx] = torch.eye(n_ctx).roll(1, dims=1)  # position j says j + 1
    W_V[layout.token, :d_vocab] = torch.eye(d_vocab)
    W_O[:d_vocab, layout.previous] = torch.eye(d_vocab)
    return W_Q, W_K, W_V, W_O


def induction_head(layout: Layout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Head in which a query's token matches the token *before* the key; writes to ``output``.

    >>> W_Q, W_K, W_V, W_O = induction_head(Layout(d_vocab=3, n_ctx=5))
    >>> W_K.nonzero()[:, 0]  # the axes that keys read: those of ``previous``
    tensor([ 8,  9, 10])
    """
    W_Q, W_K, W_V, W_O = empty_head(layout)
    tokens = torch.eye(layout.d_vocab)
    W_Q[layout.token, : layout.d_vocab] = layout.strength * tokens
    W_K[layout.previous, : layout.d_vocab] = tokens
    W_V[layout.token, : layout.d_vocab] = tokens
    W_O[: layout.d_vocab, layout.output] = tokens
    return W_Q, W_K, W_V, W_O


def current_token_head(layout: Layout) -> HeadWeights:
    """Decoy: every position attends to itself.

    >>> current_token_head(Layout(d_vocab=3, n_ctx=5)).W_K[3:8].argmax(dim=1)
    tensor([0, 1, 2, 3, 4])
    """
    head = _decoy(layout)
    head.W_Q[layout.position, : layout.n_ctx] = layout.strength * torch.eye(layout.n_ctx)
    head.W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)
    return head


def _decoy(layout: Layout) -> HeadWeights:
    """Return a head that writes the token to ``scratch``, which no head reads."""
    head = empty_head(layout)
    head.W_V[layout.token, : layout.d_vocab] = torch.eye(layout.d_vocab)
    head.W_O[: layout.d_vocab, layout.scratch] = torch.eye(layout.d_vocab)
    return head


def first_token_head(layout: Layout) -> HeadWeights:
    """Decoy: every position attends to position 0.

    >>> first_token_head(Layout(d_vocab=3, n_ctx=5)).W_K.nonzero()
    tensor([[3, 0]])
    """
    head = _decoy(layout)
    head.W_Q[layout.position, 0] = layout.strength
    head.W_K[layout.position.start, 0] = 1
    return head


def duplicate_token_head(layout: Layout) -> HeadWeights:
    """Decoy: a query attends to earlier copies of its token, or equally to all if there are none.

    >>> duplicate_token_head(Layout(d_vocab=3, n_ctx=5)).W_K.nonzero()[:, 1]
    tensor([0, 1, 2, 3, 4, 5, 6, 7])
    """
    head = _decoy(layout)
    d_vocab = layout.d_vocab
    by_position = slice(d_vocab, d_vocab + layout.n_ctx)
    head.W_Q[layout.token, :d_vocab] = layout.strength * torch.eye(d_vocab)
    head.W_K[layout.token, :d_vocab] = torch.eye(d_vocab)
    # a position does not match itself
    head.W_Q[layout.position, by_position] = -layout.strength * torch.eye(layout.n_ctx)
    head.W_K[layout.position, by_position] = torch.eye(layout.n_ctx)
    return head


def planted_model(
    layout: Layout, heads: Sequence[Sequence[Sequence[Tensor]]], positions_in_stream: bool = False
) -> TransformerBridge:
    """Return an attention-only model with these heads, layer by layer, the same number in each.

    Logits are ``LOGIT_SCALE`` × the subspace ``output``. Positions are added to what Q and K read;
    with ``positions_in_stream``, to the residual stream, where V reads them, too. Raises
    ``ValueError`` for uneven layers.

    >>> layout = Layout(d_vocab=3, n_ctx=5)
    >>> planted_model(layout, [[first_token_head(layout)]]).W_Q.shape
    torch.Size([1, 1, 17, 8])
    """
    counts = [len(layer) for layer in heads]
    if len(set(counts)) != 1:
        raise ValueError(f"expected the same number of heads in every layer, got {counts}: add a decoy.")
    sizes = dict(n_layers=len(heads), n_heads=counts[0], d_model=layout.d_model, d_head=layout.d_head)
    kind = NativeModel if positions_in_stream else ShortformerModel
    model = kind(config(**sizes, n_ctx=layout.n_ctx, d_vocab=layout.d_vocab))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.tok_embed.weight[:, layout.token] = torch.eye(layout.d_vocab)
        model.pos.weight[:, layout.position] = torch.eye(layout.n_ctx)
        model.head.weight[:, layout.output] = LOGIT_SCALE * torch.eye(layout.d_vocab)
        for block, layer in zip(model.layers, heads):
            W_Q, W_K, W_V, W_O = (torch.stack(weights) for weights in zip(*layer))  # [head ...]
            for linear, weight in [(block.attn.q, W_Q), (block.attn.k, W_K), (block.attn.v, W_V)]:
                linear.weight.copy_(weight.transpose(1, 2).flatten(0, 1))
            block.attn.o.weight.copy_(W_O.flatten(0, 1).T)
    return wrap(model, None, "planted")


def induction_model(layout: Layout) -> TransformerBridge:
    """Return the circuit among decoys: 0.1 is the previous-token head, 1.2 the induction head.

    >>> model = induction_model(Layout(d_vocab=5, n_ctx=9))
    >>> model(torch.tensor([[BOS, 3, 1, 4, 3]]))[0, -1].argmax()  # 3 was followed by 1
    tensor(1)
    """
    first = [current_token_head(layout), previous_token_head(layout), first_token_head(layout)]
    second = [first_token_head(layout), duplicate_token_head(layout), induction_head(layout)]
    return planted_model(layout, [first, second])


def distinct_repeated(
    layout: Layout, length: int, batch: int, generator: torch.Generator
) -> Int[Tensor, "batch pos"]:
    """Return beginning-of-text, ``length`` different tokens in random order, and the same again.

    Raises ``ValueError`` for a length that the vocabulary or the context does not allow.

    >>> distinct_repeated(Layout(d_vocab=5, n_ctx=9), 4, 2, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 9])
    """
    if length >= layout.d_vocab or 2 * length + 1 > layout.n_ctx:
        raise ValueError(
            f"expected a length below {layout.d_vocab}, the size of the vocabulary, and two copies "
            f"with 1 + 2 length ≤ {layout.n_ctx} tokens, got {length}: take a shorter length."
        )
    copy = torch.stack(
        [1 + torch.randperm(layout.d_vocab - 1, generator=generator)[:length] for _ in range(batch)]
    )
    return torch.cat([torch.full((batch, 1), BOS), copy, copy], dim=1)


def attend(
    head: Sequence[Tensor], x: Float[Tensor, "pos d_model"], p: Float[Tensor, "pos d_model"]
) -> tuple[Float[Tensor, "pos pos"], Float[Tensor, "pos d_model"]]:
    """Return pattern and output of one head that reads ``x + p`` at Q and K and ``x`` at V.

    >>> layout = Layout(d_vocab=3, n_ctx=5)
    >>> x, p = torch.zeros(2, 5, layout.d_model)
    >>> p[:, layout.position] = torch.eye(5)
    >>> attend(previous_token_head(layout), x, p)[0].argmax(dim=1)
    tensor([0, 0, 1, 2, 3])
    """
    W_Q, W_K, W_V, W_O = head
    scores = (x + p) @ W_Q @ ((x + p) @ W_K).T / sqrt(W_Q.shape[1])
    future = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    return pattern, pattern @ x @ W_V @ W_O
