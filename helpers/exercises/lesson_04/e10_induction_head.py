"""Exercise 4.10: an induction head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    LENGTH,
    TOO_SOFT,
    check_output,
    check_pattern,
    mistake,
    output_to,
    second_layer_input,
)
from helpers.planted import induction_head

SECOND_COPY = slice(LENGTH + 1, None)  # its queries have a match; the others may attend anywhere


def _attends_after_the_earlier_copy(trial: Trial) -> None:
    x, p = second_layer_input()
    expected = torch.zeros(LENGTH, len(x))
    for row in range(LENGTH):
        expected[row, row + 2] = 1  # query LENGTH + 1 + row attends LENGTH - 1 back
    check_pattern(trial, (x, p), expected, SECOND_COPY, " in the second copy")


def _predicts_what_followed(trial: Trial) -> None:
    x, p = second_layer_input()
    expected = torch.zeros(LENGTH, LAYOUT.d_model)
    expected[:, LAYOUT.output] = x[2 : LENGTH + 2, LAYOUT.token]
    check_output(trial, (x, p), expected, SECOND_COPY, " in the second copy")


def _reading(query=None, key=None, value=None):
    """A change of the subspaces, such as "previous", that queries, keys or values read."""

    def change(layout, W_Q, W_K, W_V, W_O):
        for W, subspace, strength in ((W_Q, query, layout.strength), (W_K, key, 1), (W_V, value, 1)):
            if subspace:
                W.zero_()
                W[getattr(layout, subspace), : layout.d_vocab] = strength * torch.eye(layout.d_vocab)

    return change


def _nothing_written(layout, W_Q, W_K, W_V, W_O):
    W_O.zero_()


_mistake = partial(mistake, induction_head)

EXERCISE = Exercise(
    id="4.10",
    title="an induction head by hand",
    minutes=10,
    difficulty=3,
    hints=(
        "Which subspace holds the question? In which subspace do the keys hold the answer to it? "
        "And what is carried back?",
        "The question: which token comes after a token like mine? The query is the position's own token, "
        "in `layout.token`. The key is the token that stood before, in `layout.previous`.",
        "What is carried back is the key's own token: `W_V` reads `layout.token`, `W_O` writes to "
        "`layout.output`.",
        "All four blocks are `torch.eye(layout.d_vocab)`. Multiply `W_Q` by `layout.strength`.",
    ),
    reference=induction_head,
    tests=(_attends_after_the_earlier_copy, _predicts_what_followed),
    mistakes=(
        _mistake(
            "carries the token before",
            "this predicts the present token again. W_V reads the key's own token, layout.token.",
            _reading(value="previous"),
        ),
        _mistake(
            "looks for its own token",
            "this is a duplicate-token head. Keys must hold the token *before* them, layout.previous.",
            _reading(key="token"),
        ),
        _mistake(
            "question and key swapped",
            "this looks for the query's *previous* token. Match the query's own token with the key's previous one.",
            _reading(query="previous", key="token"),
        ),
        _mistake(
            "asks for the token before",
            "queries and keys both read layout.previous, so this finds the earlier copy itself. "
            "The query is the position's own token, layout.token.",
            _reading(query="previous"),
        ),
        _mistake(*TOO_SOFT),
        _mistake(
            "stored over the token",
            "write to layout.output, from which the prediction is read, not to layout.token.",
            output_to("token"),
        ),
        _mistake(
            "stored in previous",
            "write to layout.output, from which the prediction is read, not to layout.previous.",
            output_to("previous"),
        ),
        _mistake("nothing stored", "the head attends but its output is zero: W_O is zero.", _nothing_written),
    ),
)
