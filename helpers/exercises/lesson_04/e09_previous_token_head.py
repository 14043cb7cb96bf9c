"""Exercise 4.9: a previous-token head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    TOO_SOFT,
    check_output,
    check_pattern,
    first_layer_input,
    mistake,
    output_to,
)
from helpers.planted import previous_token_head


def _attends_to_the_token_before(trial: Trial) -> None:
    x, p = first_layer_input()
    expected = torch.eye(len(x)).roll(-1, dims=1)
    expected[0] = torch.eye(len(x))[0]
    check_pattern(trial, (x, p), expected)


def _writes_it_to_its_subspace(trial: Trial) -> None:
    x, p = first_layer_input()
    expected = torch.zeros_like(x)
    expected[1:, LAYOUT.previous] = x[:-1, LAYOUT.token]
    expected[0, LAYOUT.previous] = x[0, LAYOUT.token]  # position 0 can only attend to itself
    check_output(trial, (x, p), expected)


def _keys_shifted_by(positions):
    """A change of ``W_K``: key j matches query j + ``positions``."""

    def change(layout, W_Q, W_K, W_V, W_O):
        W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx).roll(positions, dims=1)

    return change


def _tokens_matched(shift):
    """A change of ``W_Q`` and ``W_K``: they compare tokens, shifted by ``shift``, not positions."""

    def change(layout, W_Q, W_K, W_V, W_O):
        tokens = torch.eye(layout.d_vocab)
        for W, block in ((W_Q, layout.strength * tokens), (W_K, tokens.roll(shift, dims=1))):
            W.zero_()
            W[layout.token, : layout.d_vocab] = block

    return change


def _positions_carried(layout, W_Q, W_K, W_V, W_O):
    W_V.zero_()
    W_V[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)


_mistake = partial(mistake, previous_token_head)

EXERCISE = Exercise(
    id="4.9",
    title="a previous-token head by hand",
    minutes=12,
    difficulty=3,
    hints=(
        "Attention depends on positions only here. `W_Q` and `W_K` read `layout.position`.",
        "A block of an identity matrix connects a subspace of the stream with axes of the head: "
        "`W_Q[layout.position, :n_ctx] = torch.eye(n_ctx)`, with `n_ctx = layout.n_ctx`.",
        'Key j has to match query j + 1: `.roll(1, dims=1)` turns "I am j" into "I am j + 1".',
        "Multiply `W_Q` by `layout.strength`. Scores of 0 and 1 leave the softmax nearly flat.",
        "The head carries a token: `W_V` reads `layout.token`, `W_O` writes to `layout.previous`, "
        "each with `torch.eye(layout.d_vocab)`.",
    ),
    reference=previous_token_head,
    tests=(_attends_to_the_token_before, _writes_it_to_its_subspace),
    mistakes=(
        _mistake(
            "looks at itself",
            "query i matches key i. Key j should match query j + 1, the position *after* its own.",
            _keys_shifted_by(0),
        ),
        _mistake(
            "looks ahead",
            "no key up to the query's position matches the query. Key j should match query j + 1. "
            "Shift the other way, or check whether W_Q and W_K are swapped or use different columns.",
            _keys_shifted_by(-1),
        ),
        _mistake("two back", "key j matches query j + 2. Shift by one.", _keys_shifted_by(2)),
        _mistake(*TOO_SOFT),
        *(
            _mistake(
                "matches tokens",
                "find the previous token by position: W_Q and W_K read layout.position, not layout.token.",
                _tokens_matched(shift),
            )
            for shift in (0, 1)
        ),
        _mistake(
            "stored in the output",
            "write the token to layout.previous. What stands in layout.output is predicted.",
            output_to("output"),
        ),
        _mistake(
            "stored over the token",
            "write to layout.previous. layout.token holds the position's own token.",
            output_to("token"),
        ),
        _mistake(
            "stored in scratch",
            "write to layout.previous. layout.scratch is for decoys, and no head reads it.",
            output_to("scratch"),
        ),
        _mistake(
            "nothing stored",
            "the head attends but its output is zero. W_O is zero, or W_V reads layout.position, "
            "which is not part of what V reads in a shortformer.",
            _positions_carried,
        ),
    ),
)
