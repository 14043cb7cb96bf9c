"""Exercise 0.3: a score that finds a head."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import previous_token_score


def _current_token(patterns):
    return patterns.diagonal(offset=0, dim1=-2, dim2=-1).mean(dim=-1)


def _stripe(patterns, offset=-1):
    return patterns.diagonal(offset=offset, dim1=-2, dim2=-1)


def _score_equals_loop(trial: Trial) -> None:
    """Oracle: the definition as a loop; and a perfect previous-token head scores 1, a perfect current-token head 0."""
    for seed, (layers, heads, pos) in enumerate([(2, 3, 5), (3, 4, 8)]):
        # attention to the future too: with it every diagonal differs, and so every mistake
        patterns = (3 * torch.randn(layers, heads, pos, pos, generator=generator(seed))).softmax(dim=-1)
        expected = torch.zeros(layers, heads)
        for query in range(1, pos):
            expected += patterns[:, :, query, query - 1] / (pos - 1)
        trial.matches((patterns,), expected, "layer head")
    perfect = torch.stack([torch.eye(6).roll(-1, dims=1), torch.eye(6)])[None]
    trial.matches((perfect,), torch.tensor([[1.0, 0.0]]), "layer head")


EXERCISE = Exercise(
    id="0.3",
    title="find the previous-token head",
    minutes=5,
    difficulty=1,
    hints=(
        "In a pattern [query, key], where do the entries lie whose key is query - 1?",
        "tensor.diagonal(offset=-1, dim1=-2, dim2=-1) takes the entries one below the diagonal, "
        "for all layers and heads at once.",
        "Average over the queries that have a previous token: n - 1 of them.",
    ),
    reference=previous_token_score,
    tests=(_score_equals_loop,),
    mistakes=(
        Mistake(
            "current token",
            "this is the main diagonal, where a token attends to itself: go one below.",
            _current_token,
        ),
        Mistake(
            "next token",
            "this is the diagonal above, the future, which is always 0: use offset=-1.",
            lambda patterns: _stripe(patterns, 1).mean(-1),
        ),
        Mistake(
            "off by one",
            "this diagonal lies two below: the key is two tokens back.",
            lambda patterns: _stripe(patterns, -2).mean(-1),
        ),
        Mistake(
            "sum instead of mean",
            "the attention is summed over the queries; take the mean.",
            lambda patterns: _stripe(patterns).sum(-1),
        ),
        Mistake(
            "divided by the length",
            "the first query has no previous token: divide by n - 1, not n.",
            lambda patterns: _stripe(patterns).sum(-1) / patterns.shape[-1],
        ),
        Mistake(
            "maximum instead of mean",
            "the maximum over the queries tells of one token only; take the mean.",
            lambda patterns: _stripe(patterns).amax(-1),
        ),
        Mistake(
            "axes transposed",
            "expected [layer, head]; layer and head are swapped.",
            lambda patterns: _stripe(patterns).mean(-1).T,
        ),
        Mistake(
            "averaged over the layers",
            "the layers are averaged together; keep the axis: [layer, head].",
            lambda patterns: _stripe(patterns).mean(dim=(0, -1)),
        ),
    ),
)
