"""The graph of a transformer: components that write to the residual stream, and what reads them.

A sender is the embedding, a head or an MLP. A receiver is one port of a head ("q", "k" or "v"), an
MLP, or the logits. An edge goes from a sender to every receiver that comes after it, because the
residual stream adds up all that was written before (Elhage et al. 2021). Edges of all positions
count as one, as in Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit
Discovery".
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Component

EMBEDDING = Component("embedding")
LOGITS = Component("logits")


class Receiver(NamedTuple):
    """A place where a component reads the residual stream: a head's port, an MLP, the logits.

    >>> print(Receiver(Component("head", 1, 2), "k"), Receiver(LOGITS), sep=", ")
    1.2.k, logits
    """

    component: Component
    port: str = ""

    def __str__(self) -> str:
        return f"{self.component}.{self.port}" if self.port else str(self.component)


class Edge(NamedTuple):
    """What one receiver reads of one sender.

    >>> print(Edge(EMBEDDING, Receiver(Component("head", 0, 1), "v")))
    embedding → 0.1.v
    """

    sender: Component
    receiver: Receiver

    def __str__(self) -> str:
        return f"{self.sender} → {self.receiver}"


class Graph:
    """Senders, receivers and edges of a model, as rows and columns of a matrix.

    ``senders`` and ``receivers`` stand in the order of the computation. Receiver j reads the first
    ``n_upstream[j]`` senders; ``exists[i, j]`` is True for an edge. In a block whose attention and
    MLP run in parallel, the MLP reads no head of its own layer.

    >>> from helpers.models import load_model
    >>> graph = Graph(load_model("attn-only-2l"))
    >>> len(graph.senders), len(graph.receivers), graph.exists.sum()
    (13, 37, tensor(157))
    """

    def __init__(self, model: TransformerBridge):
        cfg = model.cfg
        parallel = bool(getattr(cfg, "parallel_attn_mlp", False))
        self.senders: list[Component] = [EMBEDDING]
        self.receivers: list[Receiver] = []
        self.n_upstream: list[int] = []
        for layer in range(cfg.n_layers):
            heads = [Component("head", layer, head) for head in range(cfg.n_heads)]
            self._add_receivers([Receiver(head, port) for port in PORTS for head in heads])
            mlp = [Component("mlp", layer)] if hasattr(model.blocks[layer], "mlp") else []
            self.senders += [] if parallel else heads
            self._add_receivers([Receiver(component) for component in mlp])
            self.senders += [*(heads if parallel else []), *mlp]
        self._add_receivers([Receiver(LOGITS)])
        upstream = torch.tensor(self.n_upstream)
        self.columns: dict[tuple[int | None, str], list[int]] = {}  # (layer, port or "mlp" or "logits")
        for j, (part, port) in enumerate(self.receivers):
            self.columns.setdefault((part.layer, port or part.kind), []).append(j)
        self.exists: Bool[Tensor, "sender receiver"] = torch.arange(len(self.senders))[:, None] < upstream

    def _add_receivers(self, receivers: Sequence[Receiver]) -> None:
        self.receivers += receivers
        self.n_upstream += [len(self.senders)] * len(receivers)

    def edge(self, sender: int, receiver: int) -> Edge:
        """The edge of a row and a column."""
        return Edge(self.senders[sender], self.receivers[receiver])

    def edges(self, mask: Bool[Tensor, "sender receiver"] | None = None) -> list[Edge]:
        """Edges of a mask, row by row; without a mask, all edges."""
        return [self.edge(*place) for place in (self.exists if mask is None else mask).nonzero().tolist()]

    def mask(self, edges: Iterable[Edge]) -> Bool[Tensor, "sender receiver"]:
        """Mask of some edges. Raises ``ValueError`` for an edge that the model lacks.

        >>> from helpers.models import load_model
        >>> graph = Graph(load_model("attn-only-1l"))
        >>> graph.mask([Edge(EMBEDDING, Receiver(LOGITS))]).nonzero()
        tensor([[ 0, 18]])
        """
        mask = torch.zeros_like(self.exists)
        for edge in edges:
            if edge not in self:
                raise ValueError(
                    f"expected an edge of this model, from an earlier part to a later, got {edge}."
                )
            mask[self.senders.index(edge.sender), self.receivers.index(edge.receiver)] = True
        return mask

    def __contains__(self, edge: Edge) -> bool:
        known = edge.sender in self.senders and edge.receiver in self.receivers
        return known and bool(
            self.exists[self.senders.index(edge.sender), self.receivers.index(edge.receiver)]
        )

    def on_a_path(self, mask: Bool[Tensor, "sender receiver"]) -> Bool[Tensor, "sender receiver"]:
        """Edges of a mask that lie on a path of its edges from the embedding to the logits.

        >>> from helpers.models import load_model
        >>> graph = Graph(load_model("attn-only-1l"))
        >>> into_head = Edge(EMBEDDING, Receiver(Component("head", 0, 3), "v"))
        >>> graph.on_a_path(graph.mask([into_head])).any()  # the head's output goes nowhere
        tensor(False)
        """
        owner = [receiver.component for receiver in self.receivers]
        columns = {part: [j for j, name in enumerate(owner) if name == part] for part in dict.fromkeys(owner)}
        from_embedding = torch.tensor([sender == EMBEDDING for sender in self.senders])
        for i, sender in enumerate(self.senders[1:], start=1):  # earlier senders are known already
            from_embedding[i] = mask[:i][from_embedding[:i]][:, columns[sender]].any()
        to_logits = torch.tensor([part == LOGITS for part in owner])
        for i in reversed(range(1, len(self.senders))):
            to_logits[columns[self.senders[i]]] = mask[i, to_logits].any()
        return mask & from_embedding[:, None] & to_logits


def strongest(scores: Float[Tensor, "sender receiver"], n: int) -> Bool[Tensor, "sender receiver"]:
    """Mask of the n edges with the largest |score|; NaN stands where there is no edge.

    >>> strongest(torch.tensor([[0.1, -3.0], [torch.nan, 2.0]]), 2)
    tensor([[False,  True],
            [False,  True]])
    """
    if not 0 <= n <= scores.isfinite().sum():
        raise ValueError(f"expected a number of edges from 0 to {scores.isfinite().sum()}, got {n}.")
    order = scores.abs().nan_to_num(-1).flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(scores.numel(), dtype=torch.bool)
    mask[order[:n]] = True
    return mask.view_as(scores)
