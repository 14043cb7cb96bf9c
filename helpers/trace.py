"""The address trace: every head as one line of assembly, what it loads from which soft ``token:subspace`` address and where it stores.

Attention chooses the token of an address, softly; the weights of a port choose the subspace, and how far they do is told by
composition scores. Both halves are summaries: the token is the one with the most attention, the subspace the one with the
highest score, and a score says what a port *could* read, whatever the text (lesson 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.composition import composition_scores, port_scores
from helpers.line import one_text
from helpers.residual import decompose


@dataclass(frozen=True)
class Access:
    """What one head does for one destination: for each port the subspace it reads most, and its score."""

    layer: int
    head: int
    destination: int
    source: int
    attention: float
    ports: dict[str, tuple[str, float]]

    def cells(self, subspaces: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Row and column in a memory with these columns of each load and of the store; a port that reads none of them is left out."""
        places = dict(q=self.destination, k=self.source, v=self.source)
        found = {port: (places[port], name) for port, (name, _) in self.ports.items()}
        found["store"] = (self.destination, f"L{self.layer}H{self.head}")
        return {
            port: (row, subspaces.index(name)) for port, (row, name) in found.items() if name in subspaces
        }

    def __str__(self) -> str:
        """``L1H4  q 12:emb .41   k 5:L0H7 .38   v 5:emb .52   →  store 12:L1H4  (attention 5 = .93)``"""
        places = {"q": self.destination, "k": self.source, "v": self.source}
        name = f"L{self.layer}H{self.head}"
        loads = "   ".join(
            f"{port} {f'{places[port]}:{subspace}':8} {short(score)}"
            for port, (subspace, score) in self.ports.items()
        )
        attention = f"attention {self.source} = {short(self.attention)}"
        return f"{name:6}{loads}   →  store {self.destination}:{name}  ({attention})"


def short(share: float) -> str:
    return f"{share:.2f}".removeprefix("0")


@torch.no_grad()
def subspace_scores(model: TransformerBridge) -> list[tuple[list[str], Float[Tensor, "port writer head"]]]:
    """For every layer: the names of the subspaces written before it, and their scores with the q, k and v ports of its heads.

    ``emb``, ``pos``, every earlier head as ``L0H7``, and every earlier MLP as ``M0`` where there are some.
    """
    cfg = model.cfg
    pairs = torch.stack([composition_scores(model, port) for port in "QKV"])  # [port layer head layer head]
    sources = {"emb": model.W_E, "pos": model.W_pos}
    if not cfg.attn_only:
        # model.W_out stacks all layers at every call, and one of them keeps the whole stack
        sources |= {f"M{layer}": W_out for layer, W_out in enumerate(model.W_out)}
    sources = {name: torch.linalg.qr(W, mode="r").R for name, W in sources.items()}
    tables = []
    for layer in range(cfg.n_layers):
        weights = (model.W_Q[layer], model.W_K[layer], model.W_V[layer], model.W_O[layer])
        names = [name for name in sources if not name.startswith("M") or int(name[1:]) < layer]
        scores = [port_scores(sources[name], *weights) for name in names]  # each [port head]
        if cfg.attn_only:  # shortformer: positions never reach V
            scores[1][2] = 0
        for writer in range(layer):
            names += [f"L{writer}H{head}" for head in range(cfg.n_heads)]
            scores += list(pairs[:, writer, :, layer].unbind(1))
        tables.append((names, torch.stack(scores, dim=1)))
    return tables


def address(name: str) -> str:
    """The trace's name of a part of the stream: "embedding" → "emb", "0.7" → "L0H7", "mlp 0" → "M0", "bias 0" → "b0"."""
    if "." in name:
        return "L{}H{}".format(*name.split("."))
    kind, *layer = name.split()
    return dict(embedding="emb", position="pos", mlp="M", bias="b")[kind] + "".join(layer)


@torch.no_grad()
def memory(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], direction: Float[Tensor, " d_model"] | None = None
) -> tuple[Float[Tensor, "pos subspace"], list[str]]:
    """The length of what each writer stored for each token, and the writers' names; the end of the stream is their sum.

    With a ``direction`` of the unembedding (a column of W_U, or a difference of two) instead what each store adds to it, in
    logits:  store / scale · direction , scale being that of the final LayerNorm where there is one.
    """
    one_text(tokens)
    _, cache = model.run_with_cache(tokens)
    stores, names = decompose(model, cache)
    if direction is not None and "ln_final.hook_scale" in cache:
        stores = stores / cache["ln_final.hook_scale"][0]
    sizes = stores.norm(dim=-1) if direction is None else stores @ direction
    return sizes.T, [address(name) for name in names]


@torch.no_grad()
def address_trace(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], destination: int = -1, scores: list | None = None
) -> list[Access]:
    """One ``Access`` a head, for one destination token of one text; ``scores``, those of ``subspace_scores``, spare computing them."""
    one_text(tokens)
    length = tokens.shape[1]
    if not -length <= destination < length:
        raise ValueError(
            f"expected a destination among the {length} tokens, 0 to {length - 1}, got {destination}"
        )
    _, cache = model.run_with_cache(tokens)
    trace = []
    for layer, (names, table) in enumerate(scores or subspace_scores(model)):
        rows = cache[f"blocks.{layer}.attn.hook_pattern"][0, :, destination]
        for head, row in enumerate(rows):
            best = table[:, :, head].max(dim=1)
            ports = {
                port: (names[i], score)
                for port, i, score in zip("qkv", best.indices.tolist(), best.values.tolist())
            }
            source = row.argmax().item()
            trace.append(Access(layer, head, destination % length, source, row[source].item(), ports))
    return trace
