"""Exercise 2.10: attention scores split by the components that are compared."""

import torch

from helpers.circuits import scores_by_component
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _unscaled(query_components, key_components, W_Q, W_K):
    return scores_by_component(query_components, key_components, W_Q, W_K) * W_Q.shape[-1] ** 0.5


def _equals_each_pair(trial: Trial) -> None:
    """Oracle: one bilinear form per pair; also with the same components on both sides."""
    few, many = torch.randn(2, 4, 7, generator=generator(0)), torch.randn(3, 5, 7, generator=generator(1))
    for queries, keys, d_head in [(few, many, 6), (many, few, 3), (many, many, 2)]:
        W_Q, W_K = torch.randn(2, 7, d_head, generator=generator(d_head)).unbind()
        expected = torch.stack(
            [torch.stack([x @ (W_Q @ W_K.T) @ y.T / d_head**0.5 for y in keys]) for x in queries]
        )
        arguments = (queries, keys, W_Q, W_K)
        trial.matches(arguments, expected, "query_component key_component query key", tolerance=1e-4)


EXERCISE = Exercise(
    id="2.10",
    title="scores split by who wrote them",
    minutes=7,
    difficulty=2,
    hints=(
        "Both sides of the score are sums of components, so the score is a sum over pairs of components.",
        "`q = query_components @ W_Q` and `k = key_components @ W_K`, then one einsum that keeps both component axes.",
        "Do not forget the scale: every pair is divided by `√d_head`, as their sum is.",
    ),
    reference=scores_by_component,
    tests=(_equals_each_pair,),
    mistakes=(
        Mistake(
            "scale missing",
            "without 1/√d_head the pairs do not sum to the scores that the softmax receives.",
            _unscaled,
        ),
        Mistake(
            "transposed W_QK",
            "W_Q and W_K are swapped: the query side goes with W_Q.",
            lambda x, y, W_Q, W_K: scores_by_component(x, y, W_K, W_Q),
        ),
        Mistake(
            "summed over the key parts",
            "the key side is added together; keep every pair.",
            lambda x, y, W_Q, W_K: scores_by_component(x, y, W_Q, W_K).sum(1),
        ),
        Mistake(
            "scale divided among the parts",
            "each score is divided by the number of pairs; the pairs sum to the scores without that.",
            lambda x, y, W_Q, W_K: scores_by_component(x, y, W_Q, W_K) / (len(x) * len(y)),
        ),
        Mistake(
            "scale is √d_model",
            "the scores are divided by √d_model; queries and keys have d_head numbers.",
            lambda x, y, W_Q, W_K: _unscaled(x, y, W_Q, W_K) / W_Q.shape[0] ** 0.5,
        ),
        Mistake(
            "scale is d_head",
            "the scores are divided by d_head; divide by its square root.",
            lambda x, y, W_Q, W_K: _unscaled(x, y, W_Q, W_K) / W_Q.shape[-1],
        ),
    ),
)
