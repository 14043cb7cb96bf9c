"""Exercise 4.1: sequences that repeat."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.sequences import repeated_sequences


def _bos_repeated(batch, length, d_vocab, bos, generator):
    half = repeated_sequences(batch, length, d_vocab, bos, generator)[:, : length + 1]
    return torch.cat([half, half], dim=1)


def _without_bos(batch, length, d_vocab, bos, generator):
    return repeated_sequences(batch, length, d_vocab, bos, generator)[:, 1:]


def _bos_among_the_tokens(batch, length, d_vocab, bos, generator):
    half = torch.randint(d_vocab, (batch, length), generator=generator)
    return torch.cat([torch.full((batch, 1), bos), half, half], dim=1)


def _fresh_second_half(batch, length, d_vocab, bos, generator):
    first, second = (repeated_sequences(batch, length, d_vocab, bos, generator) for _ in range(2))
    return torch.cat([first[:, : length + 1], second[:, 1 : length + 1]], dim=1)


def _same_row(batch, length, d_vocab, bos, generator):
    return repeated_sequences(1, length, d_vocab, bos, generator).expand(batch, -1)


def _own_randomness(batch, length, d_vocab, bos, _):
    return repeated_sequences(batch, length, d_vocab, bos, None)


def _each_token_twice(batch, length, d_vocab, bos, generator):
    half = repeated_sequences(batch, length, d_vocab, bos, generator)[:, 1 : length + 1]
    return torch.cat([torch.full((batch, 1), bos), half.repeat_interleave(2, dim=1)], dim=1)


def _has_the_properties(trial: Trial) -> None:
    """No expected numbers: what must be true of every right answer."""
    for batch, length, d_vocab, bos in [(400, 7, 11, 4), (3, 5, 6, 0)]:
        tokens = trial.call(batch, length, d_vocab, bos, generator(0))
        if not isinstance(tokens, torch.Tensor):
            raise Wrong("wrong type", f"expected a torch.Tensor [batch pos], got {type(tokens).__name__}.")
        if tokens.shape == (batch, 2 * length):
            raise Wrong("no beginning-of-text", "every row begins with the token bos, before the first copy.")
        if tokens.shape == (batch, 2 * length + 2):
            raise Wrong("bos repeated", "only the random tokens are repeated: bos stands once, at the start.")
        if tokens.shape != (batch, 2 * length + 1):
            raise Wrong(
                "wrong shape", f"expected shape [{batch}, {2 * length + 1}], got {list(tokens.shape)}."
            )
        if tokens.is_floating_point() or tokens.dtype == torch.bool:
            raise Wrong("wrong dtype", f"tokens are whole numbers (torch.long), got {tokens.dtype}.")
        if not (tokens[:, 0] == bos).all():
            raise Wrong("no beginning-of-text", "every row begins with the token bos.")
        first, second = tokens[:, 1 : length + 1], tokens[:, length + 1 :]
        if torch.equal(tokens[:, 1::2], tokens[:, 2::2]):
            raise Wrong("each token twice", "the whole sequence is repeated, not each token: use torch.cat.")
        if not torch.equal(first, second):
            raise Wrong(
                "second copy differs", "the second copy must hold the same tokens as the first: draw once."
            )
        if len(tokens.unique(dim=0)) == 1:
            raise Wrong("all rows alike", "every row has random tokens of its own: draw [batch, length].")
        if batch * length > 200:
            if (first == bos).any():
                raise Wrong(
                    "bos among the tokens", "bos must not be drawn: it marks the beginning and nothing else."
                )
            missing = set(range(d_vocab)) - {bos} - set(first.unique().tolist())
            if missing:
                raise Wrong(
                    "tokens never drawn", f"every token but bos may come; {sorted(missing)} never did."
                )
            if all(len(row.unique()) == length for row in first):
                raise Wrong(
                    "no token twice",
                    "every token is drawn by itself, so that one may come twice: torch.randint.",
                )
            if first.flatten().bincount().max() > 1.5 * batch * length / (d_vocab - 1):
                raise Wrong(
                    "one token too often",
                    "a token that takes the place of bos comes twice as often: draw from one token fewer, and move those from bos on up by one.",
                )
            if first.min() < 0 or first.max() >= d_vocab:
                raise Wrong("no such token", f"tokens lie between 0 and {d_vocab - 1}.")
        again = trial.call(batch, length, d_vocab, bos, generator(0))
        if not torch.equal(tokens, again):
            raise Wrong(
                "generator ignored", "the same generator must give the same tokens: pass generator=generator."
            )
        if torch.equal(tokens, trial.call(batch, length, d_vocab, bos, generator(1))):
            raise Wrong("not random", "another generator must give other tokens.")


EXERCISE = Exercise(
    id="4.1",
    title="sequences that repeat",
    minutes=5,
    difficulty=1,
    hints=(
        "torch.randint(d_vocab - 1, (batch, length), generator=generator) draws from one token fewer than there are.",
        "Add 1 to every number that is bos or larger, and bos is never drawn.",
        "torch.cat([beginning, half, half], dim=1).",
    ),
    reference=repeated_sequences,
    tests=(_has_the_properties,),
    mistakes=(
        Mistake("bos repeated", "bos stands once.", _bos_repeated),
        Mistake("no beginning-of-text", "every row begins with bos.", _without_bos),
        Mistake("bos among the tokens", "bos must not be drawn.", _bos_among_the_tokens),
        Mistake("second copy differs", "draw once.", _fresh_second_half),
        Mistake("all rows alike", "draw [batch, length].", _same_row),
        Mistake("each token twice", "repeat the sequence.", _each_token_twice),
        Mistake("generator ignored", "pass generator=generator.", _own_randomness),
    ),
)
