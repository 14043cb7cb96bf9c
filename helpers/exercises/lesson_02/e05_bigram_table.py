"""Exercise 2.5: measured bigrams."""

import torch

from helpers.circuits import bigram_table
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _counts(tokens, d_vocab, accumulate=True):
    counts = torch.zeros(d_vocab, d_vocab)
    return counts.index_put_((tokens[:-1], tokens[1:]), torch.tensor(1.0), accumulate=accumulate)


def _fractions(counts, dim=1, keepdim=True, smallest=1):
    return counts / counts.sum(dim=dim, keepdim=keepdim).clamp(min=smallest)


def _pair_by_pair(tokens, d_vocab):
    """Counts of the pairs of tokens 0 and 1, 2 and 3, and so on."""
    pairs = tokens[: len(tokens) // 2 * 2].view(-1, 2)
    return sum((_counts(pair, d_vocab) for pair in pairs), torch.zeros(d_vocab, d_vocab))


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over pairs with a dictionary; also for a single token, without pairs."""
    drawn = torch.randint(4, (60,), generator=generator(0))
    once = torch.tensor([3, 1, 3, 3, 0, 6, 1, 5])  # 0 and 6 are followed once, 5 never, 2 and 4 do not occur
    short = torch.tensor([2, 0])
    for tokens, d_vocab in [(drawn, 5), (once, 8), (short, 3), (short[:1], 4)]:
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
        "The pairs are `tokens[:-1]` with `tokens[1:]`.",
        "`index_put_` with `accumulate=True` adds 1 for every pair. `table[a, b] += 1` counts a pair once, "
        "however often it comes.",
        "Divide each row by its sum, where the sum is not 0.",
    ),
    reference=bigram_table,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake("counts, not shares", "these are counts. Divide each row by its sum.", _counts),
        Mistake(
            "repeats lost",
            "`table[a, b] += 1` counts a pair once however often it comes: use index_put_ with accumulate=True.",
            lambda tokens, d_vocab: _fractions(_counts(tokens, d_vocab, accumulate=False)),
        ),
        Mistake(
            "shares of the second token",
            "each row (a first token) sums to 1, not each column.",
            lambda tokens, d_vocab: _fractions(_counts(tokens, d_vocab), dim=0),
        ),
        Mistake(
            "first and second swapped",
            "rows are the first token of a pair; the two are swapped.",
            lambda tokens, d_vocab: _fractions(_counts(tokens.flip(0), d_vocab)),
        ),
        Mistake(
            "shares of all pairs",
            "divide each row by its own sum, not all by the number of pairs.",
            lambda tokens, d_vocab: _counts(tokens, d_vocab) / max(len(tokens) - 1, 1),
        ),
        Mistake(
            "divided by occurrences",
            "each row is divided by how often its token occurs. The last token has no follower: divide by the "
            "row's own sum.",
            lambda tokens, d_vocab: (
                _counts(tokens, d_vocab) / tokens.bincount(minlength=d_vocab).clamp(min=1)[:, None]
            ),
        ),
        Mistake(
            "sums beside the columns",
            "each row is divided by its own sum; without keepdim=True the sums are laid along the columns.",
            lambda tokens, d_vocab: _fractions(_counts(tokens, d_vocab), keepdim=False),
        ),
        Mistake(
            "NaN in empty rows",
            "a token that is never first has no followers: leave its row 0 instead of dividing by 0.",
            lambda tokens, d_vocab: _fractions(_counts(tokens, d_vocab), smallest=0),
        ),
        Mistake(
            "uniform empty rows",
            "a token that is never first has a row of 0s, not of equal fractions.",
            lambda tokens, d_vocab: (
                bigram_table(tokens, d_vocab)
                + (_counts(tokens, d_vocab).sum(dim=1, keepdim=True) == 0) / d_vocab
            ),
        ),
        Mistake(
            "smoothed",
            "every count is 1 higher; count only the pairs that occur.",
            lambda tokens, d_vocab: _fractions(_counts(tokens, d_vocab) + 1),
        ),
        *(
            Mistake(
                "a pair left out",
                f"the {which} pair is left out: tokens[:-1] with tokens[1:] are all pairs.",
                lambda tokens, d_vocab, kept=kept: bigram_table(tokens[kept], d_vocab),
            )
            for which, kept in {"first": slice(1, None), "last": slice(None, -1)}.items()
        ),
        Mistake(
            "pairs do not overlap",
            "each token is in one pair; it is the second of one pair and the first of the next.",
            lambda tokens, d_vocab: _fractions(_pair_by_pair(tokens, d_vocab)),
        ),
        Mistake(
            "circle closed",
            "the last token is paired with the first one: tokens.roll wraps around.",
            lambda tokens, d_vocab: bigram_table(torch.cat([tokens, tokens[:1]]), d_vocab),
        ),
    ),
)
