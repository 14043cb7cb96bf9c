"""Exercise 2.4: attention and OV commute."""

import torch
from einops import einsum

from helpers.circuits import head_output
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_model


def _equals_einsum(trial: Trial) -> None:
    """Oracle: one sum over everything, in double precision; also with fewer queries than keys."""
    for queries, keys, d_model, d_head in [(5, 5, 7, 3), (4, 6, 5, 2)]:
        x = torch.randn(keys, d_model, generator=generator(0))
        W_V = torch.randn(d_model, d_head, generator=generator(1))
        W_O = torch.randn(d_head, d_model, generator=generator(2))
        pattern = torch.randn(queries, keys, generator=generator(3)).softmax(-1)
        tensors = [tensor.double() for tensor in (pattern, x, W_V, W_O)]
        expected = einsum(*tensors, "query key, key m, m h, h d_model -> query d_model").float()
        trial.matches((pattern, x, W_V, W_O), expected, "query d_model", tolerance=1e-4)


def _equals_the_model(trial: Trial) -> None:
    """On a model: the heads' outputs sum to what the layer added."""
    model = small_model()
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5]]))
    patterns, x = cache["blocks.1.attn.hook_pattern"][0], cache["blocks.1.hook_resid_pre"][0]

    def layer_output(function):
        return sum(function(patterns[head], x, model.W_V[1, head], model.W_O[1, head]) for head in range(3))

    expected = cache["blocks.1.hook_attn_out"][0]
    trial.behaves(layer_output, expected, "query d_model", 1e-4, "the sum over the heads of a layer")


EXERCISE = Exercise(
    id="2.4",
    title="what a head stores, from its circuits",
    minutes=4,
    difficulty=1,
    hints=(
        "Positions are mixed by a matrix on the left of `x`, directions are mapped by matrices on its right.",
        "Which two matrices map a row of `x` to `d_head` numbers and back to `d_model` numbers? "
        "Which matrix has a row for each query and a column for each position?",
    ),
    reference=head_output,
    tests=(_equals_einsum, _equals_the_model),
    mistakes=(
        Mistake(
            "pattern transposed",
            "the rows of the pattern are the queries: pattern @ x.",
            lambda pattern, x, W_V, W_O: head_output(pattern.T, x, W_V, W_O),
        ),
        Mistake(
            "OV transposed",
            "W_V reads the stream and W_O writes to it: x W_V W_O, not the transposes.",
            lambda pattern, x, W_V, W_O: pattern @ x @ W_O.T @ W_V.T,
        ),
        Mistake(
            "attention left out",
            "every position writes its own value; the pattern is missing.",
            lambda pattern, x, W_V, W_O: x @ W_V @ W_O,
        ),
        Mistake(
            "stream added",
            "the stream itself is added; the head's own output is asked for.",
            lambda pattern, x, W_V, W_O: x + head_output(pattern, x, W_V, W_O),
        ),
        Mistake(
            "attention twice",
            "the pattern is applied twice; apply it once.",
            lambda pattern, x, W_V, W_O: pattern @ head_output(pattern, x, W_V, W_O),
        ),
        Mistake(
            "softmax on top",
            "the pattern is a softmax already: use its weights as they are.",
            lambda pattern, x, W_V, W_O: head_output(pattern.softmax(-1), x, W_V, W_O),
        ),
        Mistake(
            "mask on top",
            "weights above the diagonal are left out; use the pattern as it is.",
            lambda pattern, x, W_V, W_O: head_output(pattern.tril(), x, W_V, W_O),
        ),
        Mistake(
            "W_O left out",
            "these are the mixed values; W_O carries them into the stream.",
            lambda pattern, x, W_V, W_O: pattern @ x @ W_V,
        ),
    ),
)
