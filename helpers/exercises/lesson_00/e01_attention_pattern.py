"""Exercise 0.1: an attention pattern from queries and keys."""

from functools import partial

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def attention_pattern(
    q: Float[Tensor, "query head d_head"], k: Float[Tensor, "key head d_head"]
) -> Float[Tensor, "head query key"]:
    """Return the causal attention patterns of all heads of a layer, for one sequence."""
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def _variant(q, k, scale=0.5, axis=-1, mask="future", fill=float("-inf"), dim: int | None = -1):
    """The pattern with another scale, mask or softmax (none if ``dim`` is None)."""
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[axis] ** scale
    ones = torch.ones(len(q), len(k))
    masks = {
        "future": ones.triu(1),
        "future but one": ones.triu(2),
        "past": ones.tril(-1),
        "past and itself": ones.tril(),
        "itself too": ones.triu(0),
        "none": 0 * ones,
    }
    masked = scores.masked_fill(masks[mask].bool(), fill)
    return masked if dim is None else masked.softmax(dim=dim)


def _by_exp(q, k, subtract=lambda scores: 0):
    """The pattern with exp, mask and a division, after something is subtracted from the scores."""
    scores = _variant(q, k, mask="none", dim=None)
    weights = (scores - subtract(scores)).exp().tril()
    return weights / weights.sum(-1, keepdim=True)


def _largest_of_all(scores):
    """The largest score that is not masked, of all heads and queries."""
    return scores[torch.ones_like(scores).tril().bool()].max()


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
    """Scores of ±200 overflow without softmax; scores near -400 lie below many a finite mask."""
    q, k = (10 * torch.randn(2, 6, 3, 7, generator=generator(5))).unbind()
    low, high = (12.5 + 0.5 * torch.rand(2, 5, 2, 6, generator=generator(6))).unbind()
    for queries, keys in [(q, k), (low, -high)]:
        trial.matches((queries, keys), _expected(queries, keys), "head query key", tolerance=1e-4)


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
            "multiplied by √d_head",
            "the scores are multiplied by √d_head; divide by it.",
            partial(_variant, scale=-0.5),
        ),
        Mistake(
            "scale is √n_heads",
            "the scores are divided by the square root of the number of heads; d_head is the last axis of q.",
            partial(_variant, axis=1),
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
        Mistake(
            "softmax missing",
            "these are scores; mask the later keys, then take a softmax over the keys.",
            partial(_variant, mask="none", dim=None),
        ),
        Mistake(
            "softmax missing",
            "these are the masked scores; take a softmax over the keys.",
            partial(_variant, dim=None),
        ),
        *(
            Mistake(
                "masked with a finite number",
                "a masked score that is finite still gets weight beside scores as low as it: use -inf.",
                partial(_variant, fill=fill),
            )
            for fill in (0, -1, -100, -300)
        ),
        Mistake(
            "mask after the softmax",
            "rows no longer sum to 1: mask before the softmax.",
            lambda q, k: _variant(q, k, mask="none").tril(),
        ),
        *(
            Mistake(
                "mask hides the query itself",
                "a query may attend to its own position: the mask begins one above the diagonal.",
                answer,
            )
            for answer in (
                partial(_variant, mask="itself too"),
                lambda q, k: _variant(q, k, mask="itself too").nan_to_num(),
            )
        ),
        Mistake(
            "mask begins too late",
            "queries attend to the next token: the mask begins one above the diagonal, triu(1).",
            partial(_variant, mask="future but one"),
        ),
        Mistake(
            "overflow",
            "exp of a score above 88 is inf, and of one below -104 it is 0; inf / inf and 0 / 0 are NaN. "
            "Use softmax, or subtract each row's maximum before exp.",
            _by_exp,
        ),
        *(
            Mistake(
                "a row of zeros",
                "the weights of all keys that a query may attend to are 0, and 0 / 0 is NaN. Mask with -inf first; "
                "then take the softmax, or subtract each row's own maximum before exp.",
                partial(_by_exp, subtract=subtract),
            )
            for subtract in (lambda scores: scores.amax(-1, keepdim=True), torch.max, _largest_of_all)
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
