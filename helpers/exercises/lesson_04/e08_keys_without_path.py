"""Exercise 4.8: cut one path."""

import torch

from helpers.ablation import keys_without_path
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_single_positions(trial: Trial) -> None:
    """Oracle: position by position."""
    for batch, n, heads, receiver in [(2, 5, 4, 1), (2, 5, 4, 3), (3, 4, 2, 0), (1, 1, 1, 0)]:
        keys = torch.randn(batch, n, heads, 3, generator=generator(0))
        sender_output = torch.randn(batch, n, 7, generator=generator(1))
        W_K = torch.randn(heads, 7, 3, generator=generator(2))
        expected = keys.clone()
        for b in range(batch):
            for pos in range(n):
                expected[b, pos, receiver] -= (sender_output[b, pos, :, None] * W_K[receiver]).sum(0)
        trial.matches((keys, sender_output, W_K, receiver), expected, "batch pos head d_head")


def _with_keys(change):
    """The reference with keys ``change(k, W, sender_output, W_K)``: k and W of the receiver."""

    def answer(keys, sender_output, W_K, receiver):
        new = keys.clone()
        new[:, :, receiver] = change(keys[:, :, receiver], W_K[receiver], sender_output, W_K)
        return new

    return answer


def _at_position(keys, sender_output, W_K, receiver):
    new = keys.clone()
    new[:, receiver] -= torch.einsum("bm,hmd->bhd", sender_output[:, receiver], W_K)
    return new


EXERCISE = Exercise(
    id="4.8",
    title="cut one path",
    minutes=6,
    difficulty=2,
    hints=(
        "Keys are linear in what is read, k = x W_K, and the earlier head's output is one term of x. "
        "Which part of the keys comes from it?",
        "Copy `keys`, and subtract that part from one head only: the head is the third axis of `keys` "
        "and the first axis of `W_K`.",
    ),
    reference=keys_without_path,
    tests=(_equals_single_positions,),
    mistakes=(
        Mistake(
            "every receiver cut",
            "only one head loses the path. The other heads of its layer still read the earlier head's output.",
            lambda keys, sender_output, W_K, receiver: (
                keys - torch.einsum("bpm,hmd->bphd", sender_output, W_K)
            ),
        ),
        Mistake(
            "added instead of subtracted",
            "the keys already contain the part from the earlier head's output. Subtract it.",
            _with_keys(lambda k, W, sender_output, W_K: k + sender_output @ W),
        ),
        Mistake(
            "whole key removed",
            "keys also hold what was read of the embedding and of other heads. "
            "Subtract only the part from the earlier head's output.",
            _with_keys(lambda k, W, sender_output, W_K: torch.zeros_like(k)),
        ),
        Mistake(
            "only the sender's part",
            "this is the part from the earlier head's output. Return the keys minus this part.",
            _with_keys(lambda k, W, sender_output, W_K: sender_output @ W),
        ),
        Mistake(
            "another head's W_K",
            "use the W_K of the head that reads, not that of another head.",
            _with_keys(lambda k, W, sender_output, W_K: k - sender_output @ W_K[0]),
        ),
        Mistake(
            "a position instead of a head",
            "keys is [batch pos head d_head], so the head is the third axis.",
            _at_position,
        ),
        Mistake(
            "nothing cut",
            "the keys came back unchanged. Return the copy that you changed.",
            _with_keys(lambda k, W, sender_output, W_K: k),
        ),
    ),
)
