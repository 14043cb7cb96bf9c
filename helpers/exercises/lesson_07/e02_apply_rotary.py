"""Exercise 7.2: rotary positions in the half-split convention of Llama (Su et al. 2021)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def apply_rotary(
    x: Float[Tensor, "row d_head"], positions: Int[Tensor, " row"], base: float
) -> Float[Tensor, "row d_head"]:
    """Rotate coordinates j and j + d_head/2 of each row by  position · base^(-2j/d_head)."""
    half = x.shape[1] // 2
    angles = positions[:, None] * base ** (-torch.arange(half) / half)  # [row pair]
    first, second = x[:, :half], x[:, half:]
    turned = first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()
    return torch.cat(turned, dim=1)


def _turned(angles_of, sign=1):
    """Rotation by the angles [row pair] that ``angles_of(positions, half, base)`` returns."""

    def answer(x, positions, base):
        half = x.shape[1] // 2
        angles = sign * angles_of(positions, half, base)
        first, second = x[:, :half], x[:, half:]
        turned = first * angles.cos() - second * angles.sin(), first * angles.sin() + second * angles.cos()
        return torch.cat(turned, dim=1)

    return answer


def _angles(positions, half, base):
    return positions[:, None] * base ** (-torch.arange(half) / half)


def _interleaved(x, positions, base):
    angles = _angles(positions, x.shape[1] // 2, base)
    even, odd = x[:, ::2], x[:, 1::2]
    turned = even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()
    return torch.stack(turned, dim=2).flatten(1)


def _interleaved_pairs_apart(x, positions, base):
    return apply_rotary(torch.cat([x[:, ::2], x[:, 1::2]], dim=1), positions, base)


def _mirrored(x, positions, base):
    half = x.shape[1] // 2
    angles = _angles(positions, half, base).repeat(1, 2)
    return x * angles.cos() + torch.cat([x[:, half:], x[:, :half]], dim=1) * angles.sin()


def _cosines_only(x, positions, base):
    return x * _angles(positions, x.shape[1] // 2, base).cos().repeat(1, 2)


def _equals_complex_numbers(trial: Trial) -> None:
    """Oracle: a complex number per pair, multiplied by e^(i angle), one by one."""
    for rows, d_head, base in ((5, 6, 100.0), (3, 8, 10000.0), (4, 2, 7.0)):
        x = torch.randn(rows, d_head, generator=generator(rows))
        positions = torch.randint(1, 30, (rows,), generator=generator(d_head))
        expected = torch.zeros(rows, d_head)
        for row in range(rows):
            for j in range(d_head // 2):
                angle = positions[row].item() / base ** (2 * j / d_head)
                z = complex(x[row, j], x[row, j + d_head // 2]) * complex(math.cos(angle), math.sin(angle))
                expected[row, j], expected[row, j + d_head // 2] = z.real, z.imag
        trial.matches((x, positions, base), expected, "row d_head", tolerance=1e-4)


def _leaves_position_0(trial: Trial) -> None:
    """Limit: position 0 turns nothing; the same position twice turns both rows alike."""
    x = torch.randn(3, 4, generator=generator(1))
    trial.matches((x, torch.zeros(3, dtype=torch.long), 50.0), x, "row d_head")
    repeated = torch.tensor([3, 0, 3])
    angles = repeated[:, None] / torch.tensor([1.0, 50.0**0.5])
    z = torch.polar(torch.ones(3, 2), angles) * torch.complex(x[:, :2], x[:, 2:])
    trial.matches((x, repeated, 50.0), torch.cat([z.real, z.imag], dim=1), "row d_head", tolerance=1e-4)


EXERCISE = Exercise(
    id="7.2",
    title="rotary positions",
    minutes=12,
    difficulty=2,
    hints=(
        "First the angles, one row per row of `x`, one column per pair: `positions[:, None] * base ** (-torch.arange(half) / half)` with `half = x.shape[1] // 2`.",
        "`first, second = x[:, :half], x[:, half:]` are the two coordinates of every pair.",
        "A rotation by a: (u, v) becomes (u cos a - v sin a, u sin a + v cos a). `torch.cat` puts both halves side by side again.",
    ),
    reference=apply_rotary,
    tests=(_equals_complex_numbers, _leaves_position_0),
    mistakes=(
        Mistake(
            "interleaved pairs",
            "here coordinates 2j and 2j + 1 are a pair, as in the paper. Llama pairs coordinates j and j + d_head/2.",
            _interleaved,
        ),
        Mistake(
            "interleaved pairs, then put apart",
            "Llama pairs coordinates j and j + d_head/2: take halves, not every other coordinate.",
            _interleaved_pairs_apart,
        ),
        Mistake(
            "rotated backwards",
            "the sign of the angle is wrong: (u, v) becomes (u cos a - v sin a, u sin a + v cos a).",
            _turned(_angles, sign=-1),
        ),
        Mistake(
            "mirrored",
            "the two sines have opposite signs: -v sin a in the first half, +u sin a in the second.",
            _mirrored,
        ),
        Mistake(
            "sines left out",
            "a rotation mixes the two coordinates of a pair: the terms with the sine are missing.",
            _cosines_only,
        ),
        Mistake(
            "exponent half as large",
            "the exponent of pair j is -2j/d_head, which is -j/half with half = d_head/2.",
            _turned(
                lambda positions, half, base: positions[:, None] * base ** (-torch.arange(half) / half / 2)
            ),
        ),
        Mistake(
            "exponent twice as large",
            "the exponent of pair j is -2j/d_head, which is -j/half with half = d_head/2.",
            _turned(
                lambda positions, half, base: positions[:, None] * base ** (-torch.arange(half) * 2 / half)
            ),
        ),
        Mistake(
            "exponent counted from 1",
            "pair 0 turns by one radian per position: count the pairs from 0.",
            _turned(
                lambda positions, half, base: positions[:, None] * base ** (-torch.arange(1, half + 1) / half)
            ),
        ),
        Mistake(
            "frequencies grow",
            "later pairs turn more slowly: the exponent is negative.",
            _turned(lambda positions, half, base: positions[:, None] * base ** (torch.arange(half) / half)),
        ),
        Mistake(
            "slowest pair first",
            "pair 0 turns fastest: the order of the frequencies is reversed.",
            _turned(lambda positions, half, base: _angles(positions, half, base).flip(1)),
        ),
        Mistake(
            "positions off by one",
            "use the positions as they are passed in: position 0 turns nothing.",
            _turned(lambda positions, half, base: _angles(positions + 1, half, base)),
        ),
        Mistake(
            "positions off by one",
            "use the positions as they are passed in: position 0 turns nothing.",
            _turned(lambda positions, half, base: _angles(positions - 1, half, base)),
        ),
        Mistake(
            "rows numbered from 0",
            "a row may stand at any position: use `positions`, not the number of the row.",
            _turned(lambda positions, half, base: _angles(torch.arange(len(positions)), half, base)),
        ),
        Mistake(
            "one frequency for all pairs",
            "each pair has its own frequency, base^(-2j/d_head).",
            _turned(lambda positions, half, base: positions[:, None] * torch.ones(half)),
        ),
        Mistake(
            "base fixed",
            "use the `base` that is passed in: models differ in it.",
            lambda x, positions, base: apply_rotary(x, positions, 10000.0),
        ),
        Mistake(
            "times 2π",
            "the angle of pair 0 is the position itself, in radians.",
            _turned(lambda positions, half, base: 2 * math.pi * _angles(positions, half, base)),
        ),
    ),
)
