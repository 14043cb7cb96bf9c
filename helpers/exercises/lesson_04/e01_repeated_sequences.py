"""Exercise 4.1: sequences that repeat."""

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.sequences import repeated_sequences

EXPLANATIONS = {
    "no beginning-of-text": "begin every row with the token bos, before the first copy.",
    "bos repeated": "repeat only the random tokens. bos stands once, at the start.",
    "each token twice": "repeat the whole sequence, not each token: use torch.cat.",
    "second copy differs": "the second copy must hold the tokens of its row's first copy. "
    "Put the same tensor in twice.",
    "second copy in another order": "the second copy must hold its tokens in the order of the first. "
    "Put the same tensor in twice.",
    "all rows alike": "every row has random tokens of its own. Draw a tensor [batch, length].",
    "rows share one draw": "every row holds the same tokens, in another order. Draw a tensor [batch, length].",
    "one token per row": "every position has a random token of its own. Draw a tensor [batch, length].",
    "bos among the tokens": "never draw bos: it marks the beginning and nothing else.",
    "no token twice": "draw every token independently, so that a token can come twice: torch.randint.",
    "no token after itself": "draw every token independently, so that a token can follow itself.",
    "dealt out": "every token comes exactly as often as every other. Draw each independently: torch.randint.",
    "generator seeded": "the seed of the generator was set. Draw from the generator as it is.",
    "generator ignored": "generators with the same seed must give the same tokens. Pass generator=generator.",
    "not random": "another generator must give other tokens. Pass generator=generator.",
    "generator set back": "a second call with the same generator must give other tokens. "
    "Draw from the generator itself: do not seed it, and do not make another.",
}
SIZES = [  # batch, length, d_vocab, bos
    (400, 7, 11, 4),
    (300, 8, 6, 5),  # bos is the last token, and a copy is longer than the vocabulary
    (600, 5, 7, 0),
    (1, 5, 6, 3),
    (4, 1, 9, 2),
]


def _has_the_properties(trial: Trial) -> None:
    """No expected numbers: the properties of every right answer."""
    for batch, length, d_vocab, bos in SIZES:
        tokens = trial.call(batch, length, d_vocab, bos, generator(0))
        _check_form(tokens, batch, length, bos)
        first = tokens[:, 1 : length + 1]
        if not torch.equal(first, tokens[:, length + 1 :]):
            _refuse("each token twice", torch.equal(tokens[:, 1::2], tokens[:, 2::2]))
            second = tokens[:, length + 1 :]
            _refuse("second copy in another order", torch.equal(first.sort().values, second.sort().values))
            _refuse("second copy differs", True)
        if batch > 200:
            _refuse("all rows alike", len(tokens.unique(dim=0)) == 1)
            _refuse("rows share one draw", len(first.sort().values.unique(dim=0)) == 1)
            _refuse("one token per row", torch.equal(first, first[:, :1].expand_as(first)))
            _check_frequencies(first, d_vocab, bos)
            _check_independence(first, d_vocab)


def _draws_from_the_generator(trial: Trial) -> None:
    *sizes, _ = arguments = (*SIZES[0], generator(0))
    tokens = trial.call(*arguments)
    _refuse("generator seeded", arguments[-1].initial_seed() != 0)
    other = generator(1)
    trial.call(*sizes, other)
    _refuse("generator seeded", other.initial_seed() != 1)
    _refuse("generator ignored", not torch.equal(tokens, trial.call(*sizes, generator(0))))
    _refuse("not random", torch.equal(tokens, trial.call(*sizes, generator(1))))
    _refuse("generator set back", torch.equal(tokens, trial.call(*arguments)))


def _check_form(tokens: object, batch: int, length: int, bos: int) -> None:
    """Refuse whatever is not one row of tokens per sequence, with ``bos`` in front."""
    if not isinstance(tokens, Tensor):
        raise Wrong("wrong type", f"expected a torch.Tensor [batch pos], got {type(tokens).__name__}.")
    if tokens.shape == (batch, 2 * length):
        _refuse("no beginning-of-text", not bool((tokens[:, 0] == bos).all()))
    if tokens.shape == (batch, 2 * length + 2):
        _refuse("bos repeated", bool((tokens[:, [0, length + 1]] == bos).all()))
    if tokens.shape != (batch, 2 * length + 1):
        raise Wrong(
            "wrong shape",
            f"expected shape [{batch}, {2 * length + 1}] for {batch} rows of length {length}, "
            f"got {list(tokens.shape)}.",
        )
    if tokens.dtype != torch.long:
        raise Wrong("wrong dtype", f"expected torch.long, got {tokens.dtype}. Add .long() to whole numbers.")
    _refuse("no beginning-of-text", not bool((tokens[:, 0] == bos).all()))


