"""Address trace: the soft ``token:subspace`` address that each port of a head reads, and its write.

Attention selects the token of an address. The weights of a port select the subspace; composition
scores say how strongly (Elhage et al. 2021). Both halves are summaries: the trace names the token
with the most attention and the component with the highest score. A score says what a port *could*
read on any text, not what it read on this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Component, Head, Port, has_positions, head_weights
from helpers.composition import composition_scores, thin_readers
from helpers.residual import decompose
from helpers.sequences import check_one_text

SubspaceScores = list[tuple[list[Component], Float[Tensor, "port _component head"]]]  # per layer


@dataclass(frozen=True)
class Access:
    """Reads and write of one head for one destination token."""

    head: Head
    destination: int
    source: int  # the position with the most attention
    attention: float
    ports: dict[Port, tuple[Component, float]]  # the component that each port reads most, and the score

    def cells(self, components: Sequence[Component]) -> dict[str, tuple[int, int]]:
        """Row and column of each read and of the write in a memory map with these columns.

        A port that reads a component without a column is left out.
        """
        addresses: dict[str, tuple[int, Component]] = {
            port: (self._position(port), component) for port, (component, _) in self.ports.items()
        }
        addresses["write"] = (self.destination, Component("head", *self.head))
        return {
            name: (position, components.index(component))
            for name, (position, component) in addresses.items()
            if component in components
        }

    def __str__(self) -> str:
        """Trace in one line: ``1.4  q 12:0.2 .41  k 5:0.7 .38  …  →  write 12:1.4 …``."""
        reads = "   ".join(
            f"{port} {f'{self._position(port)}:{component}':13} {_two_digits(score)}"
            for port, (component, score) in self.ports.items()
        )
        attention = f"attention {self.source} = {_two_digits(self.attention)}"
        return f"{self.head!s:6}{reads}   →  write {self.destination}:{self.head}  ({attention})"

    def _position(self, port: Port) -> int:
        return self.destination if port == "q" else self.source


@torch.no_grad()
def address_trace(
    model: TransformerBridge,
    tokens: Int[Tensor, "..."],
    destination: int = -1,
    scores: SubspaceScores | None = None,
) -> list[Access]:
    """One ``Access`` per head, for one destination token of one text ``[1, pos]``.

    ``scores`` are ``subspace_scores(model)``, computed here unless given.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> access = address_trace(model, model.to_tokens("the cat sat"))[2]
    >>> print(access.head, access.ports["v"][0])
    0.2 embedding
    """
    check_one_text(tokens)
    length = tokens.shape[1]
    if not -length <= destination < length:
        raise ValueError(
            f"expected a destination among the {length} tokens, 0 to {length - 1}, got {destination}."
        )
    _, cache = model.run_with_cache(tokens)
    accesses = []
    for layer, (components, table) in enumerate(scores or subspace_scores(model)):
        attention = cache[f"blocks.{layer}.attn.hook_pattern"][0, :, destination]  # [head key]
        for head, row in enumerate(attention):
            best = table[:, :, head].max(dim=1)
            ports = {
                port: (components[index], score)
                for port, index, score in zip(PORTS, best.indices.tolist(), best.values.tolist())
            }
            source = int(row.argmax())
            accesses.append(
                Access(Head(layer, head), destination % length, source, row[source].item(), ports)
            )
    return accesses


@torch.no_grad()
def subspace_scores(model: TransformerBridge) -> SubspaceScores:
    """Scores of the ports of each layer's heads with every component that writes before the layer.

    For a random component and port a score is about 1/√d_model.

    >>> from helpers.models import load_model
    >>> [(components, scores)] = subspace_scores(load_model("attn-only-1l"))
    >>> print(*components, scores.shape)
    embedding position torch.Size([3, 2, 6])
    """
    cfg = model.cfg
    readers = torch.stack([thin_readers(model, port) for port in PORTS])  # [port layer head d_model d_head]
    pairs = torch.stack([composition_scores(model, port) for port in PORTS])  # [port layer head layer head]
    sources = {Component("embedding"): model.W_E}
    if has_positions(model):
        sources[Component("position")] = model.W_pos
    if not cfg.attn_only:
        # model.W_out stacks all layers at every call, and one of them keeps the whole stack
        sources |= {Component("mlp", layer): W_out for layer, W_out in enumerate(model.W_out)}
    roots = {component: torch.linalg.qr(W, mode="r").R for component, W in sources.items()}
    roots = {component: R / R.norm() for component, R in roots.items()}
    tables = []
    for layer in range(cfg.n_layers):
        reading = rearrange(readers[:, layer], "port head d_model h -> d_model (port head h)")
        earlier = [component for component in roots if component.layer is None or component.layer < layer]
        scores = [
            (roots[component] @ reading).view(-1, len(PORTS), cfg.n_heads, cfg.d_head).norm(dim=(0, 3))
            for component in earlier
        ]  # each [port head]
        if cfg.attn_only:  # shortformer: positions never reach V
            scores[1][2] = 0
        for sender_layer in range(layer):
            earlier += [Component("head", sender_layer, head) for head in range(cfg.n_heads)]
            scores += list(pairs[:, sender_layer, :, layer].unbind(1))
        tables.append((earlier, torch.stack(scores, dim=1)))
    return tables


@torch.no_grad()
def head_subspace_scores(
    model: TransformerBridge, layer: int, head: int
) -> dict[Component, Float[Tensor, " port"]]:
    """``subspace_scores`` of one head alone, which is fast in a model of many heads.

    >>> from helpers.models import load_model
    >>> scores = head_subspace_scores(load_model("attn-only-1l"), 0, 2)
    >>> print(*scores)
    embedding position
    """
    readers = torch.stack([thin_readers(model, port)[layer, head] for port in PORTS])
    _, _, W_V, W_O = head_weights(model)
    writers = {Component("embedding"): model.W_E}
    if has_positions(model):
        writers[Component("position")] = model.W_pos
    if not model.cfg.attn_only:
        writers |= {Component("mlp", sender): W_out for sender, W_out in enumerate(model.W_out[:layer])}
    for sender in range(layer):
        for index in range(model.cfg.n_heads):  # a matrix with the norms of W_V W_O
            R = torch.linalg.qr(W_V[sender, index], mode="r").R
            writers[Component("head", sender, index)] = R @ W_O[sender, index]
    scores = {writer: (W @ readers).norm(dim=(1, 2)) / W.norm() for writer, W in writers.items()}
    if model.cfg.attn_only:  # shortformer: positions never reach V
        scores[Component("position")][2] = 0
    return scores


@torch.no_grad()
def component_sizes(
    model: TransformerBridge, tokens: Int[Tensor, "..."], direction: Float[Tensor, " d_model"] | None = None
) -> tuple[Float[Tensor, "pos component"], list[Component]]:
    """Norm of each component's output at each token of one text ``[1, pos]``.

    With a ``direction`` of the unembedding (a column of W_U, or a difference of two): what each
    component adds to that logit,  output / scale · direction , with the scale of the final
    LayerNorm if there is one. Over the components these sum to the logit without its bias.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> sizes, components = component_sizes(model, model.to_tokens("the cat sat"))
    >>> print(sizes.shape, *components[:3])
    torch.Size([4, 7]) embedding 0.0 0.1
    """
    check_one_text(tokens)
    _, cache = model.run_with_cache(tokens)
    outputs, components = decompose(model, cache)
    if direction is not None and "ln_final.hook_scale" in cache:
        outputs = outputs / cache["ln_final.hook_scale"][0]
    sizes = outputs.norm(dim=-1) if direction is None else outputs @ direction
    return sizes.T, components


def _two_digits(number: float) -> str:
    return f"{number:.2f}".removeprefix("0")
