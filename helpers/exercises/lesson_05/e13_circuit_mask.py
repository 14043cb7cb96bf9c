"""Exercise 5.13: spot the bug."""

import torch

from helpers.ablation import circuit_mask
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong


def _union_of_positions(heads, positions, shape):
    keep = torch.zeros(shape, dtype=torch.bool)
    for (layer, head), where in zip(heads, positions):
        keep[layer, head][:, where] = True
    return keep


def _marking(mark):
    """``mark(keep, layer, head, where)`` marks one head's positions."""

    def answer(heads, positions, shape):
        keep = torch.zeros(shape, dtype=torch.bool)
        for (layer, head), where in zip(heads, positions):
            mark(keep, layer, head, where)
        return keep

    return answer


def _whole_head(keep, layer, head, where):
    keep[layer, head] = True


def _first_prompts_place(keep, layer, head, where):
    keep[layer, head][:, where[0]] = True


def _every_head(keep, layer, head, where):
    keep[layer, :, torch.arange(keep.shape[2]), where] = True


def _up_to(keep, layer, head, where):
    for n, position in enumerate(where):
        keep[layer, head, n, : position + 1] = True


def _last_one_wins(heads, positions, shape):
    keep = torch.zeros(shape, dtype=torch.bool)
    for (layer, head), where in zip(heads, positions):
        keep[layer, head] = False
        keep[layer, head, torch.arange(shape[2]), where] = True
    return keep


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry; one head twice, at two places."""
    shape = (2, 3, 4, 6)  # layer head prompt pos
    heads = [(0, 2), (1, 0), (0, 2)]
    positions = torch.tensor([[1, 3, 2, 5], [5, 5, 5, 5], [4, 4, 0, 1]])
    expected = torch.zeros(shape)
    for number, (layer, head) in enumerate(heads):
        for n in range(4):
            expected[layer, head, n, positions[number, n]] = 1

    def as_numbers(function):
        found = function(heads, positions, shape)
        if isinstance(found, torch.Tensor) and found.dtype != torch.bool:
            raise Wrong("wrong dtype", f"a mask of torch.bool, True where a head is kept; got {found.dtype}.")
        return found.float() if isinstance(found, torch.Tensor) else found

    trial.behaves(as_numbers, expected, "layer head prompt pos")


EXERCISE = Exercise(
    id="5.13",
    title="spot the bug",
    minutes=6,
    difficulty=2,
    hints=(
        "`where` holds one position a prompt. What does keep[layer, head][:, where] = True mark in prompt 0?",
        "Pair each prompt with its own position: keep[layer, head, torch.arange(n_prompts), where] = True.",
    ),
    reference=circuit_mask,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "union of positions",
            "[:, where] marks, in every prompt, the positions of *all* prompts; pair each prompt with its own.",
            _union_of_positions,
        ),
        Mistake(
            "whole heads", "the head is kept at one position a prompt, not everywhere.", _marking(_whole_head)
        ),
        Mistake(
            "the first prompt's position",
            "each prompt has its own position.",
            _marking(_first_prompts_place),
        ),
        Mistake("whole layers", "only the head that is named is kept.", _marking(_every_head)),
        Mistake("everything before, too", "one position a prompt.", _marking(_up_to)),
        Mistake(
            "only the last place of a head",
            "a head that is named twice is kept at both places.",
            _last_one_wins,
        ),
        Mistake(
            "what is thrown away",
            "True where the head is kept.",
            lambda heads, positions, shape: ~circuit_mask(heads, positions, shape),
        ),
    ),
)
