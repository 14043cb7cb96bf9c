"""Attention-head detectors: mean attention weights on sequences built to tell heads apart.

Each score lies between 0 and 1. The last two axes of a pattern are ``query key``; axes before them
(layer, head, batch) are kept. A head is named after the score that is high for it (Elhage et al.
2021; Olsson et al. 2022, "In-context Learning and Induction Heads"). For comparison: a head that
attends to all n positions up to its own alike gives each of them 1/n.
"""

from jaxtyping import Float
from torch import Tensor


def previous_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention of the query at position i to position i - 1, over i ≥ 1.

    >>> import torch
    >>> previous_token_score(torch.eye(5).roll(-1, dims=1))
    tensor(1.)
    """
    return pattern.diagonal(-1, dim1=-2, dim2=-1).mean(dim=-1)


def induction_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention to the token after the earlier copy of the query's own token.

    The sequence is a beginning-of-text token and ``period`` tokens that then repeat. The earlier
    copy stands ``period`` positions back, the token after it ``period - 1``. The mean is over the
    queries whose token has occurred before.

    >>> import torch
    >>> induction_score(torch.eye(7).roll(-2, dims=1), period=3)
    tensor(1.)
    """
    return pattern.diagonal(1 - period, dim1=-2, dim2=-1)[..., 2:].mean(dim=-1)


def duplicate_token_score(pattern: Float[Tensor, "*head query key"], period: int) -> Float[Tensor, "*head"]:
    """Mean attention to the earlier copy of the query's own token, ``period`` positions back.

    The sequence and the queries are those of ``induction_score``.

    >>> import torch
    >>> duplicate_token_score(torch.eye(7).roll(-3, dims=1), period=3)
    tensor(1.)
    """
    return pattern.diagonal(-period, dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def current_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention of a query to its own position, over all positions but the first.

    >>> import torch
    >>> current_token_score(torch.eye(5))
    tensor(1.)
    """
    return pattern.diagonal(dim1=-2, dim2=-1)[..., 1:].mean(dim=-1)


def first_token_score(pattern: Float[Tensor, "*head query key"]) -> Float[Tensor, "*head"]:
    """Mean attention to position 0, over all later queries: high for an attention sink.

    >>> import torch
    >>> first_token_score(torch.eye(5)[[0, 0, 0, 0, 0]])
    tensor(1.)
    """
    return pattern[..., 1:, 0].mean(dim=-1)
