"""Exercise 1.1: the residual stream as a sum of stores."""

import torch
from einops import einsum

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model
from helpers.residual import head_outputs


def _summed_over_heads(z, W_O):
    return einsum(z, W_O, "layer pos head d_head, layer head d_head d_model -> layer pos d_model")


def _every_part_equals_a_product(trial: Trial) -> None:
    """Oracle: one vector times one matrix, for each layer, head and position."""
    z = torch.randn(2, 5, 3, 4, generator=generator(0))
    W_O = torch.randn(2, 3, 4, 7, generator=generator(1))
    expected = torch.zeros(2, 3, 5, 7)
    for layer, head, pos in [(a, b, c) for a in range(2) for b in range(3) for c in range(5)]:
        expected[layer, head, pos] = z[layer, pos, head] @ W_O[layer, head]
    trial.matches((z, W_O), expected, "layer head pos d_model")


def _parts_sum_to_the_whole(trial: Trial) -> None:
    """On a model: embedding plus all stores is the final residual stream."""
    model = small_model()
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    z = torch.stack([cache[f"blocks.{layer}.attn.hook_z"][0] for layer in range(2)])
    total = cache["hook_embed"][0] + trial.call(z, model.W_O).sum(dim=(0, 1))
    if not torch.allclose(total, cache["blocks.1.hook_resid_post"][0], atol=1e-4):
        raise Wrong("parts do not sum", "embedding + all stores is not the final residual stream.")


EXERCISE = Exercise(
    id="1.1",
    title="what each head stores",
    minutes=5,
    difficulty=1,
    hints=(
        "z holds what a head read, in its own small space. W_O carries it into the residual stream.",
        "Multiply over d_head, keep layer, head, pos and d_model: one einsum.",
    ),
    reference=head_outputs,
    tests=(_every_part_equals_a_product, _parts_sum_to_the_whole),
    mistakes=(
        Mistake(
            "summed over the heads",
            "the heads are added together; keep one store a head: [layer, head, pos, d_model].",
            _summed_over_heads,
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
            "the stores are divided by the number of heads; each head adds its whole store.",
            lambda z, W_O: head_outputs(z, W_O) / z.shape[2],
        ),
    ),
)
