"""One name for each part of a transformer: heads, the components that write to the residual stream, ports, hooks."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from transformer_lens.model_bridge import TransformerBridge

Port = Literal["q", "k", "v"]
PORTS: tuple[Port, ...] = ("q", "k", "v")
Hook = tuple[str, Callable[..., Any]]  # (name, function), as in ``model.hooks(fwd_hooks=[...])``


class Head(NamedTuple):
    """One attention head, printed as the papers write it.

    >>> print(Head(layer=9, head=10))
    9.10
    """

    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.head}"


class Component(NamedTuple):
    """Something that writes to the residual stream: the embeddings, a head, an MLP, the bias of an attention layer.

    >>> print(Component("embedding"), Component("head", 0, 7), Component("mlp", 0), sep=", ")
    embedding, 0.7, mlp 0
    """

    kind: Literal["embedding", "position", "head", "mlp", "bias"]
    layer: int | None = None
    head: int | None = None

    def __str__(self) -> str:
        if self.kind == "head":
            return f"{self.layer}.{self.head}"
        return self.kind if self.layer is None else f"{self.kind} {self.layer}"


def check_port(port: str) -> None:
    """Raise ``ValueError`` unless ``port`` is "q", "k" or "v"."""
    if port not in PORTS:
        raise ValueError(f'expected a port "q", "k" or "v", got {port!r}.')


def check_heads(model: TransformerBridge, heads: Sequence[tuple[int, int]]) -> None:
    """Raise ``ValueError`` if the model lacks one of the heads."""
    for layer, head in heads:
        if not (0 <= layer < model.cfg.n_layers and 0 <= head < model.cfg.n_heads):
            raise ValueError(
                f"there is no head {layer}.{head}: this model has {model.cfg.n_layers} layers of "
                f"{model.cfg.n_heads} heads, counted from 0."
            )
