"""Exercise 0.3: a score that finds previous-token heads."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.heads import previous_token_score


def _diagonal(pattern, offset=-1):
    return pattern.diagonal(offset=offset, dim1=-2, dim2=-1)


def _score_equals_loop(trial: Trial) -> None:
    """Oracle: the definition as a loop; a previous-token head scores 1, a current-token head 0."""
    for seed, (layers, heads, pos) in enumerate([(2, 3, 5), (3, 2, 8), (2, 1, 2)]):
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
        "`Tensor.diagonal` takes a diagonal of all layers and heads at once. Choose the two axes with dim1 and dim2, "
        "and the diagonal with offset (below the main one it is negative).",
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
            "this is the diagonal above, whose keys come after the query: use offset=-1.",
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
            "second query left out",
            "the second query has a previous token, too: leave out the first query only.",
            lambda pattern: _diagonal(pattern)[..., 1:].mean(-1),
        ),
        Mistake(
            "last query left out",
            "the last query has a previous token, too: leave out the first query only.",
            lambda pattern: _diagonal(pattern)[..., :-1].mean(-1),
        ),
        Mistake(
            "any earlier token",
            "this is the attention to all earlier tokens; only the token just before counts.",
            lambda pattern: pattern.tril(-1).sum(-1)[..., 1:].mean(-1),
        ),
        *(
            Mistake(
                "first query wraps round",
                "index i - 1 is -1 for the first query: the last key. Begin at the second query.",
                lambda pattern, left_out=left_out: (
                    _diagonal(pattern.roll(1, dims=-1), 0).sum(-1) / (pattern.shape[-1] - left_out)
                ),
            )
            for left_out in (0, 1)
        ),
        Mistake(
            "diagonal of other axes",
            "diagonal takes the first two axes, layer and head: choose dim1=-2, dim2=-1.",
            lambda pattern: pattern.diagonal(-1).mean(-1),
        ),
        Mistake(
            "queries counted",
            "this is the fraction of queries whose largest weight is that of the previous token; "
            "take the mean of the weights.",
            lambda pattern: (
                (pattern.argmax(-1)[..., 1:] == torch.arange(pattern.shape[-1] - 1)).float().mean(-1)
            ),
        ),
        Mistake(
            "maximum instead of mean",
            "the maximum depends on a single query; take the mean over the queries.",
            lambda pattern: _diagonal(pattern).amax(-1),
        ),
    ),
)
