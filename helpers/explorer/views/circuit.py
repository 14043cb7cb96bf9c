"""The circuit view of one text: what the strongest heads read, and what changes without them."""

from collections.abc import Sequence
from functools import lru_cache

from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.circuit_graph import read_circuit
from helpers.circuit_view import Circuit, circuit_view
from helpers.components import Head
from helpers.explorer.views.predictions import head_effects

MOST_HEADS = 24


def show_circuit(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], position: int, ablated: Sequence[tuple[int, int]]
) -> list[HTML]:
    """The circuit view at ``position``; if ``ablated`` is one head, it is ablated there, too."""
    circuit = read_strongest(model, tokens)
    names = [str(Head(*head)) for head in ablated]
    one = names[0] if len(names) == 1 and names[0] in circuit.heads else None
    return [circuit_view(circuit, position, ablated=one)]


@lru_cache(maxsize=1)
def read_strongest(model: TransformerBridge, tokens: Int[Tensor, "1 pos"]) -> Circuit:
    """The data of the heads whose ablation changes the prediction after the last token most."""
    effects = head_effects(model, tokens, tokens.shape[1] - 1).abs().flatten()
    strongest = effects.topk(min(MOST_HEADS, len(effects))).indices.sort().values.tolist()
    return read_circuit(model, tokens, heads=[divmod(index, model.cfg.n_heads) for index in strongest])
