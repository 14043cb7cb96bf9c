"""The stored effects of the edges of ioi-gpt2, against a sample that is computed again."""

import json

import pytest
import torch

from helpers import models
from helpers.build import ioi_edges
from helpers.edges import Graph, strongest


def stored(exists: torch.Tensor, order: str) -> torch.Tensor:
    """The stored effects of one order, as a matrix."""
    record = json.loads((models.DATA / ioi_edges.MODEL / ioi_edges.FILE).read_text(encoding="utf-8"))
    prompts = dict(count=ioi_edges.COUNT, seed=ioi_edges.SEED, templates=ioi_edges.N_TEMPLATES)
    assert record["prompts"] == prompts | dict(corruption="abc")
    effects = torch.full(exists.shape, torch.nan)
    effects[exists] = torch.tensor(record["effects"][order])
    return effects


@pytest.mark.parametrize("order", ["abba", "baba"])
def test_stored_effects_are_those_of_the_model(order, shipped_model):
    model = shipped_model(ioi_edges.MODEL)
    exists = Graph(model).exists
    effects = stored(exists, order)
    generator = torch.Generator().manual_seed(0)
    sample = strongest(effects, 15) | (exists & (torch.rand(exists.shape, generator=generator) < 0.01))
    again = ioi_edges.effects_of(model, order, sample)
    torch.testing.assert_close(again[sample], effects[sample], atol=2e-3, rtol=1e-3)


def test_the_command_writes_what_the_lesson_reads(tmp_path, monkeypatch):
    exists = Graph(models.load_model(ioi_edges.MODEL)).exists
    effects = torch.arange(exists.numel()).view(exists.shape).float().where(exists, torch.nan)
    monkeypatch.setattr(ioi_edges, "effects_of", lambda model, order: effects + (order == "baba"))
    monkeypatch.setattr(models, "DATA", tmp_path)
    monkeypatch.setattr(models, "load_model", lambda name: None)
    (tmp_path / ioi_edges.MODEL).mkdir()
    ioi_edges.main()
    for order, shift in {"abba": 0, "baba": 1}.items():
        torch.testing.assert_close(stored(exists, order), effects + shift, equal_nan=True)
