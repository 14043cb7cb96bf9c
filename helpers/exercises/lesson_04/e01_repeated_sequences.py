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
    "second copy differs": "the second copy must hold the same tokens as the first. Draw once.",
    "all rows alike": "every row has random tokens of its own. Draw a tensor [batch, length].",
    "bos among the tokens": "never draw bos: it marks the beginning and nothing else.",
    "no token twice": "draw every token independently, so that a token can come twice: torch.randint.",
    "one token too often": "a token that replaces bos comes twice as often as the others. "
    "Draw from one token fewer, and add 1 to those from bos on up.",
    "generator ignored": "the same generator must give the same tokens. Pass generator=generator.",
    "not random": "another generator must give other tokens. Pass generator=generator.",
}


def _has_the_properties(trial: Trial) -> None:
    """No expected numbers: the properties of every right answer."""
    for batch, length, d_vocab, bos in [(400, 7, 11, 4), (3, 5, 6, 0)]:
        tokens = trial.call(batch, length, d_vocab, bos, generator(0))
        _check_form(tokens, batch, length, bos)
        first = tokens[:, 1 : length + 1]
        _refuse("each token twice", torch.equal(tokens[:, 1::2], tokens[:, 2::2]))
        _refuse("second copy differs", not torch.equal(first, tokens[:, length + 1 :]))
        _refuse("all rows alike", len(tokens.unique(dim=0)) == 1)
        if batch * length > 200:
            _check_frequencies(first, d_vocab, bos)
        repeated = trial.call(batch, length, d_vocab, bos, generator(0))
        _refuse("generator ignored", not torch.equal(tokens, repeated))
        another = trial.call(batch, length, d_vocab, bos, generator(1))
        _refuse("not random", torch.equal(tokens, another))


def _check_form(tokens: object, batch: int, length: int, bos: int) -> None:
    """Refuse whatever is not one row of tokens per sequence, with ``bos`` in front."""
    if not isinstance(tokens, Tensor):
        raise Wrong("wrong type", f"expected a torch.Tensor [batch pos], got {type(tokens).__name__}.")
    _refuse("no beginning-of-text", tokens.shape == (batch, 2 * length))
    _refuse("bos repeated", tokens.shape == (batch, 2 * length + 2))
    if tokens.shape != (batch, 2 * length + 1):
        raise Wrong("wrong shape", f"expected shape [{batch}, {2 * length + 1}], got {list(tokens.shape)}.")
    if tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise Wrong("wrong dtype", f"expected whole numbers (torch.long), got {tokens.dtype}.")
    _refuse("no beginning-of-text", not bool((tokens[:, 0] == bos).all()))


def _check_frequencies(tokens: Tensor, d_vocab: int, bos: int) -> None:
    """Refuse draws that are not uniform over all tokens except ``bos``."""
    _refuse("bos among the tokens", bool((tokens == bos).any()))
    missing = set(range(d_vocab)) - {bos} - set(tokens.unique().tolist())
    if missing:
        raise Wrong(
            "tokens never drawn",
            f"expected every token except bos, got none of {sorted(missing)}. "
            "Draw from d_vocab - 1 tokens, and add 1 to those from bos on up.",
        )
    _refuse("no token twice", all(len(row.unique()) == len(row) for row in tokens))
    most_frequent = int(tokens.flatten().bincount().max())
    _refuse("one token too often", most_frequent > 1.5 * tokens.numel() / (d_vocab - 1))
    if tokens.min() < 0 or tokens.max() >= d_vocab:
        raise Wrong(
            "no such token",
            f"expected tokens from 0 to {d_vocab - 1}, got {tokens.min()} to {tokens.max()}.",
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
}

EXERCISE = Exercise(
    id="4.1",
    title="sequences that repeat",
    minutes=5,
    difficulty=1,
    hints=(
        "Draw from one token fewer than there are, and move those from `bos` on up by one. "
        "Then `bos` is never drawn, and every other token is equally likely.",
        "`torch.randint(d_vocab - 1, (batch, length), generator=generator)` draws. "
        "Add 1 wherever the number is `bos` or larger.",
        "`torch.cat([…], dim=1)` puts a column of `bos` and the same tokens twice side by side.",
    ),
    reference=repeated_sequences,
    tests=(_has_the_properties,),
    mistakes=tuple(Mistake(name, EXPLANATIONS[name], answer) for name, answer in MISTAKES.items()),
)
