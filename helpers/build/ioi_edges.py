"""``python -m helpers.build.ioi_edges`` stores the exact effects of the edges of ``ioi-gpt2``.

The behaviour is IOI. One run for each of 3628 edges takes longer than a cell may. Lesson 8 reads
the effects from ``data/ioi-gpt2/edges.json``: a list for the prompts of each order (ABBA, BABA), in
the order of ``Graph(model).edges()``. A test computes a sample of them again.
"""

import json
import time

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers import models
from helpers.discovery import EdgePatching, edge_effects
from helpers.ioi import corrupted, equal_length_templates, make_prompts
from helpers.run import LogitDiff

MODEL, FILE = "ioi-gpt2", "edges.json"
COUNT, SEED, N_TEMPLATES = 16, 0, 4  # the other templates are held out
DIGITS = 5  # after the decimal point
BATCH = 4  # prompts, so that a run stays in a processor's cache


def main() -> None:
    """Write the file."""
    model = models.load_model(MODEL)
    started = time.perf_counter()
    effects = {order: effects_of(model, order) for order in ("abba", "baba")}
    exists = effects["abba"].isfinite()
    record = dict(
        command="python -m helpers.build.ioi_edges",
        prompts=dict(count=COUNT, seed=SEED, templates=N_TEMPLATES, corruption="abc"),
        seconds=round(time.perf_counter() - started, 1),
        effects={order: [round(x, DIGITS) for x in e[exists].tolist()] for order, e in effects.items()},
    )
    text = json.dumps(record, separators=(",", ":")) + "\n"
    (models.DATA / MODEL / FILE).write_text(text, encoding="utf-8")


def effects_of(
    model: TransformerBridge, order: str, chosen: Bool[Tensor, "sender receiver"] | None = None
) -> Float[Tensor, "sender receiver"]:
    """Exact effects of all edges, or of the chosen ones, on the prompts of one order."""
    templates = equal_length_templates(model.tokenizer)[:N_TEMPLATES]
    clean = make_prompts(model.tokenizer, COUNT, SEED, templates)
    source = corrupted(clean, "abc", model.tokenizer).tokens
    rows = (clean.abba if order == "abba" else ~clean.abba).nonzero()[:, 0]
    effects = []
    for batch in rows.split(BATCH):
        part = clean[batch]
        patching = EdgePatching(model, part.tokens, source[batch], LogitDiff(part.io_token, part.s_token))
        effects.append(edge_effects(patching, chosen))
    return torch.stack(effects).mean(dim=0)


if __name__ == "__main__":
    main()
