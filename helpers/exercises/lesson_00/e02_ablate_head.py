"""Exercise 0.2: a hook that provably fired."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong, difference
from helpers.exercises.inputs import generator, small_model


def ablate_head(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int, head: int
) -> tuple[Float[Tensor, "batch pos d_vocab"], list]:
    seen = []

    def zero(z, hook):  # z: [batch pos head d_head]
        seen.append(z.shape)
        z[:, :, head] = 0
        return z

    logits = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)])
    return logits, seen


def _edit_a_copy(model, tokens, layer, head):
    seen = []

    def zero(z, hook):
        seen.append(z.shape)
        z = z.clone()
        z[:, :, head] = 0

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)]), seen


def _variant(
    name="blocks.{layer}.attn.hook_z", part=lambda head: (..., head, slice(None)), value=lambda z: 0 * z
):
    """The reference at other places, with another part of z, or with another value in its place."""

    def ablate(model, tokens, layer, head):
        seen = []

        def edit(z, hook):
            seen.append(z.shape)
            z[part(head)] = value(z[part(head)])
            return z

        places = [point for point in model.hook_dict if point.endswith(name.format(layer=layer))]
        return model.run_with_hooks(tokens, fwd_hooks=[(place, edit) for place in places]), seen

    return ablate


def _without_head(model: TransformerBridge, tokens: Tensor, layer: int, head: int) -> Tensor:
    """Oracle: a head whose W_O is zero stores nothing."""
    weight = model.blocks[layer].attn.o.weight  # [d_model, head × d_head]
    saved = weight.clone()
    weight[:, head * model.cfg.d_head : (head + 1) * model.cfg.d_head] = 0
    logits = model(tokens)
    weight.copy_(saved)
    return logits


def _the_hook_fired(output, clean: Tensor) -> None:
    """Raise ``Wrong`` unless the hook ran and the logits are not those of the clean run."""
    if not (isinstance(output, tuple | list) and len(output) == 2):
        raise Wrong("wrong type", f"expected two things, (logits, seen), got {type(output).__name__}.")
    logits, seen = output
    if not isinstance(seen, list):
        raise Wrong("wrong type", f"expected seen to be a list of shapes, got {type(seen).__name__}.")
    if len(seen) == 0 and isinstance(logits, Tensor) and difference(logits, clean, "batch pos d_vocab"):
        raise Wrong("nothing recorded", "the logits changed, but seen is empty: append z.shape in the hook.")
    if len(seen) == 0:
        raise Wrong(
            "the hook never fired",
            "seen is empty and the logits are those of the clean run: the hook did not run. Is its name right?",
        )
    if isinstance(logits, Tensor) and difference(logits, clean, "batch pos d_vocab") is None:
        raise Wrong(
            "the hook had no effect",
            "the hook ran, but the logits are those of the clean run. An edit of a copy is lost unless the hook "
            "returns it; an edit of hook_attn_scores is discarded: edit hook_z.",
        )


def _ablation_equals_weights_cut(trial: Trial) -> None:
    """The hook ran once, on z, and had the effect of the head's W_O being zero."""
    model = small_model()
    tokens = torch.randint(11, (4, 7), generator=generator(1))
    clean = model(tokens)
    for layer, head in [(0, 1), (1, 2), (0, 0)]:
        arguments = (model, tokens, layer, head)
        expected = _without_head(*arguments)
        output = trial.call(*arguments)
        _the_hook_fired(output, clean)
        trial.matches(arguments, expected, "batch pos d_vocab", pick=lambda output: output[0])
        seen = [list(shape) if isinstance(shape, tuple) else type(shape).__name__ for shape in output[1]]
        if seen != [[4, 7, 3, 5]]:
            raise Wrong("wrong record", f"expected seen == [[4, 7, 3, 5]], the shape of z, once; got {seen}.")


EXERCISE = Exercise(
    id="0.2",
    title="cut a head, and prove that you did",
    minutes=8,
    difficulty=2,
    hints=(
        "A hook is a function hook_function(activation, hook) that may edit the activation and return it.",
        "hook_z holds what each head read, [batch pos head d_head], before W_O stores it. "
        "Zero there means: stores nothing.",
        "model.run_with_hooks(tokens, fwd_hooks=[(f'blocks.{layer}.attn.hook_z', zero)]) runs once with the "
        "hook and takes it off again.",
    ),
    reference=ablate_head,
    tests=(_ablation_equals_weights_cut,),
    mistakes=(
        Mistake(
            "the hook had no effect",
            "the hook changed a copy and did not return it, so the edit was lost.",
            _edit_a_copy,
        ),
        Mistake(
            "ablated a position",
            "z[:, head] is a position: the axes of z are batch pos head d_head.",
            _variant(part=lambda head: (slice(None), head)),
        ),
        Mistake(
            "ablated the whole layer",
            "all heads of the layer are zero; only one should be.",
            _variant(part=lambda head: ...),
        ),
        Mistake(
            "ablated every layer",
            "the hook ran in every layer; it belongs to blocks.{layer} only.",
            _variant(name=".attn.hook_z"),
        ),
        Mistake(
            "mean ablation",
            "the head's mean is put in its place; zero is asked for.",
            _variant(value=lambda z: z.mean(dim=(0, 1))),
        ),
    ),
)
