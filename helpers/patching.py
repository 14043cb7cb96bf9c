"""Interventions: what a head computed is replaced, and what depends on it is measured again (Wang et al. 2022)."""

from jaxtyping import Float
from torch import Tensor


def replaced(
    z: Float[Tensor, "batch pos head d_head"],
    head: int,
    kind: str,
    other: Float[Tensor, "batch pos head d_head"],
) -> Float[Tensor, "batch pos head d_head"]:
    """A copy of z in which one head is ablated: "zero", "mean" over the batch at each position, or "resample".

    ``other`` is z of other sequences: "resample" puts the head's z from there, "mean" and "zero" leave it unused.
    """
    if kind not in ("zero", "mean", "resample"):
        raise ValueError(f'expected a kind "zero", "mean" or "resample", got {kind!r}')
    new = z.clone()
    if kind == "zero":
        new[:, :, head] = 0
    elif kind == "mean":
        new[:, :, head] = z[:, :, head].mean(dim=0)
    else:
        new[:, :, head] = other[:, :, head]
    return new


def without_path(
    keys: Float[Tensor, "batch pos head d_head"],
    store: Float[Tensor, "batch pos d_model"],
    W_K: Float[Tensor, "head d_model d_head"],
    reader: int,
) -> Float[Tensor, "batch pos head d_head"]:
    """A copy of a layer's keys in which head ``reader`` has not read ``store``: its keys less  store W_K ."""
    new = keys.clone()
    new[:, :, reader] -= store @ W_K[reader]
    return new
