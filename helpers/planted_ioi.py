"""A transformer written by hand that solves IOI with the circuit of Wang et al. 2022, figure 2.

Five jobs and a backup: previous-token head 0.1, duplicate-token head 0.2, induction head 1.0,
S-inhibition heads 2.0 and 2.1, which carry *positions*, name movers 3.0 and 3.1, and the backup
name mover 4.0. The other heads write where no head reads. As in ``planted.py`` each head reads and
writes whole subspaces of the residual stream, so every edge is known.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.planted import (
    BOS,
    HeadWeights,
    Layout,
    current_token_head,
    duplicate_token_head,
    empty_head,
    first_token_head,
    planted_model,
    previous_token_head,
)

N_NAMES, N_WORDS = 12, 9
NAME_TOKENS = range(BOS + 1, BOS + 1 + N_NAMES)  # other words follow them
WORD_TOKENS = range(NAME_TOKENS.stop, NAME_TOKENS.stop + N_WORDS)
END = WORD_TOKENS.stop  # the last token of a prompt, "to", which asks for a name
REST = 0.5  # score of the first token beside 1, the score of a match: heads without a match rest there
INHIBITION = 0.4  # how far one S-inhibition head lowers the score of a name, for each pointer to it
BACKUP = 1.5  # how much the name movers' output raises the score at which the backup rests


@dataclass(frozen=True)
class IoiLayout(Layout):
    """Layout with subspaces for a pointer to S1, and for the positions that are inhibited.

    >>> layout = IoiLayout()
    >>> layout.d_model, layout.d_head
    (134, 38)
    """

    d_vocab: int = END + 1
    n_ctx: int = 14
    sharpness: int | float = 6

    @property
    def pointer(self) -> slice:
        return slice(self.scratch.stop, self.scratch.stop + self.n_ctx)

    @property
    def inhibited(self) -> slice:
        return slice(self.pointer.stop, self.pointer.stop + self.n_ctx)

    @property
    def d_model(self) -> int:
        return self.inhibited.stop

    @property
    def d_head(self) -> int:
        return self.d_vocab + self.n_ctx + 1  # the last dimension: where a head rests

    @property
    def by_position(self) -> slice:
        """Dimensions of a head for positions, after those for tokens."""
        return slice(self.d_vocab, self.d_vocab + self.n_ctx)


def _resting(layout: IoiLayout) -> HeadWeights:
    """Head in which each query gives the first token the score ``REST`` × sharpness."""
    head = empty_head(layout)
    head.W_Q[layout.token, -1] = layout.strength
    head.W_K[BOS, -1] = REST
    return head


def _positions(layout: IoiLayout, shift: int = 0) -> Tensor:
    """Map from position j to position j - shift; nothing comes from or goes to position 0."""
    shifted = torch.eye(layout.n_ctx).roll(-shift, dims=1)
    shifted[: shift + 1] = 0
    return shifted


def duplicate_head(layout: IoiLayout) -> HeadWeights:
    """Head in which a name attends to its earlier copy, whose position goes to ``pointer``.

    >>> duplicate_head(IoiLayout()).W_V.nonzero()[0]  # no pointer to position 0
    tensor([24, 24])
    """
    head, names, by_position = (
        _resting(layout),
        torch.eye(layout.d_vocab)[list(NAME_TOKENS)],
        layout.by_position,
    )
    head.W_Q[list(NAME_TOKENS), : layout.d_vocab] = layout.strength * names
    head.W_K[list(NAME_TOKENS), : layout.d_vocab] = names
    head.W_Q[layout.position, by_position] = -2 * layout.strength * torch.eye(layout.n_ctx)  # not itself
    head.W_K[layout.position, by_position] = torch.eye(layout.n_ctx)
    head.W_V[layout.position, by_position] = _positions(layout)
    head.W_O[by_position, layout.pointer] = torch.eye(layout.n_ctx)
    return head


def induction_head(layout: IoiLayout) -> HeadWeights:
    """Head in which a name attends to the token after its copy, and points to the copy.

    >>> induction_head(IoiLayout()).W_V.nonzero()[0]  # position 2 stands for position 1
    tensor([25, 24])
    """
    head, names = _resting(layout), torch.eye(layout.d_vocab)[list(NAME_TOKENS)]
    head.W_Q[list(NAME_TOKENS), : layout.d_vocab] = layout.strength * names
    head.W_K[layout.previous, : layout.d_vocab][list(NAME_TOKENS)] = names
    head.W_V[layout.position, layout.by_position] = _positions(layout, shift=1)
    head.W_O[layout.by_position, layout.pointer] = torch.eye(layout.n_ctx)
    return head


def s_inhibition_head(layout: IoiLayout) -> HeadWeights:
    """Head of END that attends to tokens with a pointer and moves both positions to ``inhibited``.

    >>> s_inhibition_head(IoiLayout()).W_Q[:, 0].nonzero()  # the query is that of END
    tensor([[22]])
    """
    head, positions = _resting(layout), torch.eye(layout.n_ctx)
    head.W_Q[END, 0] = layout.strength
    head.W_K[layout.pointer, 0] = 1
    head.W_V[layout.pointer, layout.by_position] = positions
    head.W_V[layout.position, layout.by_position] = _positions(layout)
    head.W_O[layout.by_position, layout.inhibited] = INHIBITION * positions
    return head


def name_mover(layout: IoiLayout, backup: bool = False) -> HeadWeights:
    """Head of END that attends to names at positions that are not inhibited, and copies the name.

    A backup rests if earlier heads have written a name to ``output``.

    >>> name_mover(IoiLayout()).W_K[:, 0].nonzero().flatten()  # keys: the names
    tensor([ 1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12])
    """
    head, names = _resting(layout), torch.eye(layout.d_vocab)[list(NAME_TOKENS)]
    head.W_Q[END, 0] = layout.strength
    head.W_K[list(NAME_TOKENS), 0] = 1
    head.W_Q[layout.inhibited, layout.by_position] = -layout.strength * torch.eye(layout.n_ctx)
    head.W_K[layout.position, layout.by_position] = torch.eye(layout.n_ctx)
    head.W_V[list(NAME_TOKENS), : layout.d_vocab] = names
    head.W_O[: layout.d_vocab, layout.output][list(NAME_TOKENS)] = names
    if backup:
        head.W_Q[layout.output, -1] = BACKUP * layout.strength
    return head


def ioi_model(layout: IoiLayout | None = None) -> TransformerBridge:
    """Return the circuit among heads that write to ``scratch``: five layers of three heads.

    >>> prompts = ioi_prompts(50)
    >>> logits = ioi_model()(prompts.tokens)[:, -1]
    >>> (logits.gather(1, prompts.io[:, None]) > logits.gather(1, prompts.s[:, None])).all()
    tensor(True)
    """
    layout = layout or IoiLayout()
    idle_mover = name_mover(layout)  # attends as a name mover does
    idle_mover.W_O[: layout.d_vocab] = torch.zeros(layout.d_vocab, layout.d_model)
    idle_mover.W_O[: layout.d_vocab, layout.scratch] = torch.eye(layout.d_vocab)
    current, first = current_token_head(layout), first_token_head(layout)
    heads = [
        [current, previous_token_head(layout), duplicate_head(layout)],
        [induction_head(layout), duplicate_token_head(layout), first],
        [s_inhibition_head(layout), s_inhibition_head(layout), current],
        [name_mover(layout), name_mover(layout), idle_mover],
        [name_mover(layout, backup=True), current, first],
    ]
    return planted_model(layout, heads, positions_in_stream=True)


class PlantedPrompts(NamedTuple):
    """Prompts for ``ioi_model``; corrupted ones have three other names at the same positions."""

    tokens: Int[Tensor, "prompt pos"]
    corrupted: Int[Tensor, "prompt pos"]
    io: Int[Tensor, " prompt"]  # the indirect object, the right answer
    s: Int[Tensor, " prompt"]  # the subject


def ioi_prompts(count: int, seed: int = 0) -> PlantedPrompts:
    """Return ``count`` prompts  first … … name … name … name … "to" : ABBA and BABA in turn.

    Names stand at random positions, the first two at least two positions apart.

    >>> prompts = ioi_prompts(2)
    >>> [row[row.lt(WORD_TOKENS.start)].tolist() for row in prompts.tokens]  # ABBA, BABA
    [[0, 10, 11, 11], [0, 10, 5, 10]]
    """
    generator = torch.Generator().manual_seed(seed)
    length = IoiLayout().n_ctx
    tokens = torch.randint(WORD_TOKENS.start, WORD_TOKENS.stop, (count, length), generator=generator)
    tokens[:, 0], tokens[:, -1] = BOS, END
    corrupted = tokens.clone()
    names = (
        torch.stack([torch.randperm(N_NAMES, generator=generator)[:5] for _ in range(count)])
        + NAME_TOKENS.start
    )
    for i, (a, b, *others) in enumerate(names.tolist()):
        places = (torch.randperm(length - 4, generator=generator)[:3].sort().values + 1).tolist()
        places = [places[0], places[1] + 1, places[2] + 1]  # a word after the first name
        tokens[i, places] = torch.tensor([a, b, b] if i % 2 == 0 else [b, a, b])
        corrupted[i, places] = torch.tensor([*others])
    return PlantedPrompts(tokens, corrupted, names[:, 0], names[:, 1])
