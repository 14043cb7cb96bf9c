"""``python -m helpers.build.train NAME --corpus DIR`` makes ``data/NAME`` from any folder of ``.txt`` files.

NAME is ``tokenizer`` (once, before the models) or one of the models below. A two-layer model takes about an hour and a
half on two cores. ``--work`` keeps the encoded corpus and the checkpoints.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import tempfile
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from helpers.build import gpt2
from helpers.build.attn_only import Recipe, batches
from helpers.build.corpus import BOS, encode, read_books, train_tokenizer
from helpers.build.loop import train
from helpers.build.model_cards import write_card
from helpers.build.model_facts import bigram_correlation, ioi_progress, progress
from helpers.models import DATA, REGISTRY, booted, sha256, shipped
from helpers.shortformer import ShortformerModel, initialise, wrap

D_VOCAB = 3072
RECIPES = {
    "attn-only-0l": Recipe(n_layers=0, tokens=6_000_000),
    "attn-only-1l": Recipe(n_layers=1, tokens=12_000_000),
    "attn-only-2l": Recipe(n_layers=2, tokens=30_000_000),
    "ioi-gpt2": gpt2.Recipe(tokens=20_000_000),
}
CHECKPOINTS = {
    "attn-only-0l": [],
    "attn-only-1l": [],
    "attn-only-2l": [int(m * 1e6) for m in (0, 1, 2, 3, 4, 5, 6, 8, 12, 20)],
    "ioi-gpt2": [int(m * 1e6) for m in range(0, 20, 2)],
}

SHIPPED_CHECKPOINTS_MILLION_TOKENS = {
    "attn-only-2l": (4, 5, 6)
}  # millions of tokens: before, in and after the forming of the induction head
PURPOSE = {
    "attn-only-0l": "bigrams: what embedding and unembedding say alone",
    "attn-only-1l": "skip-trigrams: attention without composition",
    "attn-only-2l": "induction heads: attention heads that compose",
    "ioi-gpt2": "indirect object identification: a small GPT-2 with LayerNorm and MLPs",
}


def _make_tokenizer(corpus: Path) -> None:
    """Train the shared tokenizer and save it so that ``PreTrainedTokenizerFast.from_pretrained`` loads it."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(read_books(corpus)[0], D_VOCAB),
        **dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), BOS),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(DATA / "tokenizer")


def _encoded(corpus: Path, work: Path, tokenizer: PreTrainedTokenizerFast) -> list[torch.Tensor]:
    """Training and held-out text as token ids, computed once and kept in ``work``."""
    arrays = []
    for name, files in zip(("train", "held_out"), read_books(corpus)):
        of = [tokenizer.backend_tokenizer.to_str(), *((file.name, file.stat().st_size) for file in files)]
        file = work / f"{name}-{hashlib.sha256(repr(of).encode()).hexdigest()[:16]}.npy"
        if not file.exists():
            np.save(file, encode(tokenizer.backend_tokenizer, files))
        arrays.append(torch.from_numpy(np.load(file).astype(np.int32)))
    return arrays


def _bridge_of(model: ShortformerModel, tokenizer, name: str):
    """A bridge around a copy of the model, with the weights as they are stored: rounded to half precision."""
    copy = ShortformerModel(model.cfg)
    copy.load_state_dict({key: weight.half().float().cpu() for key, weight in model.state_dict().items()})
    return wrap(copy, tokenizer, name)


def _make_ioi_model(name: str, corpus: Path, work: Path) -> None:
    """Train the small GPT-2, measure as it goes, save it in Hugging Face format with measurements and card."""
    recipe = RECIPES[name]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    text, held_out = _encoded(corpus, work, tokenizer)
    windows = _held_out_windows(held_out, recipe.n_ctx, tokenizer.bos_token_id)
    model = gpt2.initialise(recipe, tokenizer.bos_token_id)
    records = []

    def on_checkpoint(model, seen: int) -> None:
        folder = work / f"{name}-{seen}"
        deepcopy(model).half().save_pretrained(folder)
        records.append(
            {"tokens": seen, **ioi_progress(booted(str(folder), "cpu", tokenizer=tokenizer), windows)}
        )
        print(json.dumps(records[-1]), flush=True)

    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = gpt2.rows(text, tokenizer, recipe)
    seconds = train(
        model, lambda tokens: model(tokens).logits, rows, recipe, on_checkpoint, CHECKPOINTS[name], device
    )
    last = work / f"{name}-{records[-1]['tokens']}"
    config = (last / "config.json").read_text()
    _ship(name, last / "model.safetensors", config, _described(name, text, seconds, records))


