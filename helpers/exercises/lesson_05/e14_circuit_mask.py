"""Exercise 5.14: the mask of a circuit, from a function with a bug."""

import torch

from helpers.ablation import circuit_mask
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong


def _marking(mark):
    """A mask in which ``mark(keep, layer, head, head_positions)`` marks every head's positions."""

    def answer(heads, positions, shape):
        keep = torch.zeros(shape, dtype=torch.bool)
        for (layer, head), head_positions in zip(heads, positions):
            mark(keep, layer, head, head_positions)
        return keep

    return answer


def _union_of_positions(keep, layer, head, head_positions):
    keep[layer, head][:, head_positions] = True


def _all_positions(keep, layer, head, head_positions):
    keep[layer, head] = True


def _position_of_first_prompt(keep, layer, head, head_positions):
    keep[layer, head][:, head_positions[0]] = True


def _all_heads(keep, layer, head, head_positions):
    keep[layer, :, torch.arange(keep.shape[2]), head_positions] = True


def _up_to_the_position(keep, layer, head, head_positions):
    keep[layer, head] |= torch.arange(keep.shape[3]) <= head_positions[:, None]


def _last_positions(keep, layer, head, head_positions):
    keep[layer, head] = torch.arange(keep.shape[3]) == head_positions[:, None]


def _toggled(keep, layer, head, head_positions):
    keep[layer, head] ^= torch.arange(keep.shape[3]) == head_positions[:, None]


CASES = (  # (layer, head, prompt, pos) sizes; heads; the position of each head in each prompt
    ((2, 3, 5, 7), [(0, 2), (1, 0), (0, 2)], [[1, 3, 2, 5, 1], [6, 6, 6, 6, 6], [4, 4, 0, 5, 4]]),
    ((3, 2, 1, 4), [(2, 1), (0, 0)], [[3], [0]]),
)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry; one head twice, at positions that coincide once; a single prompt."""
    for shape, heads, positions in CASES:
        expected = torch.zeros(shape)
        for (layer, head), head_positions in zip(heads, positions):
            for n, position in enumerate(head_positions):
                expected[layer, head, n, position] = 1

        def as_numbers(function, shape=shape, heads=heads, positions=positions):
            mask = function(heads, torch.tensor(positions), shape)
            if not isinstance(mask, torch.Tensor):
                return mask
            if mask.dtype != torch.bool:
                raise Wrong(
                    "wrong dtype",
                    f"expected a mask of torch.bool, got {mask.dtype}. Make it with dtype=torch.bool.",
                )
            return mask.float()

        trial.behaves(as_numbers, expected, "layer head prompt pos")


EXERCISE = Exercise(
    id="5.14",
    title="spot the bug",
    minutes=6,
    difficulty=2,
    hints=(
        "`head_positions` holds one position per prompt. What does `keep[layer, head][:, head_positions] = True` mark in prompt 0?",
        "Pair every prompt with its own position: an index of prompts (`torch.arange`) beside the index of positions, or a loop over prompts.",
    ),
    reference=circuit_mask,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "union of positions",
            "every prompt is marked at the positions of all prompts: pair each prompt with its own position.",
            _marking(_union_of_positions),
        ),
        Mistake(
            "whole heads",
            "keep the head at one position per prompt, not everywhere.",
            _marking(_all_positions),
        ),
        Mistake(
            "the first prompt's position",
            "every prompt has its own position.",
            _marking(_position_of_first_prompt),
        ),
        Mistake(
            "whole layers",
            "keep only the head that is named, not its whole layer.",
            _marking(_all_heads),
        ),
        Mistake(
            "everything before, too",
            "keep one position per prompt, not all positions up to it.",
            _marking(_up_to_the_position),
        ),
        Mistake(
            "only the last position of a head",
            "a head that is named twice is kept at both positions.",
            _marking(_last_positions),
        ),
        Mistake(
            "unmarked where positions coincide",
            "where both positions of a head that is named twice coincide, the head is kept.",
            _marking(_toggled),
        ),
        Mistake(
            "what is thrown away",
            "the mask is True where the head is kept.",
            lambda heads, positions, shape: ~circuit_mask(heads, positions, shape),
        ),
    ),
)
