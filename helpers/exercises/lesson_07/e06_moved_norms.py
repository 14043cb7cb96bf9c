"""Exercise 7.6: norms of what a head moves from each position, with shared values."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def moved_norms(
    pattern: Float[Tensor, "head query key"],
    v: Float[Tensor, "key shared d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
) -> Float[Tensor, "head query key"]:
    """Return the norm of what each head moves from each key to each query."""
    values = v.repeat_interleave(len(W_O) // v.shape[1], dim=1)
    outputs = torch.einsum("khd,hdm->hkm", values, W_O)
    return pattern * outputs.norm(dim=-1)[:, None]


def _inputs(heads: int, shared: int, n_pos: int, d_head: int, d_model: int):
    pattern = torch.rand(heads, n_pos, n_pos, generator=generator(0)).tril()
    pattern = pattern / pattern.sum(dim=-1, keepdim=True)
    v = torch.randn(n_pos, shared, d_head, generator=generator(1)) + 0.5
    v[0] /= 20  # the short value of a sink
    W_O = torch.randn(heads, d_head, d_model, generator=generator(2))
    return pattern, v, W_O * torch.linspace(1, 4, heads)[:, None, None]


def _equals_loops(trial: Trial) -> None:
    """Oracle: one head, query and key at a time; values of one head, of a group, of all."""
    for sizes in ((6, 2, 5, 3, 7), (6, 3, 4, 2, 5), (3, 3, 5, 4, 2), (4, 1, 3, 2, 6)):
        pattern, v, W_O = _inputs(*sizes)
        heads, shared, n_pos = sizes[:3]
        expected = torch.zeros_like(pattern)
        for head in range(heads):
            for query in range(n_pos):
                for key in range(query + 1):
                    value = v[key, head * shared // heads]
                    moved = sum(pattern[head, query, key] * x * row for x, row in zip(value, W_O[head]))
                    expected[head, query, key] = moved.square().sum().sqrt()
        trial.matches((pattern, v, W_O), expected, "head query key")


def _with_values(shared_values):
    """The reference with other values per query head: ``shared_values(v, group)``."""

    def answer(pattern, v, W_O):
        values = shared_values(v, len(W_O) // v.shape[1])
        return pattern * torch.einsum("khd,hdm->hkm", values, W_O).norm(dim=-1)[:, None]

    return answer


def _of_outputs(measure):
    """Pattern times ``measure(outputs)`` of the outputs [head key d_model]."""

    def answer(pattern, v, W_O):
        values = v.repeat_interleave(len(W_O) // v.shape[1], dim=1)
        return pattern * measure(torch.einsum("khd,hdm->hkm", values, W_O))[:, None]

    return answer


EXERCISE = Exercise(
    id="7.6",
    title="what a head moves from each position",
    minutes=7,
    difficulty=2,
    hints=(
        "How many query heads share a value head? `len(W_O) // v.shape[1]`. "
        "`repeat_interleave` along the axis of heads gives each query head its own copy.",
        '`torch.einsum("khd,hdm->hkm", …)` multiplies the values of each head by its own `W_O`.',
        "Attention weights are not negative. So take the norm over d_model first, and multiply by the pattern "
        "afterwards. `[:, None]` adds the axis of queries.",
    ),
    reference=moved_norms,
    tests=(_equals_loops,),
    mistakes=(
        Mistake(
            "value heads in turns",
            "neighbouring query heads share a value head: 0 0 0 1 1 1, not 0 1 0 1 0 1. Use repeat_interleave.",
            _with_values(lambda v, group: v.repeat(1, group, 1)),
        ),
        Mistake(
            "first value head for all",
            "each group of query heads has its own value head.",
            _with_values(lambda v, group: v[:, :1].expand(-1, v.shape[1] * group, -1)),
        ),
        Mistake(
            "W_O left out",
            "a head adds v W_O to the stream, not v: multiply by W_O before the norm.",
            lambda pattern, v, W_O: (
                pattern * v.repeat_interleave(len(W_O) // v.shape[1], dim=1).norm(dim=-1).T[:, None]
            ),
        ),
        Mistake(
            "attention left out",
            "multiply by the attention weight of the query to the key.",
            lambda pattern, v, W_O: moved_norms(torch.ones_like(pattern), v, W_O),
        ),
        Mistake(
            "norms multiplied",
            "the norm of v W_O is not the product of the norms of v and W_O: multiply the matrices first.",
            lambda pattern, v, W_O: (
                pattern
                * v.repeat_interleave(len(W_O) // v.shape[1], dim=1).norm(dim=-1).T[:, None]
                * W_O.norm(dim=(1, 2))[:, None, None]
            ),
        ),
        Mistake(
            "squared norms",
            "expected norms: take the square root of the sum of squares.",
            _of_outputs(lambda outputs: outputs.square().sum(dim=-1)),
        ),
        Mistake(
            "squared norms",
            "expected norms: take the square root of the sum of squares.",
            lambda pattern, v, W_O: moved_norms(pattern, v, W_O).square(),
        ),
        Mistake(
            "sum of absolute values",
            "expected the Euclidean norm: .norm(dim=-1).",
            _of_outputs(lambda outputs: outputs.abs().sum(dim=-1)),
        ),
        Mistake(
            "sum instead of norm",
            "expected the norm over d_model, not the sum: positive and negative numbers cancel in a sum.",
            _of_outputs(lambda outputs: outputs.sum(dim=-1)),
        ),
        Mistake(
            "query's value instead of the key's",
            "the value belongs to the key: put the axis of queries in with [:, None].",
            lambda pattern, v, W_O: moved_norms(pattern.mT, v, W_O).mT,
        ),
        Mistake(
            "summed over keys",
            "expected one norm for every key: do not sum over keys.",
            lambda pattern, v, W_O: moved_norms(pattern, v, W_O).sum(dim=-1),
        ),
        Mistake(
            "fractions of the row",
            "expected norms: do not divide by their sum.",
            lambda pattern, v, W_O: (norms := moved_norms(pattern, v, W_O)) / norms.sum(dim=-1, keepdim=True),
        ),
    ),
)
