"""Exercise 5.6: activation patching of the residual stream."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_gpt2
from helpers.exercises.lesson_05.by_hand import run_to_logits
from helpers.exercises.lesson_05.wrong_patches import ALL, patching, put


def logits_with_patched_residual(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    stream: Float[Tensor, "prompt pos d_model"],
    layer: int,
    position: int,
) -> Float[Tensor, "prompt d_vocab"]:
    """Logits at END when the stream before a layer is that of another run, at one position."""

    def patch(resid, hook):
        resid[:, position] = stream[:, position]
        return resid

    logits = model.run_with_hooks(into, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", patch)])
    return logits[:, -1]


BEFORE, AFTER = "blocks.{}.hook_resid_pre", "blocks.{}.hook_resid_post"


def _position(position):
    return ALL, position


def _add(resid, stream, position):
    resid[:, position] += stream[:, position]


def _patched_in_place(model, into, stream, layer, position):
    """The stream after attention, which reaches the next layer only if it is changed in place."""

    def patch(resid, hook):
        resid[:, position] = stream[:, position]
        return resid

    return model.run_with_hooks(into, fwd_hooks=[(f"blocks.{layer}.hook_resid_mid", patch)])[:, -1]


def _first_prompt(stream):
    return stream[:1].expand_as(stream)


def _at_layers(layers):
    """The right patch before all ``layers(layer, n_layers)``."""

    def answer(model, into, stream, layer, position):
        def patch(resid, hook):
            return resid.index_copy(1, torch.tensor([position]), stream[:, [position]])

        hooks = [(BEFORE.format(each), patch) for each in layers(layer, model.cfg.n_layers)]
        return model.run_with_hooks(into, fwd_hooks=hooks)[:, -1]

    return answer


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: layers by hand on a stream put together; first and last layer and position."""
    model = small_gpt2()
    into, source = torch.randint(model.cfg.d_vocab, (2, 4, 6), generator=generator(0))
    for layer, position in ((1, 2), (0, 5), (2, 0)):
        name = BEFORE.format(layer)
        base, patched = (
            model.run_with_cache(tokens, names_filter=name)[1][name] for tokens in (into, source)
        )
        stream = torch.stack([(patched if i == position else base)[:, i] for i in range(6)], dim=1)
        logits = run_to_logits(model, stream, layer)
        trial.matches((model, into, patched, layer, position), logits, "prompt d_vocab", 1e-4)


EXERCISE = Exercise(
    id="5.6",
    title="patch the residual stream",
    minutes=6,
    difficulty=2,
    hints=(
        'The stream before a layer is at the hook `f"blocks.{layer}.hook_resid_pre"`, with the shape `[prompt, pos, d_model]`.',
        "A hook is a function `patch(resid, hook)` that returns the changed stream. `model.run_with_hooks(into, fwd_hooks=[(name, patch)])` runs the model with it and removes it again.",
        "Inside the hook: `resid[:, position] = stream[:, position]`. Of the logits that the run returns, keep the last position.",
    ),
    reference=logits_with_patched_residual,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "every position patched",
            "patch one position only; the others keep their stream.",
            patching(BEFORE, put(lambda position: ALL)),
        ),
        Mistake(
            "after the layer",
            "this patches the stream after the layer. Patch the stream before it: hook_resid_pre of the same layer.",
            patching(AFTER, put(_position)),
        ),
        Mistake(
            "after the layer",
            "this patches the stream after the layer. Patch the stream before it: hook_resid_pre of the same layer.",
            _at_layers(lambda layer, n_layers: [min(layer + 1, n_layers - 1)]),
        ),
        Mistake(
            "the layer before",
            "this patches the stream before the layer before. Take the number of the layer as it is.",
            _at_layers(lambda layer, n_layers: [max(layer - 1, 0)]),
        ),
        Mistake(
            "between attention and MLP",
            "hook_resid_mid is the stream after the layer's attention. Patch the stream before it: hook_resid_pre.",
            patching("blocks.{}.hook_resid_mid", put(_position)),
        ),
        Mistake(
            "between attention and MLP",
            "hook_resid_mid is the stream after the layer's attention. Patch the stream before it: hook_resid_pre.",
            _patched_in_place,
        ),
        Mistake(
            "later layers patched, too",
            "patch the stream before one layer only; later layers change it as they would.",
            _at_layers(range),
        ),
        Mistake(
            "the next position",
            "this patches the position after `position`.",
            patching(BEFORE, put(lambda position: (ALL, min(position + 1, 5)))),  # the check has 6
        ),
        Mistake(
            "the first prompt's stream",
            "every prompt has a stream of its own: stream[:, position].",
            patching(BEFORE, put(_position, values_of=_first_prompt)),
        ),
        Mistake(
            "log-probabilities",
            "return the logits as they are, without a softmax.",
            patching(BEFORE, put(_position), read=lambda logits, position: logits[:, -1].log_softmax(dim=-1)),
        ),
        Mistake(
            "added",
            "replace the stream at this position, do not add to it.",
            patching(BEFORE, _add),
        ),
        Mistake(
            "the last position patched",
            "patch `position`, not the last position.",
            patching(BEFORE, put(lambda position: (ALL, -1))),
        ),
        Mistake(
            "all later positions patched",
            "patch one position only; later positions keep their stream.",
            patching(BEFORE, put(lambda position: (ALL, slice(position, None)))),
        ),
        Mistake(
            "all earlier positions patched",
            "patch one position only; earlier positions keep their stream.",
            patching(BEFORE, put(lambda position: (ALL, slice(position + 1)))),
        ),
        Mistake(
            "a prompt instead of a position",
            "the stream is `[prompt, pos, d_model]`: the position is the second axis.",
            patching(BEFORE, put(lambda position: position % 4)),  # the check has 4 prompts
        ),
        Mistake(
            "every position's logits",
            "the answer is read at the last position: `logits[:, -1]`.",
            patching(BEFORE, put(_position), read=lambda logits, position: logits),
        ),
        Mistake(
            "logits at the patched position",
            "patch at `position`, read at END: `logits[:, -1]`.",
            patching(BEFORE, put(_position), read=lambda logits, position: logits[:, position]),
        ),
        Mistake(
            "nothing patched",
            "the logits are those of the run without a patch. Does the hook return the changed stream? "
            'Does it test hook.name? (It is "blocks.1.hook_in" before layer 1.)',
            lambda model, into, stream, layer, position: model(into)[:, -1],
        ),
    ),
)
