"""Exercise 2.9: a previous-token head from its weights alone."""

from functools import partial

import torch

from helpers.circuits import previous_position_weight
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _variant(
    W_pos,
    W_Q,
    W_K,
    scale=lambda d_model, d_head: d_head**0.5,
    first_masked: int | None = 1,
    dim=-1,
    offset=-1,
):
    """The measure with another scale, mask (from this diagonal upwards), softmax or diagonal."""
    scores = W_pos @ W_Q @ (W_pos @ W_K).T / scale(*W_Q.shape)
    if first_masked is not None:
        masked = torch.ones_like(scores, dtype=torch.bool).triu(first_masked)
        scores = scores.masked_fill(masked, -torch.inf)
    return scores.softmax(dim=dim).diagonal(offset).nan_to_num().mean()


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over positions."""
    for seed, (pos, d_model, d_head) in enumerate([(6, 5, 3), (9, 7, 4)]):
        W_pos = torch.randn(pos, d_model, generator=generator(seed))
        W_Q, W_K = torch.randn(2, d_model, d_head, generator=generator(seed + 5)).unbind()
        expected = 0.0
        for i in range(1, pos):
            row = torch.stack([(W_pos[i] @ W_Q) @ (W_pos[j] @ W_K) / d_head**0.5 for j in range(i + 1)])
            expected += row.softmax(0)[i - 1] / (pos - 1)
        trial.matches((W_pos, W_Q, W_K), expected, "")


EXERCISE = Exercise(
    id="2.9",
    title="a previous-token head from its weights",
    minutes=6,
    difficulty=2,
    hints=(
        "Give the head nothing but positions. The scores of all positions with all positions are "
        "`W_pos W_Q` (`W_pos W_K`)ᵀ / `√d_head`.",
        "Mask the later positions, take the softmax over the keys, then the mean of the diagonal one below the main one.",
    ),
    reference=previous_position_weight,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake(
            "scale missing",
            "the scores are not divided by √d_head.",
            partial(_variant, scale=lambda d_model, d_head: 1),
        ),
        Mistake(
            "mask missing",
            "later positions get weight: mask them before the softmax.",
            partial(_variant, first_masked=None),
        ),
        Mistake(
            "current position",
            "this is the main diagonal: go one below.",
            partial(_variant, offset=0),
        ),
        Mistake("off by one", "this diagonal is two below: go one below.", partial(_variant, offset=-2)),
        Mistake(
            "next position",
            "this diagonal is above the main one: go one below.",
            partial(_variant, first_masked=None, offset=1),
        ),
        Mistake(
            "next position",
            "this diagonal is above the main one, where the mask left only 0s: go one below.",
            partial(_variant, offset=1),
        ),
        Mistake(
            "mask hides the position itself",
            "the mask hides the query's own position, too: triu(1).",
            partial(_variant, first_masked=0),
        ),
        Mistake(
            "divided by all positions",
            "position 0 has no position before it: take the mean over the others.",
            lambda W_pos, *weights: _variant(W_pos, *weights) * (len(W_pos) - 1) / len(W_pos),
        ),
        Mistake(
            "scale is √d_model",
            "the scores are divided by √d_model; queries and keys have d_head numbers.",
            partial(_variant, scale=lambda d_model, d_head: d_model**0.5),
        ),
        Mistake(
            "softmax over the query axis",
            "each query's weights sum to 1: dim=-1.",
            partial(_variant, dim=0),
        ),
        Mistake(
            "transposed W_QK",
            "W_Q and W_K are swapped: W_Q belongs to the query.",
            lambda W_pos, W_Q, W_K: _variant(W_pos, W_K, W_Q),
        ),
        Mistake(
            "positions skipped",
            "the head's weights are compared with each other; give them the positions to read.",
            lambda W_pos, W_Q, W_K: (W_Q @ W_K.T / W_Q.shape[-1] ** 0.5).softmax(-1).diagonal(-1).mean(),
        ),
    ),
)
