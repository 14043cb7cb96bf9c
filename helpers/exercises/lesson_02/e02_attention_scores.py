"""Exercise 2.2: attention scores as a bilinear form."""

import torch

from helpers.circuits import attention_scores
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model


def _unscaled(queries_in, keys_in, W_Q, W_K):
    return attention_scores(queries_in, keys_in, W_Q, W_K) * W_Q.shape[-1] ** 0.5


def _equals_the_form(trial: Trial) -> None:
    """Oracle: x W_QK xᵀ with the d_model × d_model matrix written out, entry by entry."""
    heads, d_model, d_head = 3, 6, 4
    W_Q, W_K = torch.randn(2, heads, d_model, d_head, generator=generator(0)).unbind()
    queries, keys = (
        torch.randn(5, d_model, generator=generator(1)),
        torch.randn(7, d_model, generator=generator(2)),
    )
    expected = torch.zeros(heads, 5, 7)
    for head in range(heads):
        W_QK = W_Q[head] @ W_K[head].T
        for i in range(5):
            for j in range(7):
                expected[head, i, j] = queries[i] @ W_QK @ keys[j] / 2.0
    trial.matches((queries, keys, W_Q, W_K), expected, "head query key", tolerance=1e-4)


def _equals_the_hooked_scores(trial: Trial) -> None:
    """On a model: the softmax of the masked scores is the model's pattern."""
    model = small_model()
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    x = cache["blocks.1.hook_resid_pre"][0] + model.W_pos[:6]
    scores = trial.call(x, x, model.W_Q[1], model.W_K[1])
    pattern = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf).softmax(-1)
    if not torch.allclose(pattern, cache["blocks.1.attn.hook_pattern"][0], atol=1e-4):
        raise Wrong("not the model's scores", "the softmax of these scores is not the pattern in the cache.")


EXERCISE = Exercise(
    id="2.2",
    title="scores as a bilinear form",
    minutes=5,
    difficulty=1,
    hints=(
        "For each head q = `queries_in W_Q` and k = `keys_in W_K`, then the dot product of every q with every k.",
        "Divide by `√d_head`; `d_head` is the last axis of `W_Q`.",
    ),
    reference=attention_scores,
    tests=(_equals_the_form, _equals_the_hooked_scores),
    mistakes=(
        Mistake("scale missing", "the scores are not divided by √d_head.", _unscaled),
        Mistake(
            "scale is √d_model",
            "the scores are divided by √d_model; queries and keys have d_head numbers.",
            lambda x, y, W_Q, W_K: _unscaled(x, y, W_Q, W_K) / W_Q.shape[1] ** 0.5,
        ),
        Mistake(
            "transposed W_QK",
            "W_Q and W_K are swapped: queries_in goes with W_Q.",
            lambda x, y, W_Q, W_K: attention_scores(x, y, W_K, W_Q),
        ),
        Mistake(
            "scale is d_head",
            "the scores are divided by d_head; divide by its square root.",
            lambda x, y, W_Q, W_K: _unscaled(x, y, W_Q, W_K) / W_Q.shape[-1],
        ),
        Mistake(
            "heads summed",
            "the heads are added together; keep one form per head.",
            lambda x, y, W_Q, W_K: attention_scores(x, y, W_Q, W_K).sum(0),
        ),
        Mistake(
            "softmax applied",
            "this is a pattern; the scores before the softmax are asked for.",
            lambda x, y, W_Q, W_K: attention_scores(x, y, W_Q, W_K).softmax(-1),
        ),
        Mistake(
            "axes transposed",
            "expected [head, query, key]; query and key are swapped.",
            lambda x, y, W_Q, W_K: attention_scores(x, y, W_Q, W_K).mT,
        ),
    ),
)
