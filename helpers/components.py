"""Names for the parts of a transformer: heads, components of the residual stream, ports, hooks.

The notation is that of the papers: head 9.10 is head 10 of layer 9 (Wang et al. 2022). The parts
that write to the residual stream, and the ports Q, K and V, are those of Elhage et al. 2021.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

Port = Literal["q", "k", "v"]
PORTS: tuple[Port, ...] = ("q", "k", "v")
Hook = tuple[str, Callable[..., Any]]  # (name, function), as in ``model.hooks(fwd_hooks=[...])``


class Head(NamedTuple):
    """One attention head, printed as in the papers.

    >>> print(Head(layer=9, head=10))
    9.10
    """

    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.head}"


class Component(NamedTuple):
    """Part of the residual stream: embedding, position, head, MLP, attention bias; or the logits.

    >>> print(Component("embedding"), Component("head", 0, 7), Component("mlp", 0), sep=", ")
    embedding, 0.7, mlp 0
    """

    kind: Literal["embedding", "position", "head", "mlp", "bias", "logits"]
    layer: int | None = None
    head: int | None = None

    def __str__(self) -> str:
        if self.kind == "head":
            return f"{self.layer}.{self.head}"
        return self.kind if self.layer is None else f"{self.kind} {self.layer}"


class Part(NamedTuple):
    """Part of a block diagram: its weights, what it reads, where positions enter, its layers."""

    name: str
    lines: Sequence[str]
    reads: str = ""  # what stands between the residual stream and the part
    position: str = ""
    layers: int = 0  # 0 for a part outside the layers


class Rotary(NamedTuple):
    """Cosines and sines of the angles by which queries and keys are rotated."""

    cos: Float[Tensor, "pos rotary"]
    sin: Float[Tensor, "pos rotary"]

    def rotate(self, x: Float[Tensor, "row pos head d_head"], start: int) -> Tensor:
        """Rotate queries or keys at the positions from ``start`` on; the last d_head − rotary stay.

        Coordinate i is paired with coordinate i + rotary / 2, as in Llama and GPT-NeoX.
        """
        cos, sin = (angles[start : start + x.shape[1], None] for angles in self)
        turned, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
        first, second = turned.chunk(2, dim=-1)
        turned = turned * cos + torch.cat([-second, first], dim=-1) * sin
        return torch.cat([turned, rest], dim=-1)


def has_positions(model: TransformerBridge) -> bool:
    """Return True if positions are vectors (W_pos), False if they rotate queries and keys.

    >>> from helpers.models import load_model
    >>> has_positions(load_model("attn-only-1l"))
    True
    """
    return getattr(model.cfg, "positional_embedding_type", "standard") != "rotary"


def block_parts(model: TransformerBridge) -> list[Part]:
    """Parts of a model from embedding to unembedding, with one of its layers, for a block diagram.

    >>> from helpers.models import load_model
    >>> [part.name for part in block_parts(load_model("attn-only-1l"))]
    ['token embedding', 'attention', 'unembedding']
    """
    cfg = model.cfg
    attention, mlp = model.blocks[0].attn, getattr(model.blocks[0], "mlp", None)
    norm = {"RMS": "RMSNorm", None: ""}.get(cfg.normalization_type, "LayerNorm")
    reads_positions = has_positions(model) and hasattr(attention.original_component, "scores_fn")
    shared = getattr(cfg, "n_key_value_heads", None) or cfg.n_heads
    embedding = "" if reads_positions or not has_positions(model) else "W_pos is added"
    position = "q, k: x + W_pos" if reads_positions else "" if has_positions(model) else "q, k are rotated"
    keys = [] if shared == cfg.n_heads else [f"{shared} shared k, v"]
    heads = [f"{cfg.n_heads} heads", f"d_head {cfg.d_head}", *keys]
    parts = [
        Part("token embedding", [f"W_E [{cfg.d_vocab}, {cfg.d_model}]"], position=embedding),
        Part("attention", heads, norm, position, cfg.n_layers),
    ]
    if mlp is not None:
        gate = ["gated"] if getattr(cfg, "gated_mlp", False) else []
        parts.append(Part("MLP", [f"d_mlp {cfg.d_mlp}", *gate], norm, layers=cfg.n_layers))
    after = [f"after {norm}"] if norm else []
    return [*parts, Part("unembedding", [f"W_U [{cfg.d_model}, {cfg.d_vocab}]", *after])]


def rotary_angles(model: TransformerBridge, length: int) -> Rotary:
    """Angles by which a model rotates queries and keys at the first ``length`` positions.

    Raises ``ValueError`` for a model whose positions are vectors.

    >>> from helpers.models import load_model
    >>> rotary_angles(load_model("attn-only-1l"), 8)
    Traceback (most recent call last):
    ValueError: expected rotary positions, got a model with positional embeddings: use W_pos.
    """
    if has_positions(model):
        raise ValueError("expected rotary positions, got a model with positional embeddings: use W_pos.")
    positions = torch.arange(length, device=model.W_E.device)[None]
    cos, sin = model.rotary_emb.original_component(model.W_E, positions)
    return Rotary(cos[0], sin[0])


def per_query_head(tensor: Float[Tensor, "..."], n_heads: int, axis: int = 1) -> Float[Tensor, "..."]:
    """Repeat what several query heads share (keys, values, W_K, W_V), so that each has its own.

    ``axis`` counts the shared heads. Head h uses the shared head  h // (n_heads / n_shared).

    >>> import torch
    >>> per_query_head(torch.tensor([[[1.0], [2.0]]]), n_heads=4).flatten()
    tensor([1., 1., 2., 2.])
    """
    return tensor.repeat_interleave(n_heads // tensor.shape[axis], dim=axis)


def head_weights(model: TransformerBridge) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return W_Q, W_K, W_V ``[layer head d_model d_head]`` and W_O of all query heads.

    Query heads that share a key head (or value head) each get a copy of its weights.

    >>> from helpers.models import load_model
    >>> [list(W.shape) for W in head_weights(load_model("attn-only-1l"))][1:3]
    [[1, 6, 384, 64], [1, 6, 384, 64]]
    """
    W_K, W_V = (per_query_head(W, model.cfg.n_heads) for W in (model.W_K, model.W_V))
    return model.W_Q, W_K, W_V, model.W_O


