"""Exercise 4.10: an induction head by hand."""

from functools import partial

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.lesson_04.heads_by_hand import (
    LAYOUT,
    LENGTH,
    check_head,
    mistake,
    nothing_written,
    output_also_to,
    output_times_strength,
    output_to,
    second_layer_input,
)
from helpers.planted import induction_head, previous_token_head

SECOND_COPY = slice(LENGTH + 1, None)  # its queries have a match; the others may attend anywhere


def _predicts_what_followed(trial: Trial) -> None:
    x, p = second_layer_input()
    attended = range(2, LENGTH + 2)  # query LENGTH + 1 attends LENGTH - 1 back, to position 2
    output = torch.zeros(LENGTH, LAYOUT.d_model)
    output[:, LAYOUT.output] = x[attended, LAYOUT.token]
    pattern = torch.eye(len(x))[attended]
    check_head(trial, (x, p), pattern, output, SECOND_COPY, " in the second copy")


def _reading(query=None, key=None, value=None):
    """A change of the subspaces, such as "previous", that queries, keys or values read."""

    def change(layout, W_Q, W_K, W_V, W_O):
        for W, subspace, strength in ((W_Q, query, layout.strength), (W_K, key, 1), (W_V, value, 1)):
            if subspace:
                W.zero_()
                W[getattr(layout, subspace), : layout.d_vocab] = strength * torch.eye(layout.d_vocab)

    return change


_mistake = partial(mistake, induction_head)

EXERCISE = Exercise(
    id="4.10",
    title="an induction head by hand",
    minutes=10,
    difficulty=3,
    hints=(
        "Which subspace should queries read? In which subspace do the keys hold what matches? "
        "And what is carried back?",
        "The head looks for the token that follows an earlier copy of its own token. "
        "The query is the position's own token; the key is the token before the key's position.",
        "What is carried back is the key's own token. `W_O` writes it to `layout.output`.",
        "Every block connects `layout.d_vocab` axes, as `W_V` and `W_O` of exercise 4.9 do. "
        "Do not forget `layout.strength`.",
    ),
    reference=induction_head,
    tests=(_predicts_what_followed,),
    mistakes=(
        _mistake(
            "carries the previous token",
            "this predicts the present token again. W_V reads the key's own token, layout.token.",
            _reading(value="previous"),
        ),
        _mistake(
            "duplicate-token head",
            "keys hold their own token. Keys must hold the token *before* them, layout.previous.",
            _reading(key="token"),
        ),
        _mistake(
            "query and key swapped",
            "this looks for the query's *previous* token. Match the query's own token with the key's previous one.",
            _reading(query="previous", key="token"),
        ),
        _mistake(
            "previous tokens matched",
            "queries and keys both read layout.previous, so this finds the earlier copy itself. "
            "The query is the position's own token, layout.token.",
            _reading(query="previous"),
        ),
        _mistake(
            "written to layout.token",
            "write to layout.output, from which the prediction is read, not to layout.token.",
            output_to("token"),
        ),
        _mistake(
            "written to layout.previous",
            "write to layout.output, from which the prediction is read, not to layout.previous.",
            output_to("previous"),
        ),
        _mistake(
            "written to layout.scratch",
            "write to layout.output, from which the prediction is read, not to layout.scratch.",
            output_to("scratch"),
        ),
        Mistake(
            "attends to the previous position",
            "the head attends one position back. Match tokens, not positions.",
            previous_token_head,
        ),
        _mistake(
            "nothing written",
            "the head attends but its output is zero. Is W_V or W_O still zero, or does W_V read a subspace "
            "that is empty?",
            nothing_written,
        ),
        *(
            _mistake(
                "written to a second subspace, too",
                f"the token is also written to layout.{subspace}. Write to layout.output only.",
                output_also_to(subspace),
            )
            for subspace in ("token", "previous", "scratch")
        ),
        _mistake(
            "strength in the output",
            "what is written is multiplied by layout.strength. Multiply W_Q only.",
            output_times_strength,
        ),
    ),
)
