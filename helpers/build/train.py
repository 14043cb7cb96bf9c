"""``python -m helpers.build.train NAME --corpus DIR`` makes ``data/NAME`` from a folder of texts.

NAME is ``tokenizer`` (once, before the models) or one of the models below. A two-layer model takes
half an hour on two cores, ``ioi-gpt2`` an hour. ``--work`` keeps the encoded corpus and the
checkpoints.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from helpers import models
from helpers.build.attn_only import AttentionOnlyRecipe
from helpers.build.corpus import encoded_corpus, held_out_windows, read_books, train_tokenizer
from helpers.build.gpt2 import GPT2Recipe
from helpers.build.loop import Recipe, train
from helpers.build.model_cards import write_card
from helpers.build.model_facts import bigram_correlation
from helpers.models import WEIGHTS_FILE

MILLION = 1_000_000


@dataclass(frozen=True)
class ShippedModel:
    """A model of ``data/``. Checkpoints are numbers of training tokens, in millions."""

    use: str
    recipe: Recipe
    measured_checkpoints: tuple[int, ...] = ()
    kept_checkpoints: tuple[int, ...] = ()  # those whose weights ship, too


SHIPPED = {
    "attn-only-0l": ShippedModel(
        "bigrams: embedding and unembedding, without layers",
        AttentionOnlyRecipe(n_layers=0, tokens=6 * MILLION),
    ),
    "attn-only-1l": ShippedModel(
        "skip-trigrams: attention without composition",
        AttentionOnlyRecipe(n_layers=1, tokens=12 * MILLION),
    ),
    "attn-only-2l": ShippedModel(
        "induction heads: attention heads that compose",
        AttentionOnlyRecipe(n_layers=2, tokens=30 * MILLION),
        measured_checkpoints=(0, 1, 2, 3, 4, 5, 6, 8, 12, 20),
        kept_checkpoints=(4, 5, 6),  # before, while and after the induction head forms
    ),
    "ioi-gpt2": ShippedModel(
        "indirect object identification: a small GPT-2 with LayerNorm and MLPs",
        GPT2Recipe(
            n_layers=6,
            tokens=20 * MILLION,
            n_heads=8,
            d_model=256,
            d_mlp=512,
            n_ctx=128,
            batch=32,
            lr=2e-3,
            weight_decay=0.05,
            warmup_steps=200,
            spans=2,
            span_lengths=(2, 40),
        ),
        measured_checkpoints=tuple(range(0, 20, 2)),
    ),
}


def main() -> None:
    """Make the tokenizer or the model that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.train", description=__doc__)
    parser.add_argument("name", choices=["tokenizer", *SHIPPED])
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .txt files")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "circuits-training")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.name == "tokenizer":
        training, _ = read_books(arguments.corpus)
        train_tokenizer(training).save_pretrained(models.DATA / "tokenizer")
    else:
        make_model(arguments.name, arguments.corpus, arguments.work)


def make_model(name: str, corpus: Path, work: Path) -> None:
    """Train a model, measure it at its checkpoints, and write ``data/NAME``."""
    recipe = SHIPPED[name].recipe
    tokenizer = PreTrainedTokenizerFast.from_pretrained(models.DATA / "tokenizer")
    text, held_out = encoded_corpus(corpus, work, tokenizer)
    windows = held_out_windows(held_out, recipe.n_ctx, tokenizer.bos_token_id)
    records = []

    def on_checkpoint(model: nn.Module, tokens_seen: int) -> None:
        folder = work / f"{name}-{tokens_seen}"
        recipe.save(model, folder)
        records.append({"tokens": tokens_seen, **recipe.measure(models.read_model(folder), windows)})
        print(json.dumps(records[-1]), flush=True)

    seconds = train(
        recipe.initial_model(tokenizer.bos_token_id),
        recipe.batches(text, tokenizer),
        recipe,
        on_checkpoint,
        [millions * MILLION for millions in SHIPPED[name].measured_checkpoints],
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    run = _run_record(name, len(text), seconds, records)
    if recipe.n_layers == 0:
        model = models.read_model(work / f"{name}-{records[-1]['tokens']}")
        run["bigrams"] = bigram_correlation(model, text)
    _ship(name, work, run)


def _run_record(name: str, corpus_tokens: int, seconds: float, records: list[dict]) -> dict:
    """Return the content of ``training.json``."""
    cores = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return {
        "command": f"python -m helpers.build.train {name} --corpus DIR",
        "recipe": asdict(SHIPPED[name].recipe),
        "corpus_tokens": corpus_tokens,
        "seconds": round(seconds),
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else cores,
        "torch": torch.__version__.split("+")[0],
        "checkpoints": records,
    }


def _ship(name: str, work: Path, run: dict) -> None:
    """Write weights, configuration, measurements and card to ``data/NAME``, and the registry."""
    folder, recipe = models.DATA / name, run["recipe"]
    folder.mkdir(exist_ok=True)
    for file in ("config.json", WEIGHTS_FILE):
        shutil.copyfile(work / f"{name}-{run['checkpoints'][-1]['tokens']}" / file, folder / file)
    (folder / "training.json").write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    registry = models.shipped() if models.REGISTRY.exists() else {}
    registry[name] = {
        "sha256": models.sha256(folder / WEIGHTS_FILE),
        "layers": recipe["n_layers"],
        "heads": recipe["n_heads"] if recipe["n_layers"] else 0,
        "d_model": recipe["d_model"],
        "megabytes": round((folder / WEIGHTS_FILE).stat().st_size / 1e6, 1),
        "use": SHIPPED[name].use,
    }
    for tokens in (record["tokens"] for record in run["checkpoints"]):
        if tokens // MILLION in SHIPPED[name].kept_checkpoints:
            kept = folder / f"checkpoint-{tokens}.safetensors"
            shutil.copyfile(work / f"{name}-{tokens}" / WEIGHTS_FILE, kept)
            registry[name].setdefault("checkpoints", {})[str(tokens)] = models.sha256(kept)
    content = json.dumps(dict(sorted(registry.items())), indent=2) + "\n"
    models.REGISTRY.write_text(content, encoding="utf-8")
    write_card(name)


if __name__ == "__main__":
    main()
