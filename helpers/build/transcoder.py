"""``python -m helpers.build.transcoder`` trains the transcoder of the first MLP of ``ioi-gpt2``.

It learns from stories (``helpers/stories.py``), which need no corpus; ``--corpus DIR`` mixes in
windows of a folder's texts. Encoder and decoder start from rows of the training data, so that few
features are never active (Gao et al. 2024, https://arxiv.org/abs/2406.04093, appendix A, also fight
these). ``--seed`` trains with another seed and writes nothing.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers import models
from helpers.build.corpus import encoded_corpus
from helpers.build.gpt2 import HELD_OUT_ROWS, HELD_OUT_STORIES, story_rows
from helpers.build.model_cards import write_card
from helpers.transcoders import (
    TRANSCODER_FILE,
    Transcoder,
    live_features,
    loss_recovered,
    mlp_in_and_out,
    transcode,
    variance_explained,
)

MODEL = "ioi-gpt2"
RECORD_FILE = "transcoder.json"
FIRST_ROWS = 64  # rows of text whose activations encoder and decoder start from


@dataclass(frozen=True)
class TranscoderRecipe:
    """How a transcoder is trained: Adam, a warm-up, and a linear decay at the end."""

    layer: int = 0
    features: int = 1024
    k: int = 16
    steps: int = 1500
    rows: int = 16  # of text in a batch
    lr: float = 2e-3
    warmup_steps: int = 50
    decay: float = 0.3  # fraction of the steps
    story_count: int = 10_000
    seed: int = 0


def main() -> None:
    """Train a transcoder; with the recipe's own seed and without a corpus, ship it."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.transcoder", description=__doc__)
    parser.add_argument("--corpus", type=Path, help="a folder of .txt files")
    parser.add_argument("--seed", type=int, default=TranscoderRecipe.seed)
    arguments = parser.parse_args()
    model, recipe = models.load_model(MODEL), TranscoderRecipe(seed=arguments.seed)
    transcoder, seconds = train(model, recipe, batches(model, recipe, arguments.corpus))
    record = {"recipe": asdict(recipe), "seconds": round(seconds), "machine": f"{os.cpu_count()} CPU cores"}
    record |= measure(model, transcoder)
    print(json.dumps(record, indent=1))
    if arguments.seed == TranscoderRecipe.seed and arguments.corpus is None:
        ship(transcoder, record)


def batches(
    model: TransformerBridge, recipe: TranscoderRecipe, corpus: Path | None = None
) -> Iterator[Int[Tensor, "row pos"]]:
    """Yield batches of stories; with a corpus, every second row is a window of its texts."""
    n_ctx, bos = model.cfg.n_ctx, model.tokenizer.bos_token_id
    rows = story_rows(model.tokenizer, n_ctx, recipe.seed, recipe.story_count)
    generator = torch.Generator().manual_seed(recipe.seed)
    text = None
    if corpus is not None:
        text, _ = encoded_corpus(corpus, Path(tempfile.gettempdir()), model.tokenizer)
    while True:
        batch = torch.stack([next(rows) for _ in range(recipe.rows)])
        if text is not None:
            for row in batch[::2]:
                start = int(torch.randint(len(text) - n_ctx, (1,), generator=generator))
                row[0], row[1:] = bos, text[start : start + n_ctx - 1]
        yield batch


def train(
    model: TransformerBridge, recipe: TranscoderRecipe, batches: Iterator[Int[Tensor, "row pos"]]
) -> tuple[Transcoder, float]:
    """Minimize the squared error of the output; return the transcoder and the seconds it took.

    The loss is  Σ |mlp_out − output|² / Σ |mlp_out − mean|² , over the positions of a batch.
    """
    first = torch.cat(list(islice(batches, -(-FIRST_ROWS // recipe.rows))))
    x, y = (side.flatten(0, 1) for side in mlp_in_and_out(model, first, recipe.layer))
    weights = [weight.requires_grad_() for weight in initial_weights(x, y, recipe)]
    variance = (y - y.mean(dim=0)).square().sum(dim=-1).mean()
    optimizer = torch.optim.Adam(weights, lr=recipe.lr, betas=(0.9, 0.99))
    start = time.perf_counter()
    for step in range(recipe.steps):
        x, y = (side.flatten(0, 1) for side in mlp_in_and_out(model, next(batches), recipe.layer))
        loss = (transcode(x, *weights, recipe.k)[1] - y).square().sum(dim=-1).mean() / variance
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * _rate(step, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = [weight.detach().half().float() for weight in weights]  # as they ship
    return Transcoder(recipe.layer, recipe.k, *weights), time.perf_counter() - start


def initial_weights(
    x: Float[Tensor, "row d_model"], y: Float[Tensor, "row d_model"], recipe: TranscoderRecipe
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return W_enc, b_enc, W_dec and b_dec: each feature reads and writes as one row of the data.

    The feature of row i is active along  x_i − mean(x)  and writes a part of  y_i − mean(y).
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = torch.randint(len(x), (recipe.features,), generator=generator)
    reads, writes = (side[chosen] - side.mean(dim=0) for side in (x, y))
    norms = reads.norm(dim=1, keepdim=True)
    W_enc = (reads / norms).T
    return W_enc.clone(), -x.mean(dim=0) @ W_enc, 0.3 * writes / norms, y.mean(dim=0)


def _rate(step: int, recipe: TranscoderRecipe) -> float:
    """Learning rate of a step, as a fraction of the highest."""
    left = (recipe.steps - step) / (recipe.decay * recipe.steps)
    return min(1.0, (step + 1) / recipe.warmup_steps, left)


def measure(model: TransformerBridge, transcoder: Transcoder) -> dict[str, float | int]:
    """Return the figures of the model card, on held-out stories."""
    rows = torch.stack(
        list(islice(story_rows(model.tokenizer, model.cfg.n_ctx, **HELD_OUT_STORIES), HELD_OUT_ROWS))
    )
    x, y = mlp_in_and_out(model, rows, transcoder.layer)
    features, output = transcoder(x)
    return {
        "variance_explained": variance_explained(y, output).item(),
        "live_features": int(live_features(features).sum()),
        "loss_recovered": loss_recovered(model, rows, transcoder.layer, output),
    }


def ship(transcoder: Transcoder, record: dict) -> None:
    """Write the weights in half precision, the record, the sha256 and the card."""
    folder = models.DATA / MODEL
    tensors = {
        name: getattr(transcoder, name).half().contiguous() for name in ("W_enc", "b_enc", "W_dec", "b_dec")
    }
    sizes = {name: torch.tensor(getattr(transcoder, name)) for name in ("layer", "k")}
    save_file(tensors | sizes, folder / TRANSCODER_FILE)
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    registry = models.shipped()
    registry[MODEL]["transcoder"] = models.sha256(folder / TRANSCODER_FILE)
    models.REGISTRY.write_text(json.dumps(registry, indent=2) + "\n", encoding="utf-8")
    write_card(MODEL)


if __name__ == "__main__":
    main()
