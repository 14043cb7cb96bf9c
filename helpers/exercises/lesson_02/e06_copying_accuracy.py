"""Exercise 2.6: copying by the full OV circuit."""

import torch

from helpers.circuits import copying_accuracy
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator

BLOCK_SIZES = (64, 100, 128, 200, 256, 300, 400, 500, 512, 1000, 1024)  # rows per block that learners choose


def _hits(A, B, k, size=512, own=lambda rows, start: rows.diagonal(offset=start)):
    """The hits of each block of ``size`` rows, as 0s and 1s."""
    for start in range(0, len(A), size):
        rows = A[start : start + size] @ B
        yield ((rows > own(rows, start)[:, None]).sum(dim=1) < k).float()


def _own_entry_of_the_block(size):
    own = lambda rows, start: rows.diagonal()  # noqa: E731
    return lambda A, B, k=1: torch.cat(list(_hits(A, B, k, size, own))).mean()


def _last_rows_left_out(size):
    def answer(A, B, k=1):
        full = list(_hits(A, B, k, size))[: len(A) // size]
        return sum((hits.sum() for hits in full), torch.tensor(0.0)) / len(A)

    return answer


def _mean_of_means(size):
    return lambda A, B, k=1: torch.stack([hits.mean() for hits in _hits(A, B, k, size)]).mean()


def _mistakes_in_blocks():
    """Mistakes that depend on the number of rows per block, for the sizes that learners choose."""
    for size in BLOCK_SIZES:
        yield Mistake(
            "own entry of the block",
            "inside a block the own entry of row t is t itself: add the block's start.",
            _own_entry_of_the_block(size),
        )
        yield Mistake(
            "last rows left out", "the rows after the last full block are missing.", _last_rows_left_out(size)
        )
        yield Mistake(
            "mean of the blocks' means",
            "blocks differ in length: count all hits, then divide once by d_vocab.",
            _mean_of_means(size),
        )


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: the whole matrix and torch.topk."""
    for d_vocab, k in [
        (1100, 5),
        (607, 2),
        (50, 1),
        (11, 3),
        (21, 17),
    ]:  # 1100: blocks; 17 of 21: own entries below 0
        A, B = _factors(d_vocab, 12, seed=d_vocab)
        top = (A @ B).topk(k, dim=1).indices
        expected = (top == torch.arange(d_vocab)[:, None]).any(dim=1).float().mean()
        trial.matches((A, B, k), expected, "", tolerance=1e-4)
        if k == 1:  # the default
            trial.matches((A, B), expected, "", tolerance=1e-4)


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
            "mean over the places",
            "the mean runs over the k places, too. Combine the places of a token first, with any(dim=1).",
            lambda A, B, k=1: copying_accuracy(A, B, k) / k,
        ),
        Mistake(
            "absolute values",
            "a very negative entry lowers the logit: do not take absolute values.",
            lambda A, B, k=1: (
                ((A @ B).abs().topk(k, 1).indices == torch.arange(len(A))[:, None]).any(1).float().mean()
            ),
        ),
        Mistake(
            "a count",
            "this is the number of tokens; divide by d_vocab.",
            lambda A, B, k=1: len(A) * copying_accuracy(A, B, k),
        ),
        *_mistakes_in_blocks(),
        Mistake(
            "one too many",
            "with k = 1 the own token must be first: fewer than k entries may be higher.",
            lambda A, B, k=1: copying_accuracy(A, B, k + 1),
        ),
    ),
)
