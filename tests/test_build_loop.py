"""The training loop, at a size that trains in seconds."""

import pytest
import torch

from helpers.build.attn_only import AttentionOnlyRecipe, book_batches
from helpers.build.loop import learning_rate, train

TINY = AttentionOnlyRecipe(
    n_layers=1, tokens=48_000, n_heads=2, d_head=8, d_model=16, n_ctx=40, d_vocab=50, batch=4,
    position_directions=8, span_lengths=(4, 12), warmup_steps=10,
)  # fmt: skip


def test_the_learning_rate_warms_up_and_falls_to_five_percent():
    rates = [learning_rate(step, TINY) for step in range(TINY.steps + 1)]
    assert rates[0] < 0.2 * TINY.lr and max(rates) <= TINY.lr and rates[-1] == pytest.approx(0.05 * TINY.lr)


def test_training_learns_and_reports_at_its_checkpoints():
    text = torch.arange(20_000) % 49 + 1  # after n comes n + 1
    losses, token_counts = [], []

    def on_checkpoint(model, tokens):
        logits = model(text[None, :30])
        losses.append(torch.nn.functional.cross_entropy(logits[0, :-1], text[1:30]).item())
        token_counts.append(tokens)

    batches = book_batches(text, TINY, bos=0)
    seconds = train(TINY.initial_model(bos=0), batches, TINY, on_checkpoint, [0, 4000, 8000], "cpu")
    assert seconds > 0 and token_counts == [0, 4000, 8000, TINY.steps * 160]
    assert losses[-1] < 0.3 * losses[0]
