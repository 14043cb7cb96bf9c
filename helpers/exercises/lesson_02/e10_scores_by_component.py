"""Exercise 2.10: attention scores split by the components that are compared."""

import torch

from helpers.circuits import scores_by_component
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _unscaled(query_components, key_components, W_Q, W_K):
    return scores_by_component(query_components, key_components, W_Q, W_K) * W_Q.shape[-1] ** 0.5


def _equals_each_pair(trial: Trial) -> None:
    """Oracle: one bilinear form per pair; and the pairs sum to the scores of the sums."""
    queries = torch.randn(2, 4, 7, generator=generator(0))
    keys = torch.randn(3, 5, 7, generator=generator(1))
    W_Q, W_K = torch.randn(2, 7, 6, generator=generator(2)).unbind()
    expected = torch.zeros(2, 3, 4, 5)
    for i in range(2):
        for j in range(3):
            expected[i, j] = queries[i] @ (W_Q @ W_K.T) @ keys[j].T / 6**0.5
    arguments = (queries, keys, W_Q, W_K)
    trial.matches(arguments, expected, "query_component key_component query key", tolerance=1e-4)
    scores = (queries.sum(0) @ W_Q) @ (keys.sum(0) @ W_K).T / 6**0.5
    if not torch.allclose(trial.call(*arguments).sum(dim=(0, 1)), scores, atol=1e-3):
        raise Wrong("parts do not sum", "the table does not sum to the scores.")


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
            "key part first",
            "expected [query_component, key_component, …]; the two are swapped.",
            lambda x, y, W_Q, W_K: scores_by_component(x, y, W_Q, W_K).transpose(0, 1),
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
