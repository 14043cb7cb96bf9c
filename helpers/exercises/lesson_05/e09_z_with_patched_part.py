"""Exercise 5.9: patching of the queries, the keys, the values or the pattern of a head."""

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
    scores = q @ k.T / q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1) @ v


PATCHED = {"q": "q", "k": "k", "v": "v", "pattern": "qk"}  # what comes from the source run, by part


def _z(patched=PATCHED, power=-0.5, masked=True, dim=-1, softmax=torch.softmax, hidden=-1e30):
    """Causal attention with ``patched[part]`` from the source run, and perhaps a mistake."""

    def answer(base, source, part):
        q, k, v = ((source if name in patched[part] else base)[name] for name in "qkv")
        scores = q @ k.T * q.shape[-1] ** power
        future = torch.ones_like(scores, dtype=torch.bool).triu(1)
        return softmax(scores.masked_fill(future, hidden) if masked else scores, dim) @ v

    return answer


def _hide_own(scores, value):
    return scores.masked_fill(torch.ones_like(scores).triu() > 0, value)


def _hide_future(scores):
    return scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -1e30)


def _rescaled(head):
    return head | {"q": head["q"] / len(head["q"]) ** 0.5}


def _softmax_that_overflows(scores, dim):
    return scores.exp() / scores.exp().sum(dim, keepdim=True)


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: query by query; more positions than d_head, fewer, scores of ±500."""
    for n_positions, d_head, size in ((5, 3, 1.0), (2, 7, 1.0), (6, 5, 11.5)):
        base, source = (_inputs(n_positions, d_head, size, generator(seed)) for seed in range(2))
        for part, names in PATCHED.items():
            inputs = ((source if name in names else base)[name].double() for name in "qkv")
            trial.behaves(
                lambda function, part=part, base=base, source=source: function(base, source, part),
                _attention(*inputs).float(),
                "pos d_head",
                1e-5 if size == 1 else 1e-3,
                what=f'with part "{part}"',
            )


def _inputs(n_positions: int, d_head: int, size: float, random):
    """Q, k and v; where they are large, the first query's only score is -296."""
    q, k, v = torch.randn(3, n_positions, d_head, generator=random)
    if size > 1:
        q[0], k[0] = 1, -1
    return {"q": size * q, "k": size * k, "v": v}


def _attention(q, k, v):
    """Causal attention, row by row."""
    rows = []
    for i in range(len(q)):
        scores = (k[: i + 1] * q[i]).sum(-1) / q.shape[-1] ** 0.5
        weights = torch.exp(scores - scores.max())
        rows.append((weights / weights.sum()) @ v[: i + 1])
    return torch.stack(rows)


EXERCISE = Exercise(
    id="5.9",
    title="patch queries, keys, values or the pattern",
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
            "nothing patched",
            "this is z of the base run. What `part` names comes from `source`.",
            _z(dict.fromkeys(PATCHED, "")),
        ),
        Mistake(
            "queries and keys exchanged",
            'for "q" the queries come from `source`, for "k" the keys.',
            _z(PATCHED | {"q": "k", "k": "q"}),
        ),
        Mistake(
            "values of the pattern's run",
            'for "pattern" the values stay those of `base`: only q and k come from `source`.',
            _z(PATCHED | {"pattern": "qkv"}),
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
            "divided by the root of the positions",
            "divide the scores by √d_head: d_head is the second axis of q.",
            lambda base, source, part: _z(power=0)(_rescaled(base), _rescaled(source), part),
        ),
        Mistake(
            "mask not low enough",
            "where all earlier scores are lower than the number in place of a future score, "
            "the future gets attention: mask it with -inf.",
            _z(hidden=-100),
        ),
        Mistake(
            "masked after the softmax",
            "mask the scores before the softmax: after it, rows no longer sum to 1.",
            _z(masked=False, softmax=lambda scores, dim: scores.softmax(dim).tril()),
        ),
        Mistake(
            "future scores set to 0",
            "a key with the score 0 still gets attention: mask the future with -inf.",
            _z(masked=False, softmax=lambda scores, dim: scores.tril().softmax(dim)),
        ),
        Mistake(
            "own position masked, too",
            "a query may attend to its own position: mask later keys only, triu(1).",
            _z(masked=False, softmax=lambda scores, dim: _hide_own(scores, -torch.inf).softmax(dim)),
        ),
        Mistake(
            "own position masked, too",
            "a query may attend to its own position: mask later keys only, triu(1).",
            _z(masked=False, softmax=lambda scores, dim: _hide_own(scores, -1e9).softmax(dim)),
        ),
        Mistake(
            "own position masked, too",
            "a query may attend to its own position: mask later keys only, triu(1).",
            _z(
                masked=False,
                softmax=lambda scores, dim: _hide_own(scores, -torch.inf).softmax(dim).nan_to_num(),
            ),
        ),
        Mistake(
            "scores transposed",
            "rows of the scores are queries: q @ k.T.",
            _z(masked=False, softmax=lambda scores, dim: _hide_future(scores.T).softmax(dim)),
        ),
        Mistake(
            "exp overflows",
            "exp() of a score above 88 is infinite. Subtract each row's maximum first, or call softmax.",
            _z(softmax=_softmax_that_overflows),
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
