"""Exercise 5.8: patching of the queries, the keys, the values or the pattern of a head."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def z_with_patched_part(
    base: dict[str, Float[Tensor, "pos d_head"]], source: dict[str, Float[Tensor, "pos d_head"]], part: str
) -> Float[Tensor, "pos d_head"]:
    """Z of a head in the base run with its "q", "k", "v" or "pattern" from the source run.

    >>> base, source = (dict.fromkeys("qkv", torch.full((2, 1), value)) for value in (0.0, 1.0))
    >>> z_with_patched_part(base, source, "v").flatten()
    tensor([1., 1.])
    """
    patched = ("q", "k") if part == "pattern" else (part,)
    q, k, v = (source[name] if name in patched else base[name] for name in ("q", "k", "v"))
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(1)
    scores = q @ k.T / q.shape[-1] ** 0.5
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1) @ v


PATCHED = {"q": "q", "k": "k", "v": "v", "pattern": "qk"}  # what comes from the source run, by part


def _z(patched=PATCHED, power=-0.5, masked=True, dim=-1):
    """Causal attention with ``patched[part]`` from the source run, and perhaps a mistake."""

    def answer(base, source, part):
        q, k, v = ((source if name in patched[part] else base)[name] for name in "qkv")
        scores = q @ k.T * q.shape[-1] ** power
        future = torch.ones_like(scores, dtype=torch.bool).triu(1)
        return (scores.masked_fill(future, -1e30) if masked else scores).softmax(dim) @ v

    return answer


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: query by query."""
    runs = [
        {name: torch.randn(5, 3, generator=generator(10 * n + i)) for i, name in enumerate("qkv")}
        for n in (0, 1)
    ]
    for part, names in PATCHED.items():
        q, k, v = (runs[name in names][name] for name in "qkv")
        rows = []
        for i in range(5):
            weights = torch.exp((k[: i + 1] * q[i]).sum(-1) / 3**0.5)
            rows.append((weights / weights.sum()) @ v[: i + 1])
        trial.behaves(
            lambda function, part=part: function(*runs, part),
            torch.stack(rows),
            "pos d_head",
            what=f'with part "{part}"',
        )


EXERCISE = Exercise(
    id="5.8",
    title="swap the question, who answers, or the answer",
    minutes=8,
    difficulty=3,
    hints=(
        "First decide which run each of q, k and v comes from.",
        'A pattern is made of queries and keys: with `"pattern"` both come from `source`, and v from `base`.',
        "Then causal attention as in lesson 2: scores divided by √d_head, the future masked with -inf, softmax over keys, times v.",
    ),
    reference=z_with_patched_part,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the wrong run changed",
            "everything is from `base` except the part, which is from `source`.",
            lambda base, source, part: z_with_patched_part(source, base, part),
        ),
        Mistake(
            "a pattern of one side",
            "a pattern is made of queries and keys: take both from `source`.",
            _z(PATCHED | {"pattern": "q"}),
        ),
        Mistake(
            "a pattern of the keys alone",
            "a pattern is made of queries and keys: take both from `source`.",
            _z(PATCHED | {"pattern": "k"}),
        ),
        Mistake(
            "future not masked",
            "a query attends to no later key: mask the future before the softmax.",
            _z(masked=False),
        ),
        Mistake(
            "scale missing",
            "divide the scores by √d_head.",
            _z(power=0),
        ),
        Mistake(
            "divided by d_head",
            "divide the scores by the square root of d_head.",
            _z(power=-1),
        ),
        Mistake(
            "softmax over queries",
            "the attention of each query sums to 1 over the keys: dim=-1.",
            _z(dim=0),
        ),
        Mistake(
            "the pattern is left",
            'for "pattern", q and k come from `source`.',
            _z(PATCHED | {"pattern": ""}),
        ),
        Mistake(
            "everything swapped",
            "only the part comes from `source`; the other inputs of the head are from `base`.",
            _z(dict.fromkeys(PATCHED, "qkv")),
        ),
        Mistake(
            "queries and keys always go together",
            'for "q" only the queries come from `source`, for "k" only the keys.',
            _z(PATCHED | {"q": "qk", "k": "qk"}),
        ),
    ),
)