def _check_frequencies(tokens: Tensor, d_vocab: int, bos: int) -> None:
    """Refuse draws that are not uniform over all tokens except ``bos``."""
    if tokens.min() < 0 or tokens.max() >= d_vocab:
        raise Wrong(
            "no such token",
            f"expected tokens from 0 to {d_vocab - 1}, got {tokens.min()} to {tokens.max()}.",
        )
    _refuse("bos among the tokens", bool((tokens == bos).any()))
    counts = {token: int((tokens == token).sum()) for token in range(d_vocab) if token != bos}
    _refuse("no token twice", all(len(row.unique()) == len(row) for row in tokens))
    rare, frequent = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    mean = tokens.numel() / len(counts)
    if counts[rare] < 0.7 * mean or counts[frequent] > 1.4 * mean:
        raise Wrong(
            "not equally likely",
            f"expected each token except bos about {mean:.0f} times in {tokens.numel()} draws, got token "
            f"{rare} {counts[rare]} times and token {frequent} {counts[frequent]} times. "
            "torch.randint(d_vocab - 1, …) draws its numbers equally often. Add 1 to those from bos on up.",
        )
    _refuse("dealt out", counts[frequent] - counts[rare] <= 1)


def _check_independence(tokens: Tensor, d_vocab: int) -> None:
    """Refuse tokens that depend on their neighbours: χ² of the counts of pairs."""
    _refuse("no token after itself", not bool((tokens[:, 1:] == tokens[:, :-1]).any()))
    neighbours = {
        "before it in the row": (tokens[:, :-1], tokens[:, 1:]),
        "above it in the row before": (tokens[:-1], tokens[1:]),
    }
    cells = (d_vocab - 1) ** 2
    for where, (one, other) in neighbours.items():
        counts = torch.bincount((d_vocab * one + other).flatten(), minlength=d_vocab**2)
        expected = one.numel() / cells
        distance = (counts[counts > 0] - expected).square().sum() / expected
        distance += (cells - (counts > 0).sum()) * expected  # pairs that never come
        if distance > cells + 8 * (2 * cells) ** 0.5:  # eight standard deviations of chance
            raise Wrong(
                "not independent",
                f"expected independent tokens, got tokens that depend on the token {where}. "
                "Draw a tensor [batch, length] with one torch.randint.",
            )


def _refuse(diagnosis: str, condition: bool) -> None:
    if condition:
        raise Wrong(diagnosis, EXPLANATIONS[diagnosis])


def _from_half(join):
    """The sequences that ``join`` makes of the first column and the random tokens."""

    def answer(batch, length, d_vocab, bos, generator):
        tokens = repeated_sequences(batch, length, d_vocab, bos, generator)
        return torch.cat(join(tokens[:, :1], tokens[:, 1 : length + 1]), dim=1)

    return answer


def _bos_among_the_tokens(batch, length, d_vocab, bos, generator):
    half = torch.randint(d_vocab, (batch, length), generator=generator)
    return torch.cat([torch.full((batch, 1), bos), half, half], dim=1)


def _second_copy_differs(batch, length, *arguments):
    return repeated_sequences(batch, 2 * length, *arguments)[:, : 2 * length + 1]


MISTAKES = {
    "bos repeated": _from_half(lambda start, half: [start, half, start, half]),
    "no beginning-of-text": _from_half(lambda start, half: [half, half]),
    "bos among the tokens": _bos_among_the_tokens,
    "second copy differs": _second_copy_differs,
    "all rows alike": lambda batch, *arguments: repeated_sequences(1, *arguments).expand(batch, -1),
    "each token twice": _from_half(lambda start, half: [start, half.repeat_interleave(2, dim=1)]),
    "generator ignored": lambda *arguments: repeated_sequences(*arguments[:-1], torch.default_generator),
    "generator set back": lambda *arguments: repeated_sequences(
        *arguments[:-1], arguments[-1].manual_seed(arguments[-1].initial_seed())
    ),
}

EXERCISE = Exercise(
    id="4.1",
    title="sequences that repeat",
    minutes=5,
    difficulty=1,
    hints=(
        "Draw whole numbers below `d_vocab - 1`, and add 1 to those from `bos` on. "
        "Then `bos` is never drawn, and every other token is equally likely.",
        "`torch.randint` draws whole numbers from 0 up to a limit, into a shape. "
        "Pass it the generator by name.",
        "`torch.cat([…], dim=1)` puts a column of `bos` and the same tokens twice side by side.",
    ),
    reference=repeated_sequences,
    tests=(_has_the_properties, _draws_from_the_generator),
    mistakes=tuple(Mistake(name, EXPLANATIONS[name], answer) for name, answer in MISTAKES.items()),
)
