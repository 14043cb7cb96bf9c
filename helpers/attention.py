"""Attention of all layers of a model, without hooks: projections, positions, patterns, outputs.

One implementation for GPT-2 and shortformer, and for models with rotary positions (Su et al. 2021),
shared keys and values (Ainslie et al. 2023), with or without biases and norms of queries and keys.
"""

import torch
from einops import einsum, repeat
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Rotary, bias, per_query_head
from helpers.shortformer import ShortformerModel


class Attention:
    """The attention layers of a model.

    Queries, keys and values are those of ``hook_q``, ``hook_k`` and ``hook_v``: before the norm and
    the rotation of queries and keys. Keys and values may have fewer heads than queries, each shared
    by a group of query heads.
    """

    def __init__(self, model: TransformerBridge):
        self.d_head, self.n_heads = model.cfg.d_head, model.cfg.n_heads
        layers = [block.attn for block in model.blocks]  # whose weights are views: model.W_O is a copy
        self.W_O, self.b_O = [layer.W_O for layer in layers], bias(model, "O")
        self.weights = {}  # by port: [d_model head*d_head] of each layer, [layer head*d_head]
        for port in PORTS:
            by_layer = [getattr(layer, f"W_{port.upper()}").transpose(0, 1).flatten(1) for layer in layers]
            self.weights[port] = by_layer, bias(model, port.upper()).flatten(1)
        self.norms = {  # the modules themselves, without the hooks around them
            port: [getattr(block.attn, f"{port}_norm").original_component for block in model.blocks]
            for port in ("q", "k")
            if hasattr(model.blocks[0].attn, f"{port}_norm")
        }
        self.positions = model.W_pos if isinstance(model.original_model, ShortformerModel) else None

    def project(
        self, normalized: Float[Tensor, "row pos d_model"], layer: int, port: str, start: int = 0
    ) -> Float[Tensor, "row pos head d_head"]:
        """Queries, keys or values of a layer at the positions from ``start`` on."""
        if self.positions is not None and port != "v":
            normalized = normalized + self.positions[start : start + normalized.shape[1]]
        W, b = self.weights[port]
        return (normalized @ W[layer] + b[layer]).unflatten(2, (-1, self.d_head))

    def compared(
        self,
        x: Float[Tensor, "row pos head d_head"],
        layer: int,
        port: str,
        rotary: Rotary | None,
        start: int = 0,
    ) -> Float[Tensor, "row pos head d_head"]:
        """Return queries or keys as their dot product takes them: with norm, rotated."""
        if port in self.norms:
            x = self.norms[port][layer](x)
        return x if rotary is None else rotary.rotate(x, start)

    def z(
        self,
        q: Float[Tensor, "row query head d_head"],
        k: Float[Tensor, "row key shared_k d_head"],
        v: Float[Tensor, "row key shared_v d_head"],
        layer: int,
        rotary: Rotary | None,
    ) -> Float[Tensor, "row query head d_head"]:
        """Mean of the values weighted by attention; ``q`` stands at the last positions of ``k``."""
        q = self.compared(q, layer, "q", rotary, start=k.shape[1] - q.shape[1])
        return self.attend(q, self.compared(k, layer, "k", rotary), v)

    def attend(
        self,
        q: Float[Tensor, "row query head d_head"],
        k: Float[Tensor, "row key shared_k d_head"],
        v: Float[Tensor, "row key shared_v d_head"],
    ) -> Float[Tensor, "row query head d_head"]:
        """Return z of queries and keys that ``compared`` returned."""
        first_query = k.shape[1] - q.shape[1]
        causal = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool, device=q.device).tril(first_query)
        q, k, v = (projected.transpose(1, 2) for projected in (q, k, v))
        if k.shape[1] != v.shape[1]:  # the keys of some query heads are their own
            k, v = (per_query_head(projected, self.n_heads) for projected in (k, v))
        shared = k.shape[1] != q.shape[1]
        return scaled_dot_product_attention(q, k, v, attn_mask=causal, enable_gqa=shared).transpose(1, 2)

    def pattern(
        self,
        q: Float[Tensor, "row pos head d_head"],
        k: Float[Tensor, "row pos shared d_head"],
        layer: int,
        rotary: Rotary | None,
    ) -> Float[Tensor, "row head pos pos"]:
        """Attention pattern  softmax(q kᵀ / √d_head)  over the keys up to each query."""
        q = self.compared(q, layer, "q", rotary)
        k = per_query_head(self.compared(k, layer, "k", rotary), self.n_heads, axis=2)
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / self.d_head**0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(dim=-1)

    def weighted_values(
        self, pattern: Float[Tensor, "row head query key"], v: Float[Tensor, "row key shared d_head"]
    ) -> Float[Tensor, "row query head d_head"]:
        """Return z, the mean of the values weighted by a pattern."""
        v = per_query_head(v, self.n_heads, axis=2)
        return einsum(pattern, v, "row head query key, row key head d_head -> row query head d_head")

    def for_each_query_head(self, x: Float[Tensor, "row pos shared d_head"]) -> Tensor:
        """Return a copy of keys or values in which no two query heads share theirs."""
        return per_query_head(x, self.n_heads, axis=2).clone()

    def out(self, z: Float[Tensor, "row pos head d_head"], layer: int) -> Float[Tensor, "row pos d_model"]:
        """Output of a layer's heads together, with the bias."""
        return z.flatten(2) @ self.W_O[layer].flatten(0, 1) + self.b_O[layer]


def before(base: Float[Tensor, "prompt pos head d_head"], start: int, patches: int) -> Tensor:
    """Return keys or values of the positions before ``start``, once for every patch."""
    return repeat(base[:, :start], "prompt ... -> (patch prompt) ...", patch=patches)
