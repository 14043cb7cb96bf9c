"""Exercise 2.6: copying by the full OV circuit."""

import torch

from helpers.circuits import copying_accuracy
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator

BLOCK_SIZES = (100, 128, 200, 256, 300, 500, 512)  # rows per block that learners choose


def _hits(A, B, k, size=512, own=lambda rows, start: rows.diagonal(offset=start)):
    """The hits of each block of ``size`` rows, as 0s and 1s."""
    for start in range(0, len(A), size):
        rows = A[start : start + size] @ B
        yield ((rows > own(rows, start)[:, None]).sum(dim=1) < k).float()


def _own_entry_of_the_block(size):
    return lambda A, B, k=1: torch.cat(
        list(_hits(A, B, k, size, own=lambda rows, start: rows.diagonal()))
    ).mean()


def _last_rows_left_out(size):
    return lambda A, B, k=1: torch.cat(list(_hits(A, B, k, size))[: len(A) // size]).sum() / len(A)


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: the whole matrix and torch.topk."""
    for d_vocab, k in [(1100, 5), (607, 2), (600, 1)]:  # the first tells the mistakes apart
        A, B = _factors(d_vocab, 12, seed=d_vocab)
        top = (A @ B).topk(k, dim=1).indices
        expected = (top == torch.arange(d_vocab)[:, None]).any(dim=1).float().mean()
        trial.matches((A, B, k), expected, "", tolerance=1e-4)


def _factors(d_vocab: int, d_head: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factors of a matrix that copies somewhat."""
    A = torch.randn(d_vocab, d_head, generator=generator(seed)) * torch.linspace(0.2, 2, d_vocab)[:, None]
    sign = torch.ones(d_vocab)
    sign[::4] = -1  # some tokens lower themselves, so that the lowest entries are not an empty set
    B = A.T * 0.7 * sign + torch.randn(d_head, d_vocab, generator=generator(seed + 1))
    return _in_64ths(A), _in_64ths(B)


def _in_64ths(x):
    """Round to 64ths, so that sums of products are exact in any order."""
    return (x * 64).round() / 64


EXERCISE = Exercise(
    id="2.6",
    title="does the full OV circuit copy?",
    minutes=8,
    difficulty=2,
    hints=(
        "Row t of A B says which tokens' logits rise when a head attends to t. "
        "Token t is copied if entry t is among the `k` highest of its row.",
        "Take some hundred rows at a time: `A[start : start + 512] @ B`.",
        "Count the entries that are higher than the row's own; fewer than `k` means a hit.",
    ),
    reference=copying_accuracy,
    tests=(_equals_the_full_matrix,),
    mistakes=(
        Mistake(
            "columns instead of rows",
            "rows are the token attended to; the columns were ranked.",
            lambda A, B, k=1: copying_accuracy(B.T, A.T, k),
        ),
        Mistake(
            "only the first place",
            "k is not used: the own token may be among the k highest.",
            lambda A, B, k=1: copying_accuracy(A, B, 1),
        ),
        Mistake(
            "lowest instead of highest",
            "these are the lowest entries of each row.",
            lambda A, B, k=1: copying_accuracy(-A, B, k),
        ),
        Mistake(
            "absolute values",
            "a very negative entry lowers the logit: do not take absolute values.",
            lambda A, B, k=1: (
                ((A @ B).abs().topk(k, 1).indices == torch.arange(len(A))[:, None]).any(1).float().mean()
            ),
        ),
        Mistake(
            "percent",
            "this is in percent; a fraction between 0 and 1 is asked for.",
            lambda A, B, k=1: 100 * copying_accuracy(A, B, k),
        ),
        Mistake(
            "a count",
            "this is the number of tokens; divide by d_vocab.",
            lambda A, B, k=1: len(A) * copying_accuracy(A, B, k),
        ),
        *(
            Mistake(
                "own entry of the block",
                "inside a block the own entry of row t is t itself: add the block's start.",
                _own_entry_of_the_block(size),
            )
            for size in BLOCK_SIZES
        ),
        *(
            Mistake(
                "last rows left out",
                "the rows after the last full block are missing.",
                _last_rows_left_out(size),
            )
            for size in BLOCK_SIZES
        ),
        Mistake(
            "mean of the blocks' means",
            "blocks differ in length: count all hits, then divide once by d_vocab.",
            lambda A, B, k=1: torch.stack([hits.mean() for hits in _hits(A, B, k)]).mean(),
        ),
        Mistake(
            "one too many",
            "with k = 1 the own token must be first: fewer than k entries may be higher.",
            lambda A, B, k=1: copying_accuracy(A, B, k + 1),
        ),
    ),
)
