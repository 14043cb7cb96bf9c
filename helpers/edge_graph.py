"""Data of the edge view: the strongest edges of a model, and what is left with and without them.

All that the view shows is measured here, so that the view needs no model. A circuit is judged by
the metric when all other edges are patched, as in Hanna et al. 2024 (arXiv 2403.17806).
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from helpers.components import Component
from helpers.discovery import BAR, EdgePatching
from helpers.edge_view import Connection, EdgeGraph
from helpers.edges import LOGITS, strongest
from helpers.grading import circuit_faithfulness, faithfulness_by_size

SIZES = (1, 2, 5, 10, 20, 35, 50, 75, 100)


def read_edges(
    patching: EdgePatching,
    scores: Float[Tensor, "sender receiver"],
    drawn: int = 100,
    sizes: Sequence[int] = SIZES,
    roles: Mapping[tuple[int, int], str] | None = None,
) -> EdgeGraph:
    """Measure the strongest edges of a model for the edge view.

    Each value is a faithfulness (``circuit_faithfulness``):
    (metric - corrupted metric) / (clean metric - corrupted metric) , each the mean over prompts.

    - ``connections``: the ``drawn`` edges with the largest |score|, or all if there are fewer.
    - ``kept``: all edges are patched but the strongest n, for every n of ``sizes`` up to ``drawn``.
    - ``removed``: exactly the strongest n are patched.
    - ``without``: all edges of one sender are patched: every receiver reads its corrupted output.

    ``roles``: what measures call heads. Raises ``ValueError`` for scores of another shape, and for
    corrupted prompts with the same mean metric.

    >>> from helpers.discovery import attribution
    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    >>> graph = read_edges(patching, attribution(patching), sizes=[0, 25], roles={(0, 3): "copy"})
    >>> len(graph.connections), graph.roles[4], graph.sizes
    (25, 'copy', [0, 25])
    >>> [abs(round(value, 2)) for value in graph.kept + graph.removed]  # of no edge, and of all
    [0.0, 1.0, 1.0, 0.0]
    """
    _check(patching, scores)
    exists, scores = patching.graph.exists, scores.detach().cpu()
    drawn = min(drawn, int(scores.isfinite().sum()))
    sizes = sorted({n for n in sizes if n <= drawn})
    nodes = [*patching.graph.senders, LOGITS]
    kept, removed = faithfulness_by_size(patching, scores, sizes)
    rows = torch.arange(len(exists))
    without = [
        circuit_faithfulness(patching, exists & (rows[:, None] != row)).item()
        for row in tqdm(rows, desc="components", **BAR)
    ]
    return EdgeGraph(
        nodes=[str(node) for node in nodes],
        heights=[_height(node, nodes) for node in nodes],
        roles=[(roles or {}).get((node.layer, node.head), "") for node in nodes],
        connections=_connections(patching, scores, drawn),
        sizes=sizes,
        kept=kept.tolist(),
        removed=removed.tolist(),
        without=[*without, None],
    )


def _check(patching: EdgePatching, scores: Float[Tensor, "sender receiver"]) -> None:
    """Refuse scores of another shape, and prompts that leave nothing to divide by."""
    expected = list(patching.graph.exists.shape)
    if list(scores.shape) != expected:
        raise ValueError(f"expected scores of shape {expected} [sender receiver], got {list(scores.shape)}.")
    if patching.clean_metric.mean() == patching.corrupted_metric.mean():
        raise ValueError("expected corrupted prompts that change the metric, got the same mean metric.")


def _height(node: Component, nodes: Sequence[Component]) -> int:
    """Row of a node: embedding, heads of layer 0, MLP of layer 0, heads of layer 1, …, logits."""
    rows = {"embedding": 0, "logits": 2 * len(nodes)}
    return rows[node.kind] if node.kind in rows else 1 + 2 * node.layer + (node.kind == "mlp")


def _connections(
    patching: EdgePatching, scores: Float[Tensor, "sender receiver"], drawn: int
) -> list[Connection]:
    """The strongest edges, by numbers of nodes, with the largest |score| first."""
    receivers = patching.graph.receivers
    number = {part: i for i, part in enumerate([*patching.graph.senders, LOGITS])}
    edges = [
        Connection(i, number[receivers[j].component], receivers[j].port, scores[i, j].item())
        for i, j in strongest(scores, drawn).nonzero().tolist()
    ]
    return sorted(edges, key=lambda edge: -abs(edge.score))
