"""Exercise 5.8: to swap the question, who answers, or the answer."""

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def z_with_patched_part(
    own: dict[str, Float[Tensor, "pos d_head"]], other: dict[str, Float[Tensor, "pos d_head"]], part: str
) -> Float[Tensor, "pos d_head"]:
    """Z of a head with its "q", "k", "v" or "pattern" from another run."""
    parts = {name: other[name] if name == part else own[name] for name in ("q", "k", "v")}
    if part == "pattern":
        parts |= {"q": other["q"], "k": other["k"]}
    scores = parts["q"] @ parts["k"].T / parts["q"].shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1) @ parts["v"]


def _own_and_other_exchanged(own, other, part):
    parts = {name: own[name] if name == part else other[name] for name in ("q", "k", "v")}
    if part == "pattern":
        parts.update(q=own["q"], k=own["k"])
    scores = parts["q"] @ parts["k"].T / parts["q"].shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1) @ parts["v"]


ASKED = {"q": "q", "k": "k", "v": "v", "pattern": "qk"}


def _z_of(q, k, v, power=-0.5, masked=True, dim=-1):
    scores = q @ k.T * q.shape[-1] ** power
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return (scores.masked_fill(future, -1e30) if masked else scores).softmax(dim) @ v


def _swapping(asked, **how):
    """Z with the parts ``asked[part]`` swapped."""
    return lambda own, other, part: _z_of(
        *((other if name in asked[part] else own)[name] for name in "qkv"), **how
    )


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: query by query."""
    runs = [
        {name: torch.randn(5, 3, generator=generator(10 * n + i)) for i, name in enumerate("qkv")}
        for n in (0, 1)
    ]
    for part, names in ASKED.items():
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
        "Choose q, k and v first: each from `own` or from `other`. A pattern is made of both q and k.",
        "Then attention as in lesson 2: scores / √d_head, future masked, softmax over keys, times v.",
    ),
    reference=z_with_patched_part,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the wrong run changed",
            "everything is from `own` but the part, which is from `other`.",
            _own_and_other_exchanged,
        ),
        Mistake(
            "a pattern of one side",
            "a pattern is made of queries and keys: take both from `other`.",
            _swapping(ASKED | {"pattern": "q"}),
        ),
        Mistake(
            "a pattern of the keys alone",
            "a pattern is made of queries and keys: take both from `other`.",
            _swapping(ASKED | {"pattern": "k"}),
        ),
        Mistake("future not masked", "a query sees no later key.", _swapping(ASKED, masked=False)),
        Mistake("scale missing", "scores are divided by √d_head.", _swapping(ASKED, power=0)),
        Mistake(
            "divided by d_head",
            "scores are divided by the square root of d_head.",
            _swapping(ASKED, power=-1),
        ),
        Mistake(
            "softmax over queries",
            "each query's attention sums to 1 over the keys: dim=-1.",
            _swapping(ASKED, dim=0),
        ),
        Mistake(
            "the pattern is left",
            'for "pattern", q and k come from `other`.',
            _swapping(ASKED | {"pattern": ""}),
        ),
        Mistake(
            "everything swapped",
            "only the part is swapped; the rest of the head is its own.",
            _swapping(dict.fromkeys(ASKED, "qkv")),
        ),
        Mistake(
            "queries and keys always go together",
            'for "q" only the query is swapped, for "k" only the keys.',
            _swapping({"q": "qk", "k": "qk", "v": "v", "pattern": "qk"}),
        ),
    ),
)
