"""Exercise 1.1: the residual stream as a sum of head outputs."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model
from helpers.residual import head_outputs


def _every_output_equals_a_product(trial: Trial) -> None:
    """Oracle: one vector times one matrix, for each layer, head and position."""
    z = torch.randn(2, 5, 3, 4, generator=generator(0))
    W_O = torch.randn(2, 3, 4, 7, generator=generator(1))
    expected = torch.zeros(2, 3, 5, 7)
    for layer, head, pos in [(a, b, c) for a in range(2) for b in range(3) for c in range(5)]:
        expected[layer, head, pos] = z[layer, pos, head] @ W_O[layer, head]
    trial.matches((z, W_O), expected, "layer head pos d_model")


def _outputs_sum_to_the_stream(trial: Trial) -> None:
    """On a model: the embedding plus all head outputs is the final residual stream."""
    model = small_model()
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    z = torch.stack([cache[f"blocks.{layer}.attn.hook_z"][0] for layer in range(2)])
    total = cache["hook_embed"][0] + trial.call(z, model.W_O).sum(dim=(0, 1))
    if not torch.allclose(total, cache["blocks.1.hook_resid_post"][0], atol=1e-4):
        raise Wrong("parts do not sum", "embedding + all head outputs is not the final residual stream.")


EXERCISE = Exercise(
    id="1.1",
    title="what each head stores",
    minutes=5,
    difficulty=1,
    hints=(
        "`z` holds what a head read, in a space of only `d_head` numbers. `W_O` carries it into the residual stream.",
        "One einsum sums over `d_head` and keeps layer, head, pos and `d_model`.",
    ),
    reference=head_outputs,
    tests=(_every_output_equals_a_product, _outputs_sum_to_the_stream),
    mistakes=(
        Mistake(
            "summed over the heads",
            "the heads are added together; keep one output per head: [layer, head, pos, d_model].",
            lambda z, W_O: head_outputs(z, W_O).sum(dim=1),
        ),
        Mistake(
            "axes in another order",
            "expected [layer, head, pos, d_model]; head and pos are swapped.",
            lambda z, W_O: head_outputs(z, W_O).transpose(1, 2),
        ),
        Mistake(
            "one layer's W_O for all",
            "every layer has its own W_O: match the layer axis of z with that of W_O.",
            lambda z, W_O: torch.einsum("lphd,hdm->lhpm", z, W_O[0]),
        ),
        Mistake(
            "one head's W_O for all",
            "every head has its own W_O: match the head axis of z with that of W_O.",
            lambda z, W_O: torch.einsum("lphd,ldm->lhpm", z, W_O[:, 0]),
        ),
        Mistake(
            "averaged instead of kept",
            "the outputs are divided by the number of heads; each head adds its whole output.",
            lambda z, W_O: head_outputs(z, W_O) / z.shape[2],
        ),
    ),
)
