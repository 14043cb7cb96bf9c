"""The command that makes the shipped models, at a size that trains in seconds."""

import json
import shutil
from dataclasses import asdict, replace
from functools import partial

import pytest

from helpers import models
from helpers.build import train
from helpers.build.attn_only import AttentionOnlyRecipe
from tests.books import write_books

TOKENIZER = models.DATA / "tokenizer"
TINY = AttentionOnlyRecipe(
    n_layers=2, tokens=20_000, n_heads=2, d_head=8, d_model=16, n_ctx=128, d_vocab=1200, batch=4,
    position_directions=8, span_lengths=(4, 30),
)  # fmt: skip
TINY_GPT2 = replace(
    train.SHIPPED["ioi-gpt2"].recipe, tokens=3000, n_layers=2, n_heads=2, d_model=16, d_mlp=24, n_ctx=64,
    batch=4, story_count=1500, position_directions=8, span_lengths=(4, 12),
)  # fmt: skip


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder that stands in for ``data/``."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setattr(models, "DATA", folder)
    monkeypatch.setattr(models, "REGISTRY", folder / "models.json")
    return folder


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that runs the command on a small corpus, with another recipe than the model's own."""
    books = write_books(tmp_path / "books")

    def run(name, recipe=None):
        if recipe:
            entry = replace(train.SHIPPED[name], recipe=recipe, measured_checkpoints=(0,))
            monkeypatch.setitem(train.SHIPPED, name, entry)
        arguments = ["train", name, "--corpus", str(books), "--work", str(tmp_path / "work")]
        monkeypatch.setattr("sys.argv", arguments)
        train.main()

    return run


def test_the_recorded_recipes_are_those_of_the_command():
    for name in models.shipped():
        run = json.loads((models.DATA / name / "training.json").read_text(encoding="utf-8"))
        assert run["recipe"] == json.loads(json.dumps(asdict(train.SHIPPED[name].recipe)))
        assert run["command"] == f"python -m helpers.build.train {name} --corpus DIR"
        assert models.shipped()[name]["use"] == train.SHIPPED[name].use


def test_the_kept_checkpoints_are_those_of_the_registry():
    for name, model in train.SHIPPED.items():
        millions = [tokens // train.MILLION for tokens in models.checkpoints(name)]
        assert tuple(millions) == model.kept_checkpoints


def test_the_command_makes_a_folder_that_loads(data, make, monkeypatch):
    """Tokenizer, then a two-layer model with registry and card, from a folder of texts."""
    small_tokenizer = partial(train.train_tokenizer, d_vocab=TINY.d_vocab)
    monkeypatch.setattr(train, "train_tokenizer", small_tokenizer)
    make("tokenizer")
    make("attn-only-2l", TINY)
    model = models.load_model("attn-only-2l")
    assert model(model.to_tokens("the cat sat")).shape == (1, 4, 1200)
    card = (data / "attn-only-2l/README.md").read_text(encoding="utf-8")
    assert "n_layers 2, n_heads 2, d_model 16, d_head 8" in card and "| K-composition with 1." in card
    run = json.loads((data / "attn-only-2l/training.json").read_text(encoding="utf-8"))
    assert len(run["checkpoints"]) == 2


def test_a_zero_layer_model_is_compared_with_the_bigrams_of_its_corpus(data, make):
    shutil.copytree(TOKENIZER, data / "tokenizer")
    make("attn-only-0l", replace(TINY, n_layers=0, d_vocab=3072, tokens=10_000))
    run = json.loads((data / "attn-only-0l/training.json").read_text(encoding="utf-8"))
    card = (data / "attn-only-0l/README.md").read_text(encoding="utf-8")
    assert run["bigrams"]["pairs"] > 100 and f"is {run['bigrams']['spearman']:.3f}." in card


def test_the_command_makes_a_gpt2_that_boots_from_its_folder(data, make):
    shutil.copytree(TOKENIZER, data / "tokenizer")
    make("ioi-gpt2", TINY_GPT2)
    model = models.load_model("ioi-gpt2")
    assert model.cfg.n_layers == 2 and hasattr(model.blocks[0], "mlp")
    assert model(model.to_tokens("Mary and John")).shape[-1] == 3072
    card = (data / "ioi-gpt2/README.md").read_text(encoding="utf-8")
    assert "n_layers 2, n_heads 2" in card and "| unseen |" in card
    run = json.loads((data / "ioi-gpt2/training.json").read_text(encoding="utf-8"))
    assert len(run["checkpoints"]) == 2 and len(run["checkpoints"][-1]["copy_score"]) == 4
    (data / "ioi-gpt2/model.safetensors").write_bytes(b"damaged")
    with pytest.raises(models.ModelError, match="weights of ioi-gpt2 are damaged"):
        models.load_model("ioi-gpt2")
