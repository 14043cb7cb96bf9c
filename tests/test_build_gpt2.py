"""The recipe of the small GPT-2: its training data, and the weights it starts from."""

from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from helpers.build.gpt2 import story_rows
from helpers.build.train import SHIPPED
from helpers.models import DATA

RECIPE = SHIPPED["ioi-gpt2"].recipe


def test_rows_are_stories_in_the_stated_fraction():
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    recipe = replace(RECIPE, batch=300, story_count=2000, stories=0.4, repeated=0.0)
    rows = next(recipe.batches(torch.full((10_000,), 7), tokenizer))
    assert rows.shape == (300, recipe.n_ctx) and (rows[:, 0] == tokenizer.bos_token_id).all()
    assert (rows[:, 1:] != 7).any(dim=1).float().mean().item() == pytest.approx(0.4, abs=0.1)


def test_rows_do_not_depend_on_padding_asked_for_before():
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    rows = [next(story_rows(tokenizer, 32, seed=0, story_count=20))]
    tokenizer(["a", "a cat"], padding=True)
    rows.append(next(story_rows(tokenizer, 32, seed=0, story_count=20)))
    assert torch.equal(*rows)


def test_the_model_starts_with_unit_positions_in_few_directions():
    model = RECIPE.initial_model(bos=0)
    assert model.config.n_layer == RECIPE.n_layers and model.lm_head.weight is model.transformer.wte.weight
    positions = model.transformer.wpe.weight
    assert torch.linalg.matrix_rank(positions) <= RECIPE.position_directions
    torch.testing.assert_close(positions.norm(dim=1), torch.ones(RECIPE.n_ctx))
