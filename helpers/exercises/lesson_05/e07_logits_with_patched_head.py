"""Exercise 5.7: activation patching of one head."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_gpt2
from helpers.exercises.lesson_05.by_hand import run_to_logits
from helpers.exercises.lesson_05.wrong_patches import ALL, patching, put


def logits_with_patched_head(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    source_z: Float[Tensor, "prompt pos head d_head"],
    layer: int,
    head: int,
) -> Float[Tensor, "prompt d_vocab"]:
    """Logits at END when the z of one head is that of another run, at all positions."""

    def patch(z, hook):
        z[:, :, head] = source_z[:, :, head]
        return z

    logits = model.run_with_hooks(into, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", patch)])
    return logits[:, -1]


Z = "blocks.{}.attn.hook_z"


def _head(head):
    return ALL, ALL, head


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the model's layers by hand; first and last layer and head."""
    model = small_gpt2()
    into, source = torch.randint(model.cfg.d_vocab, (2, 4, 6), generator=generator(0))
    _, base = model.run_with_cache(into)
    _, cache = model.run_with_cache(source)
    for layer, head in ((1, 3), (0, 4), (2, 0)):
        source_z = cache[Z.format(layer)]

        def change_z(z, source_z=source_z, head=head):
            z = list(z.unbind(1))
            z[head] = source_z[:, :, head]
            return torch.stack(z, dim=1)

        logits = run_to_logits(model, base[f"blocks.{layer}.hook_resid_pre"], layer, change_z)
        trial.matches((model, into, source_z, layer, head), logits, "prompt d_vocab", 1e-4)


EXERCISE = Exercise(
    id="5.7",
    title="patch a head",
    minutes=3,
    difficulty=1,
    hints=(
        'The z of a layer is at the hook `f"blocks.{layer}.attn.hook_z"`, with the shape `[prompt, pos, head, d_head]`.',
        "Everything is as in 5.6, but the hook replaces all positions of one head: the index is `[:, :, head]`.",
    ),
    reference=logits_with_patched_head,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the whole layer patched",
            "patch one head only: `[:, :, head]`.",
            patching(Z, put(lambda head: ALL)),
        ),
        Mistake(
            "a position instead of a head",
            "z is `[prompt, pos, head, d_head]`: the head is the third axis.",
            patching(Z, put(lambda head: (ALL, head))),
        ),
        Mistake(
            "only at the end",
            "patch the head at all positions.",
            patching(Z, put(lambda head: (ALL, -1, head))),
        ),
        Mistake(
            "zeroed",
            "put in the z of the other run, not zeros.",
            patching(Z, put(_head, torch.zeros_like)),
        ),
        Mistake(
            "mean put in",
            "every prompt gets its own z of the other run, not the mean over prompts.",
            patching(Z, put(_head, lambda source_z: source_z.mean(dim=0).expand_as(source_z))),
        ),
        Mistake(
            "every position's logits",
            "the answer is read at the last position: `logits[:, -1]`.",
            patching(Z, put(_head), read=lambda logits, head: logits),
        ),
        Mistake(
            "nothing patched",
            "the logits are those of the run without a patch. Does the hook return the changed z?",
            lambda model, into, source_z, layer, head: model(into)[:, -1],
        ),
    ),
)
