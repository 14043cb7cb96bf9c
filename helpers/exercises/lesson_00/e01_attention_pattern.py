"""Exercise 0.1: an attention pattern by hand."""

from functools import partial

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def attention_pattern(
    q: Float[Tensor, "query head d_head"], k: Float[Tensor, "key head d_head"]
) -> Float[Tensor, "head query key"]:
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool, device=q.device).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def _no_scale(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key")
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def _other_pattern(q, k, scale=0.5, mask="future", fill=float("-inf"), dim=-1):
    """The pattern with one thing done in another way."""
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** scale
    ones = torch.ones(len(q), len(k))
    masks = {
        "future": ones.triu(1),
        "past": ones.tril(-1),
        "past and itself": ones.tril(),
        "itself too": ones.triu(0),
        "none": 0 * ones,
    }
    return scores.masked_fill(masks[mask].bool(), fill).softmax(dim=dim)


def _pattern_equals_torch(trial: Trial) -> None:
    """Oracle: torch's own causal attention, whose output is the pattern when the values are the identity."""
    for seed, (pos, heads, d_head) in enumerate([(4, 3, 8), (7, 2, 5), (1, 2, 3)]):
        q, k = torch.randn(2, pos, heads, d_head, generator=generator(seed)).unbind()
        by_head = [rearrange(x, "pos head d_head -> head pos d_head") for x in (q, k)]
        expected = F.scaled_dot_product_attention(
            *by_head, torch.eye(pos).expand(heads, pos, pos), is_causal=True
        )
        trial.matches((q, k), expected, "head query key")


def _pattern_survives_large_scores(trial: Trial) -> None:
    """Scores of some hundreds must not overflow."""
    q = 40 * torch.randn(6, 2, 9, generator=generator(5))
    pattern = trial.call(q, q)
    if not torch.allclose(pattern.sum(-1), torch.ones(2, 6), atol=1e-4):
        raise Wrong(
            "overflow",
            "with large scores the rows do not sum to 1: use softmax instead of exp and a division.",
        )


EXERCISE = Exercise(
    id="0.1",
    title="an attention pattern from q and k",
    minutes=5,
    difficulty=1,
    hints=(
        "Three steps: the dot product of every query with every key, head by head; the division by √d_head; "
        "the softmax over the keys.",
        "A query may not look at later keys: set those scores to -inf before the softmax. "
        "torch.ones(n, n).triu(1) marks them.",
        "einsum(q, k, 'query head d_head, key head d_head -> head query key') is the first step.",
    ),
    reference=attention_pattern,
    tests=(_pattern_equals_torch, _pattern_survives_large_scores),
    mistakes=(
        Mistake("scale missing", "the scores are not divided by √d_head.", _no_scale),
        Mistake(
            "scale is d_head",
            "the scores are divided by d_head; divide by its square root.",
            partial(_other_pattern, scale=1),
        ),
        Mistake(
            "softmax over the query axis",
            "each column sums to 1; each row (a query) should: use dim=-1.",
            partial(_other_pattern, dim=-2),
        ),
        Mistake(
            "softmax over the head axis",
            "the softmax runs over the heads; it belongs over the keys, dim=-1.",
            lambda q, k: _other_pattern(q, k, dim=0).nan_to_num(),
        ),
        Mistake(
            "mask missing",
            "queries look at later tokens: set those scores to -inf before the softmax.",
            partial(_other_pattern, mask="none"),
        ),
        Mistake(
            "mask on the wrong side",
            "the past is masked and the future is not: triu(1) marks the future.",
            partial(_other_pattern, mask="past"),
        ),
        Mistake(
            "mask on the wrong side",
            "the past is masked and the future is not: triu(1) marks the future.",
            partial(_other_pattern, mask="past and itself"),
        ),
        Mistake(
            "softmax missing",
            "these are scores; mask the later keys, then a softmax over the keys makes them a pattern.",
            lambda q, k: einsum(q, k, "q h d, k h d -> h q k") / q.shape[-1] ** 0.5,
        ),
        Mistake(
            "masked with 0",
            "a masked score of 0 still gets weight, since exp(0) = 1: use -inf.",
            partial(_other_pattern, fill=0.0),
        ),
        Mistake(
            "mask after the softmax",
            "rows no longer sum to 1: mask before the softmax.",
            lambda q, k: _other_pattern(q, k, mask="none").tril(),
        ),
        Mistake(
            "mask hides the query itself",
            "a query may look at its own position: the mask begins one above the diagonal.",
            partial(_other_pattern, mask="itself too"),
        ),
        Mistake(
            "q and k swapped",
            "queries and keys are swapped: the query comes from q.",
            lambda q, k: attention_pattern(k, q),
        ),
        Mistake(
            "softmax missing",
            "these are scores; a softmax over the keys makes them a pattern.",
            lambda q, k: (
                einsum(q, k, "q h d, k h d -> h q k").masked_fill(
                    torch.ones(len(q), len(k)).triu(1).bool(), float("-inf")
                )
                / q.shape[-1] ** 0.5
            ),
        ),
    ),
)
