"""Checks of an answer that is a list of edges."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Wrong


def as_membership(output: object, edges: list) -> Float[Tensor, " edge"]:
    """Return 1 for each edge that a returned list holds, 0 for the others.

    Raises ``Wrong`` unless it is a list of some of these edges, each once and in their order.
    """
    if not isinstance(output, list | tuple):
        raise Wrong("wrong type", f"expected a list of edges, got {type(output).__name__}.")
    output = [tuple(edge) if isinstance(edge, list) else edge for edge in output]
    unknown = [edge for edge in output if edge not in edges]
    if unknown:
        raise Wrong(
            "not an edge", f"expected edges as they are in `edges`, such as {edges[0]!r}, got {unknown[0]!r}."
        )
    if len({edges.index(edge) for edge in output}) < len(output):
        raise Wrong("an edge twice", "an edge stands more than once in your list: return each once.")
    if [edge for edge in edges if edge in output] != output:
        raise Wrong("another order", "return the edges in the order of `edges`: yours have another order.")
    return torch.tensor([float(edge in output) for edge in edges])
