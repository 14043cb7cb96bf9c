"""The true edges of a transformer written by hand, read off its weights.

An edge is there if the sender writes a direction that the receiver reads. What a circuit needs are
the edges on a path from the tokens that differ between prompts to the logits.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.edges import EMBEDDING, LOGITS, Graph, Receiver

ROUNDING = 1e-4  # of the largest product, below which two subspaces do not meet


def true_edges(model: TransformerBridge, varying: Sequence[int]) -> Bool[Tensor, "sender receiver"]:
    """Edges on a path from the embeddings of the ``varying`` tokens to the logits.

    A head writes the rows of  W_V W_O . The embedding writes the differences between the varying
    tokens: what all of them share is the same in every prompt. The same holds for positions, which
    patching never changes. For attention-only models without norms.

    >>> from helpers.planted import Layout, induction_model
    >>> model = induction_model(Layout(d_vocab=5, n_ctx=9))
    >>> for edge in Graph(model).edges(true_edges(model, range(1, 5))):
    ...     print(edge)
    embedding → 0.1.v
    embedding → 1.2.q
    embedding → 1.2.v
    0.1 → 1.2.k
    1.2 → logits
    """
    if not model.cfg.attn_only or model.cfg.normalization_type is not None:
        raise ValueError("expected an attention-only model without norms, whose weights name its edges.")
    graph = Graph(model)
    products = torch.stack(
        [
            torch.stack([(writes @ _reads(model, receiver)).abs().max() for receiver in graph.receivers])
            for writes in (_writes(model, sender, varying) for sender in graph.senders)
        ]
    )
    return graph.on_a_path(graph.exists & (products > ROUNDING * products.max()))


def _writes(model: TransformerBridge, sender, varying: Sequence[int]) -> Float[Tensor, "row d_model"]:
    """Rows that span what a sender writes to the stream."""
    if sender == EMBEDDING:
        rows = model.W_E[list(varying)]
        return rows - rows.mean(dim=0)
    return model.W_V[sender.layer, sender.head] @ model.W_O[sender.layer, sender.head]


def _reads(model: TransformerBridge, receiver: Receiver) -> Float[Tensor, "d_model column"]:
    """Columns that span what a receiver reads of the stream."""
    (component, port), weights = receiver, dict(q=model.W_Q, k=model.W_K, v=model.W_V)
    return model.W_U if component == LOGITS else weights[port][component.layer, component.head]
