"""Exercise 5.6: to patch a head."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_model
from helpers.patching import patch_heads


def logits_with_patched_head(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    z: Float[Tensor, "prompt pos head d_head"],
    layer: int,
    head: int,
) -> Float[Tensor, "prompt d_vocab"]:
    """Logits at the end when one head's z is that of another run, at all positions."""

    def patch(own, hook):
        own[:, :, head] = z[:, :, head]
        return own

    logits = model.run_with_hooks(into, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", patch)])
    return logits[:, -1]


def _whole_layer(model, into, z, layer, head):
    name = f"blocks.{layer}.attn.hook_z"
    return model.run_with_hooks(into, fwd_hooks=[(name, lambda own, hook: z)])[:, -1]


def _with_patch(change, read=lambda logits: logits[:, -1]):
    """``change(own, z, head)`` edits z in place."""

    def answer(model, into, z, layer, head):
        def patch(own, hook):
            own = own.clone()
            change(own, z, head)
            return own

        name = f"blocks.{layer}.attn.hook_z"
        return read(model.run_with_hooks(into, fwd_hooks=[(name, patch)]))

    return answer


def _put(own, z, head):
    own[:, :, head] = z[:, :, head]


def _put_position(own, z, head):
    own[:, head] = z[:, head]


def _put_end(own, z, head):
    own[:, -1, head] = z[:, -1, head]


def _put_zero(own, z, head):
    own[:, :, head] = 0


def _put_mean(own, z, head):
    own[:, :, head] = z[:, :, head].mean(dim=0)


def _equals_sweep(trial: Trial) -> None:
    """Oracle: ``patch_heads``, which never uses hooks to patch, read token by token."""
    model = small_model()
    into, source = torch.randint(11, (2, 3, 7), generator=generator(0))
    sweeps = [
        patch_heads(model, into, source, lambda logits, token=token: logits[:, token]) for token in range(11)
    ]
    logits = torch.stack(sweeps, dim=-1)  # [layer head prompt d_vocab]
    _, cache = model.run_with_cache(source)
    for layer, head in ((0, 2), (1, 1)):
        z = cache[f"blocks.{layer}.attn.hook_z"]
        trial.matches((model, into, z, layer, head), logits[layer, head], "prompt d_vocab", 1e-4)


EXERCISE = Exercise(
    id="5.6",
    title="patch a head",
    minutes=3,
    difficulty=1,
    hints=(
        'z is at the hook f"blocks.{layer}.attn.hook_z", [prompt pos head d_head].',
        "As in 5.5, with own[:, :, head] = z[:, :, head].",
    ),
    reference=logits_with_patched_head,
    tests=(_equals_sweep,),
    mistakes=(
        Mistake("the whole layer patched", "only one head changes: [:, :, head].", _whole_layer),
        Mistake(
            "a position instead of a head",
            "z is [prompt pos head d_head]: the head is the third axis.",
            _with_patch(_put_position),
        ),
        Mistake("only at the end", "patch the head at all positions.", _with_patch(_put_end)),
        Mistake("zeroed", "put in the other run's z, not zeros.", _with_patch(_put_zero)),
        Mistake("mean put in", "each prompt gets its own z of the other run.", _with_patch(_put_mean)),
        Mistake(
            "every position's logits",
            "the answer is due at the last position: logits[:, -1].",
            _with_patch(_put, read=lambda logits: logits),
        ),
        Mistake(
            "nothing patched",
            "the logits are those of the run without a patch: does the hook return the changed z?",
            lambda model, into, z, layer, head: model(into)[:, -1],
        ),
    ),
)