def _held_out_windows(held_out: torch.Tensor, n_ctx: int, bos: int) -> torch.Tensor:
    """64 windows of held-out text, each after a beginning-of-text token."""
    if len(held_out) < 64 * (n_ctx - 1):
        raise ValueError(
            f"expected {64 * (n_ctx - 1)} held-out tokens or more, got {len(held_out)}: take larger books."
        )
    return F.pad(held_out[: 64 * (n_ctx - 1)].view(64, -1).long(), (1, 0), value=bos)


def _described(name: str, text: torch.Tensor, seconds: float, records: list[dict]) -> dict:
    """What is written down of a training run."""
    gpu = torch.cuda.is_available()
    return {
        "command": f"python -m helpers.build.train {name} --corpus DIR",
        "recipe": asdict(RECIPES[name]),
        "corpus_tokens": len(text),
        "seconds": round(seconds),
        "machine": torch.cuda.get_device_name()
        if gpu
        else f"{os.cpu_count()} CPU cores ({platform.machine()})",
        "torch": torch.__version__.split("+")[0],
        "checkpoints": records,
    }


def _make_model(name: str, corpus: Path, work: Path) -> None:
    """Train, measure as it goes, save weights, measurements and card."""
    recipe = RECIPES[name]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    text, held_out = _encoded(corpus, work, tokenizer)
    windows = _held_out_windows(held_out, recipe.n_ctx, tokenizer.bos_token_id)
    records = []

    def on_checkpoint(model: ShortformerModel, seen: int) -> None:
        bridge = _bridge_of(model, tokenizer, name)
        records.append({"tokens": seen, **progress(bridge, windows)})
        print(json.dumps(records[-1]), flush=True)
        save_file(
            {key: weight.half() for key, weight in bridge.state_dict().items()},
            work / f"{name}-{seen}.safetensors",
        )

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, bos = ShortformerModel(recipe.config()), tokenizer.bos_token_id
    initialise(model, recipe.seed, recipe.position_directions, recipe.position_length)
    seconds = train(
        model, model, batches(text, recipe, bos), recipe, on_checkpoint, CHECKPOINTS[name], device
    )
    run = _described(name, text, seconds, records)
    if recipe.n_layers == 0:
        weights = work / f"{name}-{records[-1]['tokens']}.safetensors"
        model = wrap(ShortformerModel(recipe.config()), tokenizer, name)
        model.load_state_dict({key: weight.float() for key, weight in load_file(weights).items()})
        run["bigrams"] = bigram_correlation(model, text)
    sizes = ("n_layers", "n_heads", "d_model", "d_head", "n_ctx", "d_vocab")
    config = json.dumps({key: run["recipe"][key] for key in sizes}, indent=2) + "\n"
    _ship(name, work / f"{name}-{records[-1]['tokens']}.safetensors", config, run)


def _ship(name: str, weights: Path, config: str, run: dict) -> None:
    """Put weights, kept checkpoints, configuration, measurements and card into ``data/NAME`` and the registry."""
    folder = DATA / name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(config)
    (folder / "training.json").write_text(json.dumps(run, indent=1) + "\n")
    registry = shipped() if REGISTRY.exists() else {}
    recipe = run["recipe"]
    registry[name] = {
        "sha256": sha256(folder / "model.safetensors"),
        "layers": recipe["n_layers"],
        "heads": recipe["n_heads"] if recipe["n_layers"] else 0,
        "d_model": recipe["d_model"],
        "megabytes": round(weights.stat().st_size / 1e6, 1),
        "use": PURPOSE[name],
    }
    for record in run["checkpoints"]:
        if record["tokens"] // 1_000_000 in SHIPPED_CHECKPOINTS_MILLION_TOKENS.get(name, ()):
            kept = folder / f"checkpoint-{record['tokens']}.safetensors"
            shutil.copyfile(weights.parent / f"{name}-{record['tokens']}.safetensors", kept)
            registry[name].setdefault("checkpoints", {})[str(record["tokens"])] = sha256(kept)
    REGISTRY.write_text(json.dumps(dict(sorted(registry.items())), indent=2) + "\n")
    write_card(name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.training", description=__doc__)
    parser.add_argument("name", choices=["tokenizer", *RECIPES])
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .txt files")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "circuits-training")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.name == "tokenizer":
        _make_tokenizer(arguments.corpus)
    else:
        make = _make_ioi_model if arguments.name == "ioi-gpt2" else _make_model
        make(arguments.name, arguments.corpus, arguments.work)


if __name__ == "__main__":
    main()
