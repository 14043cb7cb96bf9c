"""The command that makes the transcoder, at a size that trains in seconds."""

import json
import shutil
from dataclasses import asdict, replace

import pytest
import torch

from helpers import models, transcoders
from helpers.build import transcoder
from tests.books import write_books

TINY = transcoder.TranscoderRecipe(features=64, k=4, steps=12, rows=4, warmup_steps=3, story_count=200)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with the model, the tokenizer and the registry, that stands in for ``data/``."""
    folder = tmp_path / "data"
    for name in ("ioi-gpt2", "tokenizer"):
        shutil.copytree(models.DATA / name, folder / name)
    shutil.copyfile(models.REGISTRY, folder / "models.json")
    for module in (models, transcoders):
        monkeypatch.setattr(module, "DATA", folder)
    monkeypatch.setattr(models, "REGISTRY", folder / "models.json")
    return folder


def test_the_command_ships_a_transcoder_that_loads(data, monkeypatch, capsys):
    monkeypatch.setattr(transcoder, "TranscoderRecipe", lambda seed: replace(TINY, seed=seed))
    monkeypatch.setattr(transcoder.TranscoderRecipe, "seed", 0, raising=False)
    monkeypatch.setattr("sys.argv", ["transcoder"])
    transcoder.main()
    loaded = transcoders.load_transcoder()
    record = json.loads((data / "ioi-gpt2/transcoder.json").read_text(encoding="utf-8"))
    assert record == json.loads(capsys.readouterr().out) and record["recipe"] == asdict(TINY)
    assert loaded.W_enc.shape == (256, 64) and (loaded.k, loaded.layer) == (4, 0)
    card = " ".join((data / "ioi-gpt2/README.md").read_text(encoding="utf-8").split())
    assert f"{record['variance_explained']:.3f} of the variance of the MLP's output" in card


def test_another_seed_ships_nothing(data, monkeypatch):
    before = (data / "models.json").read_bytes()
    monkeypatch.setattr(transcoder, "TranscoderRecipe", lambda seed: replace(TINY, steps=1, seed=seed))
    monkeypatch.setattr(transcoder.TranscoderRecipe, "seed", 0, raising=False)
    monkeypatch.setattr("sys.argv", ["transcoder", "--seed", "1"])
    transcoder.main()
    assert (data / "models.json").read_bytes() == before


def test_training_lowers_the_error_and_repeats_itself(shipped_model):
    model = shipped_model("ioi-gpt2")
    figures = []
    for steps in (1, 30, 30):
        recipe = replace(TINY, steps=steps)
        trained, _ = transcoder.train(model, recipe, transcoder.batches(model, recipe))
        figures.append(transcoder.measure(model, trained))
    assert figures[1]["variance_explained"] > figures[0]["variance_explained"] + 0.1
    assert figures[1] == pytest.approx(figures[2], abs=1e-3)


def test_a_corpus_fills_every_second_row(shipped_model, tmp_path):
    model = shipped_model("ioi-gpt2")
    write_books(tmp_path / "books")
    plain = next(transcoder.batches(model, TINY))
    mixed = next(transcoder.batches(model, TINY, tmp_path / "books"))
    assert torch.equal(plain[1::2], mixed[1::2]) and (plain[::2, 1:] != mixed[::2, 1:]).any(dim=1).all()
    assert (mixed[:, 0] == model.tokenizer.bos_token_id).all()


def test_the_recorded_recipe_is_that_of_the_command():
    record = json.loads((models.DATA / "ioi-gpt2/transcoder.json").read_text(encoding="utf-8"))
    assert record["recipe"] == asdict(transcoder.TranscoderRecipe())
