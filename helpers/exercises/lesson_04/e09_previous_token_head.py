"""Exercise 4.9: a previous-token head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    check_head,
    first_layer_input,
    mistake,
    nothing_written,
    output_also_to,
    output_times_strength,
    output_to,
)
from helpers.planted import previous_token_head


def _writes_the_previous_token(trial: Trial) -> None:
    x, p = first_layer_input()
    attended = [0, *range(len(x) - 1)]  # position 0 can only attend to itself
    output = torch.zeros_like(x)
    output[:, LAYOUT.previous] = x[attended, LAYOUT.token]
    check_head(trial, (x, p), torch.eye(len(x))[attended], output)


def _keys_shifted_by(positions, wrap=True):
    """A change of ``W_K``: key j matches query j + ``positions``, at the ends modulo ``n_ctx``."""

    def change(layout, W_Q, W_K, W_V, W_O):
        matches = torch.eye(layout.n_ctx).roll(positions, dims=1)
        if not wrap:
            matches = matches.tril() if positions < 0 else matches.triu()
        W_K[layout.position, : layout.n_ctx] = matches

    return change


def _tokens_matched(shift):
    """A change of ``W_Q`` and ``W_K``: they compare tokens, shifted by ``shift``, not positions."""

    def change(layout, W_Q, W_K, W_V, W_O):
        tokens = torch.eye(layout.d_vocab)
        for W, block in ((W_Q, layout.strength * tokens), (W_K, tokens.roll(shift, dims=1))):
            W.zero_()
            W[layout.token, : layout.d_vocab] = block

    return change


_mistake = partial(mistake, previous_token_head)

EXERCISE = Exercise(
    id="4.9",
    title="a previous-token head by hand",
    minutes=12,
    difficulty=3,
    hints=(
        "Attention depends on positions only here. `W_Q` and `W_K` read `layout.position`.",
        "A block of an identity matrix connects a subspace of the stream with the first axes of the head: "
        "`W[subspace, :n] = torch.eye(n)`, where n is the number of axes of the subspace.",
        "Key j has to match query j + 1, so one of the two blocks is shifted by one position: `torch.roll`.",
        "Multiply `W_Q` by `layout.strength`. Scores of 0 and 1 leave the softmax nearly flat.",
        "The head carries a token: `W_V` reads `layout.token`, `W_O` writes to `layout.previous`.",
    ),
    reference=previous_token_head,
    tests=(_writes_the_previous_token,),
    mistakes=(
        _mistake(
            "attends to itself",
            "query i matches key i. Key j should match query j + 1, the position *after* its own.",
            _keys_shifted_by(0),
        ),
        *(
            _mistake(
                "shifted the other way",
                "key j matches query j - 1, whose attention to it is masked. Key j should match query j + 1. "
                "Shift the other way, or check whether W_Q and W_K are swapped.",
                _keys_shifted_by(-1, wrap),
            )
            for wrap in (True, False)
        ),
        _mistake("two back", "key j matches query j + 2. Shift by one.", _keys_shifted_by(2)),
        *(
            _mistake(
                "matches tokens",
                "find the previous token by position: W_Q and W_K read layout.position, not layout.token.",
                _tokens_matched(shift),
            )
            for shift in (0, 1)
        ),
        _mistake(
            "written to layout.output",
            "write the token to layout.previous. What stands in layout.output is predicted.",
            output_to("output"),
        ),
        _mistake(
            "written to layout.token",
            "write to layout.previous. layout.token holds the position's own token.",
            output_to("token"),
        ),
        _mistake(
            "written to layout.scratch",
            "write to layout.previous. layout.scratch is for decoys, and no head reads it.",
            output_to("scratch"),
        ),
        _mistake(
            "nothing written",
            "the head attends but its output is zero. Is W_V or W_O still zero, or does W_V read a subspace that "
            "is empty for values? Only layout.token is not: positions are added to what Q and K read.",
            nothing_written,
        ),
        *(
            _mistake(
                "written to a second subspace, too",
                f"the token is also written to layout.{subspace}. Write to layout.previous only.",
                output_also_to(subspace),
            )
            for subspace in ("token", "output", "scratch")
        ),
        _mistake(
            "strength in the output",
            "what is written is multiplied by layout.strength. Multiply W_Q only.",
            output_times_strength,
        ),
    ),
)
