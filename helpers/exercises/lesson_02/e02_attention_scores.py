"""Exercise 2.2: attention scores as a bilinear form."""

import torch

from helpers.circuits import attention_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_model


def _unscaled(queries_in, keys_in, W_Q, W_K):
    return attention_scores(queries_in, keys_in, W_Q, W_K) * W_Q.shape[-1] ** 0.5


def _equals_the_form(trial: Trial) -> None:
    """Oracle: x W_QK xᵀ with the d_model × d_model matrix written out, entry by entry."""
    for heads, query, key, d_model, d_head in [(3, 5, 7, 6, 2), (2, 6, 4, 7, 5)]:
        W_Q, W_K = torch.randn(2, heads, d_model, d_head, generator=generator(0)).unbind()
        queries = torch.randn(query, d_model, generator=generator(1))
        keys = torch.randn(key, d_model, generator=generator(2))
        expected = torch.zeros(heads, query, key)
        for head in range(heads):
            W_QK = W_Q[head] @ W_K[head].T
            for i in range(query):
                for j in range(key):
                    expected[head, i, j] = queries[i] @ W_QK @ keys[j] / d_head**0.5
        trial.matches((queries, keys, W_Q, W_K), expected, "head query key", tolerance=1e-4)


def _equals_the_hooked_scores(trial: Trial) -> None:
    """On a model: the softmax of the masked scores is the model's pattern."""
    model = small_model()
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    x = cache["blocks.1.hook_resid_pre"][0] + model.W_pos[:6]
    future = torch.ones(6, 6).triu(1).bool()

    def pattern(function):
        scores = function(x, x, model.W_Q[1], model.W_K[1])
        return scores.masked_fill(future, -torch.inf).softmax(-1)

    expected = cache["blocks.1.attn.hook_pattern"][0]
    trial.behaves(pattern, expected, "head query key", 1e-4, "the pattern that these scores give")


def _reshaped(x, y, W_Q, W_K):
    k = y @ W_K
    return x @ W_Q @ k.reshape(len(k), k.shape[2], k.shape[1]) / W_Q.shape[-1] ** 0.5


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
            "queries and keys swapped",
            "W_Q belongs to queries_in and W_K to keys_in.",
            lambda x, y, W_Q, W_K: attention_scores(y, x, W_Q, W_K),
        ),
        Mistake(
            "reshape instead of transpose",
            "reshape and view cut the keys to pieces. Swap the axes with .mT or .transpose(-2, -1).",
            _reshaped,
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
    ),
)
