"""Attention-head detectors: what a head does, read from its attention pattern on sequences built to tell.

Each score is a mean attention weight, between 0 and 1. The last two axes of a pattern are ``query key``; axes before them
(layer, head, batch) are kept. A head is called by its job when its score is high on sequences made for that job (Elhage et
al. 2021; Olsson et al. 2022, "In-context Learning and Induction Heads").
"""

from jaxtyping import Float
from torch import Tensor


def previous_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention that a query at position i pays to position i - 1, over i ≥ 1.

    >>> import torch
    >>> previous_token_score(torch.eye(5).roll(-1, dims=1))
    tensor(1.)
    """
    return pattern.diagonal(-1, dim1=-2, dim2=-1).mean(dim=-1)


def current_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention that a query pays to its own position, over i ≥ 1 (position 0 has no choice)."""
    return pattern.diagonal(dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def first_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention to position 0, over i ≥ 1: the resting place of a head that finds nothing to do."""
    return pattern[..., 1:, 0].mean(dim=-1)


def duplicate_token_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention, on a sequence that repeats after ``period`` tokens, to the earlier copy of the query's own token."""
    return pattern.diagonal(-period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def induction_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention, on a sequence that repeats after ``period`` tokens, to the token after the query's earlier copy.

    Query i looks ``period - 1`` back: the first copy of its own token stands ``period`` back, and the token that followed
    it one further on. The mean is over the queries whose token has stood before: those after beginning-of-text and one copy.
    """
    return pattern.diagonal(1 - period, dim1=-2, dim2=-1)[..., 2:].mean(dim=-1)
