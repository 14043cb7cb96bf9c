"""Exercise 5.5: to patch the residual stream."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_model


def logits_with_patched_residual(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    stream: Float[Tensor, "prompt pos d_model"],
    layer: int,
    position: int,
) -> Float[Tensor, "prompt d_vocab"]:
    """Logits at the end when the stream before a layer is that of another run, at one position."""

    def patch(resid, hook):
        resid[:, position] = stream[:, position]
        return resid

    logits = model.run_with_hooks(into, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", patch)])
    return logits[:, -1]


def _every_position(model, into, stream, layer, position):
    name = f"blocks.{layer}.hook_resid_pre"
    return model.run_with_hooks(into, fwd_hooks=[(name, lambda resid, hook: stream)])[:, -1]


def _with_patch(change, name="blocks.{}.hook_resid_pre", read=lambda logits: logits[:, -1]):
    """``change(resid, stream, position)`` edits the stream in place at the hook ``name``."""

    def answer(model, into, stream, layer, position):
        def patch(resid, hook):
            resid = resid.clone()
            change(resid, stream, position)
            return resid

        return read(model.run_with_hooks(into, fwd_hooks=[(name.format(layer), patch)]))

    return answer


def _put(resid, stream, position):
    resid[:, position] = stream[:, position]


def _add(resid, stream, position):
    resid[:, position] += stream[:, position]


def _put_last(resid, stream, position):
    resid[:, -1] = stream[:, -1]


def _put_from(resid, stream, position):
    resid[:, position:] = stream[:, position:]


def _put_up_to(resid, stream, position):
    resid[:, : position + 1] = stream[:, : position + 1]


def _put_row(resid, stream, position):
    resid[position % len(resid)] = stream[position % len(resid)]


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the model's layers on a stream put together by hand."""
    model = small_model()
    into, source = torch.randint(11, (2, 3, 7), generator=generator(0))
    for layer, position in ((0, 2), (1, 4), (1, 6)):
        name = f"blocks.{layer}.hook_resid_pre"
        (_, old), (_, new) = (model.run_with_cache(tokens, names_filter=name) for tokens in (into, source))
        stream = new[name]
        mixed = torch.stack([stream[:, i] if i == position else old[name][:, i] for i in range(7)], dim=1)
        positions = model.W_pos[:7]
        for following in range(layer, 2):
            read = mixed + positions
            q, k, v = (
                torch.einsum("bpm,hmd->bhpd", x, getattr(model, W)[following])
                for x, W in ((read, "W_Q"), (read, "W_K"), (mixed, "W_V"))
            )
            z = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            mixed = mixed + torch.einsum("bhpd,hdm->bpm", z, model.W_O[following])
        trial.matches(
            (model, into, stream, layer, position), mixed[:, -1] @ model.W_U, "prompt d_vocab", 1e-4
        )


EXERCISE = Exercise(
    id="5.5",
    title="patch the residual stream",
    minutes=6,
    difficulty=2,
    hints=(
        'The stream before a layer is at the hook f"blocks.{layer}.hook_resid_pre", [prompt pos d_model].',
        "A hook is a function patch(resid, hook) that returns what is to go on: resid[:, position] = stream[:, position].",
        "model.run_with_hooks(into, fwd_hooks=[(name, patch)]) takes the hook off again. Return the logits at the last position.",
    ),
    reference=logits_with_patched_residual,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "every position patched",
            "only one position changes; the others keep their stream.",
            _every_position,
        ),
        Mistake(
            "after the layer",
            "hook_resid_post is the stream after the layer; patch the one before, hook_resid_pre.",
            _with_patch(_put, "blocks.{}.hook_resid_post"),
        ),
        Mistake("added", "the stream is replaced at this position, not added to.", _with_patch(_add)),
        Mistake("the last position patched", "patch the position that is given.", _with_patch(_put_last)),
        Mistake("all later positions patched", "one position only.", _with_patch(_put_from)),
        Mistake("all earlier positions patched", "one position only.", _with_patch(_put_up_to)),
        Mistake(
            "a prompt instead of a position",
            "the stream is [prompt pos d_model]: the position is the second axis.",
            _with_patch(_put_row),
        ),
        Mistake(
            "every position's logits",
            "the answer is due at the last position: logits[:, -1].",
            _with_patch(_put, read=lambda logits: logits),
        ),
        Mistake(
            "logits at the patched position",
            "patch at `position`, read at END: logits[:, -1].",
            lambda model, into, stream, layer, position: _with_patch(
                _put, read=lambda logits: logits[:, position]
            )(model, into, stream, layer, position),
        ),
        Mistake(
            "nothing patched",
            "the logits are those of the run without a patch: does the hook return the changed stream?",
            lambda model, into, stream, layer, position: model(into)[:, -1],
        ),
    ),
)
