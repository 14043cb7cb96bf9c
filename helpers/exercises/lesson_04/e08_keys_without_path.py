"""Exercise 4.8: to cut one path."""

import torch

from helpers.ablation import keys_without_path
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _every_reader(keys, store, W_K, reader):
    return keys - torch.einsum("bpm,hmd->bphd", store, W_K)


def _one_head(change):
    """A copy of keys in which ``change(keys of the reader, store, W_K, reader)`` stands for the reader."""

    def answer(keys, store, W_K, reader):
        new = keys.clone()
        new[:, :, reader] = change(keys[:, :, reader], store, W_K, reader)
        return new

    return answer


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: position by position."""
    keys = torch.randn(2, 5, 4, 3, generator=generator(0))
    store = torch.randn(2, 5, 6, generator=generator(1))
    W_K = torch.randn(4, 6, 3, generator=generator(2))
    for reader in (1, 3):
        expected = keys.clone()
        for b in range(2):
            for pos in range(5):
                expected[b, pos, reader] -= (store[b, pos, :, None] * W_K[reader]).sum(0)
        trial.matches((keys, store, W_K, reader), expected, "batch pos head d_head")


EXERCISE = Exercise(
    id="4.8",
    title="cut one path",
    minutes=6,
    difficulty=2,
    hints=(
        "Keys are linear in what is read: k = x W_K. What part of them comes from `store`?",
        "new = keys.clone(), then new[:, :, reader] -= store @ W_K[reader].",
    ),
    reference=keys_without_path,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "every reader cut off",
            "only one head loses the path; the others of its layer go on reading the store.",
            _every_reader,
        ),
        Mistake(
            "added instead of taken away",
            "the store is already in the keys: subtract its part.",
            _one_head(lambda k, store, W_K, r: k + store @ W_K[r]),
        ),
        Mistake(
            "all of the key taken away",
            "the key also holds what it read of the embedding and the other heads: subtract the store's part only.",
            _one_head(lambda k, store, W_K, r: torch.zeros_like(k)),
        ),
        Mistake(
            "only the store kept",
            "this is the part that is to go; subtract it.",
            _one_head(lambda k, store, W_K, r: store @ W_K[r]),
        ),
        Mistake(
            "another head's W_K",
            "the store enters through W_K of the reader: W_K[reader].",
            _one_head(lambda k, store, W_K, r: k - store @ W_K[0]),
        ),
        Mistake(
            "a position instead of a head",
            "keys is [batch pos head d_head]: the head is the third axis.",
            lambda keys, store, W_K, r: torch.cat(
                [
                    keys[:, :r],
                    keys[:, [r]] - torch.einsum("bm,hmd->bhd", store[:, r], W_K)[:, None],
                    keys[:, r + 1 :],
                ],
                1,
            ),
        ),
        Mistake(
            "nothing cut",
            "the keys came back as they were: return the copy that you changed.",
            lambda keys, store, W_K, r: keys.clone(),
        ),
    ),
)
