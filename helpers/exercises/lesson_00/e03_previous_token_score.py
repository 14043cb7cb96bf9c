"""Exercise 0.3: a score that finds previous-token heads."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import previous_token_score


def _diagonal(pattern, offset=-1):
    return pattern.diagonal(offset=offset, dim1=-2, dim2=-1)


def _score_equals_loop(trial: Trial) -> None:
    """Oracle: the definition as a loop; a previous-token head scores 1, a current-token head 0."""
    for seed, (layers, heads, pos) in enumerate([(2, 3, 5), (3, 4, 8)]):
        # attention to the future as well: every diagonal differs, and so does every mistake
        pattern = (3 * torch.randn(layers, heads, pos, pos, generator=generator(seed))).softmax(dim=-1)
        expected = torch.zeros(layers, heads)
        for query in range(1, pos):
            expected += pattern[:, :, query, query - 1] / (pos - 1)
        trial.matches((pattern,), expected, "layer head")
    perfect = torch.stack([torch.eye(6).roll(-1, dims=1), torch.eye(6)])[None]
    trial.matches((perfect,), torch.tensor([[1.0, 0.0]]), "layer head")


EXERCISE = Exercise(
    id="0.3",
    title="find the previous-token head",
    minutes=5,
    difficulty=1,
    hints=(
        "In a pattern [query, key], on which diagonal are the entries whose key is query - 1?",
        "`pattern.diagonal(offset=-1, dim1=-2, dim2=-1)` takes the entries one below the main diagonal, "
        "for all layers and heads at once.",
        "Average over the queries that have a previous token: n - 1 of n.",
    ),
    reference=previous_token_score,
    tests=(_score_equals_loop,),
    mistakes=(
        Mistake(
            "current token",
            "this is the main diagonal, where a token attends to itself: go one below.",
            lambda pattern: _diagonal(pattern, 0).mean(-1),
        ),
        Mistake(
            "next token",
            "this is the diagonal above, the future, which is always 0: use offset=-1.",
            lambda pattern: _diagonal(pattern, 1).mean(-1),
        ),
        Mistake(
            "off by one",
            "this diagonal is two below: the key is two tokens back.",
            lambda pattern: _diagonal(pattern, -2).mean(-1),
        ),
        Mistake(
            "sum instead of mean",
            "the attention is summed over the queries; take the mean.",
            lambda pattern: _diagonal(pattern).sum(-1),
        ),
        Mistake(
            "divided by the length",
            "the first query has no previous token: divide by n - 1, not n.",
            lambda pattern: _diagonal(pattern).sum(-1) / pattern.shape[-1],
        ),
        Mistake(
            "maximum instead of mean",
            "the maximum depends on a single query; take the mean over the queries.",
            lambda pattern: _diagonal(pattern).amax(-1),
        ),
        Mistake(
            "axes transposed",
            "expected [layer, head]; layer and head are swapped.",
            lambda pattern: _diagonal(pattern).mean(-1).T,
        ),
        Mistake(
            "averaged over the layers",
            "the layers are averaged together; keep the axis: [layer, head].",
            lambda pattern: _diagonal(pattern).mean(dim=(0, -1)),
        ),
    ),
)
