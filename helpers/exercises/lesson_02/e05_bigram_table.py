"""Exercise 2.5: measured bigrams."""

import torch

from helpers.circuits import bigram_table
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _counts_only(tokens, d_vocab):
    counts = torch.zeros(d_vocab, d_vocab)
    counts.index_put_((tokens[:-1], tokens[1:]), torch.tensor(1.0), accumulate=True)
    return counts


def _share(counts, dim=1):
    return counts / counts.sum(dim=dim, keepdim=True).clamp(min=1)


def _without_repeats(tokens, d_vocab):
    counts = torch.zeros(d_vocab, d_vocab)
    counts[tokens[:-1], tokens[1:]] += 1
    return _share(counts)


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over pairs with a dictionary."""
    for seed, d_vocab in enumerate([5, 8]):
        tokens = torch.randint(d_vocab - 1, (60,), generator=generator(seed))
        expected = torch.zeros(d_vocab, d_vocab)
        followers: dict[int, list[int]] = {}
        for first, second in zip(tokens.tolist(), tokens.tolist()[1:]):
            followers.setdefault(first, []).append(second)
        for first, seconds in followers.items():
            for second in seconds:
                expected[first, second] += 1 / len(seconds)
        trial.matches((tokens, d_vocab), expected, "first second")


EXERCISE = Exercise(
    id="2.5",
    title="measured bigrams",
    minutes=5,
    difficulty=1,
    hints=(
        "The pairs are tokens[:-1] with tokens[1:].",
        "index_put_ with accumulate=True adds 1 for every pair, also for one that comes again; `table[a, b] += 1` does not.",
        "Divide each row by its sum, where it is not 0.",
    ),
    reference=bigram_table,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake("counts, not shares", "divide each row by its sum.", _counts_only),
        Mistake(
            "repeats lost",
            "`table[a, b] += 1` counts a pair once however often it comes: use index_put_ with accumulate=True.",
            _without_repeats,
        ),
        Mistake(
            "shares of the second token",
            "each row (a first token) sums to 1, not each column.",
            lambda tokens, d_vocab: _share(_counts_only(tokens, d_vocab), dim=0),
        ),
        Mistake(
            "first and second swapped",
            "rows are the first token of a pair; the two are swapped.",
            lambda tokens, d_vocab: _share(_counts_only(tokens.flip(0), d_vocab)),
        ),
        Mistake(
            "shares of all pairs",
            "divide each row by its own sum, not all by the number of pairs.",
            lambda tokens, d_vocab: _counts_only(tokens, d_vocab) / (len(tokens) - 1),
        ),
        Mistake(
            "sums beside the columns",
            "each row is divided by its own sum; without keepdim=True the sums are laid along the columns.",
            lambda tokens, d_vocab: (
                _counts_only(tokens, d_vocab) / _counts_only(tokens, d_vocab).sum(1).clamp(min=1)
            ),
        ),
        Mistake(
            "NaN in empty rows",
            "a token that is never first has no followers: leave its row 0 instead of dividing by 0.",
            lambda tokens, d_vocab: (
                _counts_only(tokens, d_vocab) / _counts_only(tokens, d_vocab).sum(1, keepdim=True)
            ),
        ),
        Mistake(
            "circle closed",
            "the last token is paired with the first one: tokens.roll goes round.",
            lambda tokens, d_vocab: bigram_table(torch.cat([tokens, tokens[:1]]), d_vocab),
        ),
    ),
)
