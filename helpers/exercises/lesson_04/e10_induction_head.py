"""Exercise 4.10: an induction head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    LENGTH,
    after_layer_0,
    asking,
    changed_head,
    room,
    soft,
    weights,
)
from helpers.planted import attend, induction_head


def _carries_the_token_before(layout):
    W_Q, W_K, W_V, W_O = induction_head(layout)
    W_V.zero_()
    W_V[layout.previous, : layout.d_vocab] = torch.eye(layout.d_vocab)
    return W_Q, W_K, W_V, W_O


changed = partial(changed_head, induction_head)


def _from_to(W, rows, layout):
    W.zero_()
    W[rows, : layout.d_vocab] = torch.eye(layout.d_vocab)


def _swapped(layout, W_Q, W_K, W_V, W_O):
    _from_to(W_Q, layout.previous, layout)
    W_Q *= layout.strength
    _from_to(W_K, layout.token, layout)


def _both_previous(layout, W_Q, W_K, W_V, W_O):
    _from_to(W_Q, layout.previous, layout)
    W_Q *= layout.strength


def _own_token(layout, W_Q, W_K, W_V, W_O):
    _from_to(W_K, layout.token, layout)


def _nothing_stored(layout, W_Q, W_K, W_V, W_O):
    W_O.zero_()


SECOND = slice(LENGTH + 1, None)  # the queries that have a match; where the others look is free


def _attends_after_the_earlier_copy(trial: Trial) -> None:
    x, p = after_layer_0()
    expected = torch.zeros(LENGTH, len(x))
    for row in range(LENGTH):
        expected[row, row + 2] = 1  # query LENGTH + 1 + row looks LENGTH - 1 back
    trial.behaves(
        lambda f: attend(asking(f(LAYOUT)), x, p)[0][SECOND], expected, "query key", 1e-3,
        "the pattern of your head in the second copy",
    )  # fmt: skip


def _predicts_what_followed(trial: Trial) -> None:
    x, p = after_layer_0()
    expected = torch.zeros(LENGTH, LAYOUT.d_model)
    expected[:, LAYOUT.output] = x[2 : LENGTH + 2, LAYOUT.token]
    trial.behaves(
        lambda f: attend(weights(f(LAYOUT)), x, p)[1][SECOND], expected, "pos d_model", 1e-3,
        "what your head stores in the second copy",
    )  # fmt: skip


EXERCISE = Exercise(
    id="4.10",
    title="an induction head by hand",
    minutes=10,
    difficulty=3,
    hints=(
        "The question: who comes after a token like mine? The query is the position's own token, layout.token.",
        "The key is the token that stood before, which the other head stored in layout.previous.",
        "The answer is the key's own token: W_V reads layout.token, W_O writes layout.output.",
        "All four blocks are torch.eye(d_vocab); W_Q also times layout.strength.",
    ),
    reference=induction_head,
    tests=(_attends_after_the_earlier_copy, _predicts_what_followed),
    mistakes=(
        Mistake(
            "carries the token before",
            "this predicts the present token again: W_V reads layout.token of the key.",
            _carries_the_token_before,
        ),
        Mistake(
            "looks for its own token",
            "this is a duplicate-token head: keys must say which token stood *before* them, layout.previous.",
            changed(_own_token),
        ),
        Mistake(
            "question and key swapped",
            "this asks for a token like the one before me; ask for a key whose *previous* token is mine.",
            changed(_swapped),
        ),
        Mistake(
            "asks for the token before",
            "query and key both read layout.previous: this looks for its own place again. The query is the position's own token.",
            changed(_both_previous),
        ),
        Mistake(
            "too soft",
            "the scores are so close together that every key gets some attention: multiply W_Q by layout.strength.",
            changed(soft),
        ),
        Mistake(
            "stored over the token",
            "the prediction is read from layout.output.",
            changed(room("token")),
        ),
        Mistake(
            "stored in previous",
            "the prediction is read from layout.output, not from layout.previous.",
            changed(room("previous")),
        ),
        Mistake(
            "nothing stored", "the head attends and stores nothing: W_O is zero.", changed(_nothing_stored)
        ),
    ),
)