def bias(model: TransformerBridge, port: str) -> Float[Tensor, "layer ..."]:
    """Return the bias "Q", "K", "V" or "O" of all layers, zeros for a model without it.

    >>> from helpers.models import load_model
    >>> bias(load_model("ioi-gpt2"), "O").shape
    torch.Size([6, 256])
    """
    try:
        return getattr(model, f"b_{port}")
    except AttributeError:  # TransformerLens has no zeros for models without biases
        W = getattr(model, f"W_{port}")
        shape = (len(W), W.shape[-1]) if port == "O" else (*W.shape[:2], W.shape[-1])
        return W.new_zeros(shape)


def check_port(port: str) -> None:
    """Raise ``ValueError`` unless ``port`` is "q", "k" or "v".

    >>> check_port("z")
    Traceback (most recent call last):
    ValueError: expected a port "q", "k" or "v", got 'z'.
    """
    if port not in PORTS:
        raise ValueError(f'expected a port "q", "k" or "v", got {port!r}.')


def check_heads(model: TransformerBridge, heads: Sequence[tuple[int, int]]) -> None:
    """Raise ``ValueError`` if the model lacks one of the heads.

    >>> from helpers.models import load_model
    >>> check_heads(load_model("attn-only-1l"), [(0, 3), (2, 0)])
    Traceback (most recent call last):
    ValueError: expected heads of a model with 1 layers of 6 heads, counted from 0, got 2.0.
    """
    for layer, head in heads:
        if not (0 <= layer < model.cfg.n_layers and 0 <= head < model.cfg.n_heads):
            raise ValueError(
                f"expected heads of a model with {model.cfg.n_layers} layers of {model.cfg.n_heads} heads, "
                f"counted from 0, got {Head(layer, head)}."
            )


def check_path(sender: tuple[int, int], receiver: tuple[int, int]) -> None:
    """Raise ``ValueError`` unless the receiver is in a later layer than the sender.

    >>> check_path((1, 0), (1, 1))
    Traceback (most recent call last):
    ValueError: expected a receiver in a later layer than the sender, got 1.0 → 1.1.
    """
    if sender[0] >= receiver[0]:
        raise ValueError(
            f"expected a receiver in a later layer than the sender, got {Head(*sender)} → {Head(*receiver)}."
        )
