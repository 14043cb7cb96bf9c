"""The circuit view of one text: what the strongest heads read, and what changes without them."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.circuit_graph import read_circuit
from helpers.circuit_view import MEASURES, Circuit, circuit_view
from helpers.components import Head
from helpers.explorer.views.predictions import head_effects

MOST_HEADS = 24  # unless the model has more layers


def show_circuit(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    position: int,
    ablated: Sequence[tuple[int, int]],
    chosen: tuple[int, int] | None = None,
    measure: str = MEASURES[0],
) -> list[HTML]:
    """The circuit view at ``position``; if ``ablated`` is one head, it is ablated there, too."""
    circuit = read_strongest(model, tokens, measure == MEASURES[-1])
    return [circuit_view(circuit, position, measure, shown(circuit, chosen), only(circuit, ablated))]


def shown(circuit: Circuit, head: tuple[int, int] | None) -> str | None:
    """The name of a head that the view shows, None for another."""
    name = None if head is None else str(Head(*head))
    return name if name in circuit.heads else None


def only(circuit: Circuit, ablated: Sequence[tuple[int, int]]) -> str | None:
    """The name of the one ablated head; None for several, which the view cannot show."""
    return shown(circuit, ablated[0]) if len(ablated) == 1 else None


def count_shown(model: TransformerBridge) -> int:
    """Number of heads that the view shows."""
    cfg = model.cfg
    return min(cfg.n_layers * cfg.n_heads, max(MOST_HEADS, cfg.n_layers))


@lru_cache(maxsize=2)
def read_strongest(model: TransformerBridge, tokens: Int[Tensor, "1 pos"], edge_effects: bool) -> Circuit:
    """The data of the heads whose ablation changes the prediction after the last token most.

    At least one head of each layer is among them.
    """
    effects = head_effects(model, tokens, tokens.shape[1] - 1).abs()
    effects.scatter_(1, effects.argmax(dim=1, keepdim=True), torch.inf)
    strongest = effects.flatten().topk(count_shown(model)).indices.sort().values.tolist()
    heads = [divmod(index, model.cfg.n_heads) for index in strongest]
    return read_circuit(model, tokens, heads=heads, effects=edge_effects)
