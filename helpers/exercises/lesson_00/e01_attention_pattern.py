"""Exercise 0.1: an attention pattern from queries and keys."""

from functools import partial

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def attention_pattern(
    q: Float[Tensor, "query head d_head"], k: Float[Tensor, "key head d_head"]
) -> Float[Tensor, "head query key"]:
    """Return the causal attention patterns of all heads of a layer, for one sequence."""
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def _variant(q, k, scale=0.5, mask="future", fill=float("-inf"), dim: int | None = -1):
    """The pattern with another scale, mask or softmax (none if ``dim`` is None)."""
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** scale
    ones = torch.ones(len(q), len(k))
    masks = {
        "future": ones.triu(1),
        "past": ones.tril(-1),
        "past and itself": ones.tril(),
        "itself too": ones.triu(0),
        "none": 0 * ones,
    }
    masked = scores.masked_fill(masks[mask].bool(), fill)
    return masked if dim is None else masked.softmax(dim=dim)


def _reshaped(q, k):
    """The pattern of queries and keys whose first two axes are reshaped, not transposed."""
    q, k = (x.reshape(x.shape[1], x.shape[0], x.shape[2]).transpose(0, 1) for x in (q, k))
    return attention_pattern(q, k)


def _expected(q, k):
    """Oracle: torch's causal attention returns the pattern if the values are the identity."""
    query, key = (rearrange(x, "pos head d_head -> head pos d_head") for x in (q, k))
    values = torch.eye(len(q)).expand(q.shape[1], -1, -1)
    return scaled_dot_product_attention(query, key, values, is_causal=True)


def _pattern_equals_torch(trial: Trial) -> None:
    """Several heads, a single head, a single token."""
    for seed, sizes in enumerate([(5, 3, 7), (6, 2, 11), (7, 1, 5), (1, 2, 3)]):
        q, k = torch.randn(2, *sizes, generator=generator(seed)).unbind()
        trial.matches((q, k), _expected(q, k), "head query key")


def _pattern_survives_large_scores(trial: Trial) -> None:
    """Scores of ±200 overflow without softmax, and reach below a mask that is finite."""
    q, k = (10 * torch.randn(2, 6, 3, 7, generator=generator(5))).unbind()
    pattern = trial.call(q, k)
    if isinstance(pattern, Tensor) and pattern.isnan().any():
        raise Wrong(
            "overflow",
            "with scores of ±200 the pattern holds NaN. Use softmax instead of exp and a division.",
        )
    trial.matches((q, k), _expected(q, k), "head query key", tolerance=1e-4)


EXERCISE = Exercise(
    id="0.1",
    title="an attention pattern from q and k",
    minutes=5,
    difficulty=1,
    hints=(
        "Three steps: the dot product of every query with every key, head by head; the division by `√d_head`; "
        "the softmax over the keys.",
        "A query may not attend to later keys. Between the division and the softmax, set their scores to `-inf`: "
        "`torch.ones(n, n).triu(1)` marks them.",
        "`einsum(q, k, 'query head d_head, key head d_head -> head query key')` is the first step.",
    ),
    reference=attention_pattern,
    tests=(_pattern_equals_torch, _pattern_survives_large_scores),
    mistakes=(
        Mistake("scale missing", "the scores are not divided by √d_head.", partial(_variant, scale=0)),
        Mistake(
            "scale is d_head",
            "the scores are divided by d_head; divide by its square root.",
            partial(_variant, scale=1),
        ),
        Mistake(
            "softmax over the query axis",
            "each column sums to 1; each row (a query) should: use dim=-1.",
            partial(_variant, dim=-2),
        ),
        Mistake(
            "softmax over the head axis",
            "the softmax runs over the heads; it belongs over the keys, dim=-1.",
            lambda q, k: _variant(q, k, dim=0).nan_to_num(),
        ),
        Mistake(
            "mask missing",
            "queries attend to later tokens: set those scores to -inf before the softmax.",
            partial(_variant, mask="none"),
        ),
        *(
            Mistake(
                "mask on the wrong side",
                "the past is masked and the future is not: triu(1) marks the future.",
                partial(_variant, mask=mask),
            )
            for mask in ("past", "past and itself")
        ),
        *(
            Mistake(
                "softmax missing",
                "these are scores; mask the later keys, then take a softmax over the keys.",
                partial(_variant, mask=mask, dim=None),
            )
            for mask in ("future", "none")
        ),
        *(
            Mistake(
                "masked with a finite number",
                f"a masked score of {fill} still gets weight, since exp({fill}) is not 0: use -inf.",
                partial(_variant, fill=fill),
            )
            for fill in (0, -1, -100)
        ),
        Mistake(
            "mask after the softmax",
            "rows no longer sum to 1: mask before the softmax.",
            lambda q, k: _variant(q, k, mask="none").tril(),
        ),
        Mistake(
            "mask hides the query itself",
            "a query may attend to its own position: the mask begins one above the diagonal.",
            partial(_variant, mask="itself too"),
        ),
        Mistake(
            "q and k swapped",
            "queries and keys are swapped: the query comes from q.",
            lambda q, k: attention_pattern(k, q),
        ),
        Mistake(
            "reshape instead of transpose",
            "reshape mixes positions and heads: move the head axis with transpose or rearrange.",
            _reshaped,
        ),
    ),
)
