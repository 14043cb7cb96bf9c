"""Exercise 4.9: a previous-token head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    asking,
    changed_head,
    embedded,
    room,
    soft,
    weights,
)
from helpers.planted import attend, previous_token_head


def _looks_at_itself(layout):
    W_Q, W_K, W_V, W_O = previous_token_head(layout)
    W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)
    return W_Q, W_K, W_V, W_O


changed = partial(changed_head, previous_token_head)


def _rolled(layout, W_Q, W_K, W_V, W_O):
    W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx).roll(-1, dims=1)


def _two_back(layout, W_Q, W_K, W_V, W_O):
    W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx).roll(2, dims=1)


def _positions_carried(layout, W_Q, W_K, W_V, W_O):
    W_V.zero_()
    W_V[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)


def _by_token(layout, W_Q, W_K, W_V, W_O):
    for W in (W_Q, W_K):
        W.zero_()
    W_Q[layout.token, : layout.d_vocab] = layout.strength * torch.eye(layout.d_vocab)
    W_K[layout.token, : layout.d_vocab] = torch.eye(layout.d_vocab)


def _by_token_rolled(layout, W_Q, W_K, W_V, W_O):
    _by_token(layout, W_Q, W_K, W_V, W_O)
    W_K[layout.token, : layout.d_vocab] = torch.eye(layout.d_vocab).roll(1, dims=1)


def _attends_to_the_token_before(trial: Trial) -> None:
    """Not the weights are compared but what they do: any weights that do it are right."""
    x, p = embedded()
    n = len(x)
    expected = torch.eye(n).roll(-1, dims=1)
    expected[0] = torch.eye(n)[0]
    trial.behaves(
        lambda f: attend(asking(f(LAYOUT)), x, p)[0], expected, "query key", 1e-3, "the pattern of your head"
    )


def _stores_it_in_its_room(trial: Trial) -> None:
    x, p = embedded()
    expected = torch.zeros_like(x)
    expected[1:, LAYOUT.previous] = x[:-1, LAYOUT.token]
    expected[0, LAYOUT.previous] = x[0, LAYOUT.token]  # position 0 can only look at itself
    trial.behaves(
        lambda f: attend(weights(f(LAYOUT)), x, p)[1], expected, "pos d_model", 1e-3, "what your head stores"
    )


EXERCISE = Exercise(
    id="4.9",
    title="a previous-token head by hand",
    minutes=12,
    difficulty=3,
    hints=(
        "Attention is a matter of positions only: W_Q and W_K read layout.position, with torch.eye(n_ctx) on the query side.",
        "Key j has to match query j + 1. torch.eye(n).roll(1, dims=1) turns 'I am j' into 'I am j + 1'.",
        "Multiply W_Q by layout.strength: scores of 0 and 1 leave the softmax nearly flat.",
        "W_V reads layout.token, W_O writes layout.previous: torch.eye(d_vocab) for both.",
    ),
    reference=previous_token_head,
    tests=(_attends_to_the_token_before, _stores_it_in_its_room),
    mistakes=(
        Mistake(
            "looks at itself",
            "query i meets key i: the key has to say the position *after* its own.",
            _looks_at_itself,
        ),
        Mistake(
            "looks ahead",
            "no key that the query may see matches it: key j should match query j + 1. Shift the other way, or W_Q and W_K are swapped, or they use different columns.",
            changed(_rolled),
        ),
        Mistake("two back", "key j matches query j + 2: shift by one.", changed(_two_back)),
        Mistake(
            "too soft",
            "the scores are so close together that every key gets some attention: multiply W_Q by layout.strength.",
            changed(soft),
        ),
        Mistake(
            "matches tokens",
            "the previous token is a matter of position: W_Q and W_K read layout.position, not layout.token.",
            changed(_by_token),
        ),
        Mistake(
            "matches tokens",
            "the previous token is a matter of position: W_Q and W_K read layout.position, not layout.token.",
            changed(_by_token_rolled),
        ),
        Mistake(
            "stored in the output",
            "the token belongs into layout.previous; in layout.output it would be predicted.",
            changed(room("output")),
        ),
        Mistake(
            "stored over the token",
            "layout.token holds the position's own token: store into layout.previous.",
            changed(room("token")),
        ),
        Mistake(
            "stored in scratch",
            "layout.scratch is for decoys: nobody reads there. Store into layout.previous.",
            changed(room("scratch")),
        ),
        Mistake(
            "nothing stored",
            "the head attends and stores nothing: W_O is zero, or W_V reads layout.position, which V never sees in a shortformer.",
            changed(_positions_carried),
        ),
    ),
)
