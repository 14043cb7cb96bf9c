"""The recipe of the attention-only models: its training data, and the weights it starts from."""

import pytest
import torch

from helpers.build.attn_only import AttentionOnlyRecipe, book_batches
from helpers.shortformer import sinusoids


def test_batches_begin_with_bos_and_repeat_spans_in_the_stated_fraction():
    text = torch.arange(1, 100_000)  # every token once, so that a repeat is a copied span
    recipe = AttentionOnlyRecipe(
        n_layers=1, tokens=0, n_ctx=64, batch=500, repeated=0.3, span_lengths=(4, 20)
    )
    rows = next(book_batches(text, recipe, bos=0))
    assert rows.shape == (500, 64) and (rows[:, 0] == 0).all() and (rows[:, 1:] > 0).all()
    repeats = torch.tensor([len(set(row.tolist())) < 64 for row in rows])
    assert repeats.float().mean().item() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(rows, next(book_batches(text, recipe, bos=0)))  # seeded


def test_positions_start_as_unit_rows_in_few_directions():
    torch.testing.assert_close(sinusoids(40, 8).norm(dim=1), torch.ones(40))
    recipe = AttentionOnlyRecipe(n_layers=1, tokens=0, d_model=16, n_ctx=40, position_directions=8)
    model = recipe.initial_model(bos=0)
    assert torch.linalg.matrix_rank(model.pos.weight) == 8
