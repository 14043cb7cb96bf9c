"""Exercise 0.2: the zero-ablation of a head, by a hook that provably ran."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.comparison import difference
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model

HEADS = 3  # of the small model
NAME_IN_THE_HOOK = "Inside the hook, hook.name is blocks.{layer}.attn.o.hook_in, another name of hook_z."


def ablate_head(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int, head: int
) -> tuple[Float[Tensor, "batch pos d_vocab"], list]:
    """Return the logits with one head's z set to zero, and the shapes of z that the hook got."""
    shapes = []

    def zero(z, hook):  # z: [batch pos head d_head]
        shapes.append(z.shape)
        z[:, :, head] = 0
        return z

    logits = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)])
    return logits, shapes


def _variant(
    name="blocks.{layer}.attn.hook_z", part=lambda head: (..., head, slice(None)), value=lambda z: 0 * z
):
    """The reference at other hook points, for another part of z, or with another value there."""

    def ablate(model, tokens, layer, head):
        shapes = []

        def edit(z, hook):
            shapes.append(z.shape)
            z[part(head)] = value(z[part(head)])
            return z

        names = [point for point in model.hook_dict if point.endswith(name.format(layer=layer))]
        return model.run_with_hooks(tokens, fwd_hooks=[(name, edit) for name in names]), shapes

    return ablate


def _instead(function):
    """The reference, with a function of the logits over the vocabulary in their place."""

    def ablate(*arguments):
        logits, shapes = ablate_head(*arguments)
        return function(logits, -1), shapes

    return ablate


def _without_head(model: TransformerBridge, tokens: Tensor, layer: int, head: int) -> Tensor:
    """Oracle: a head whose W_O is zero writes nothing."""
    weight = model.blocks[layer].attn.o.weight  # [d_model, head × d_head]
    saved = weight.clone()
    weight[:, head * model.cfg.d_head : (head + 1) * model.cfg.d_head] = 0
    logits = model(tokens)
    weight.copy_(saved)
    return logits


def _ablation_equals_weights_cut(trial: Trial) -> None:
    """The hook ran once, on z, and had the effect of the head's W_O being zero."""
    model = small_model()
    tokens = torch.randint(11, (4, 7), generator=generator(1))
    clean = model(tokens)
    for layer, head in [(0, 1), (1, 2), (0, 0)]:
        arguments = (model, tokens, layer, head)
        expected = _without_head(*arguments)
        output = trial.call(*arguments)
        _check_that_the_hook_ran(output, clean)
        if difference(model(tokens), clean, "batch pos d_vocab") is not None:
            raise Wrong(
                "hook left behind",
                "a run of the model after your function still gives other logits. Use model.run_with_hooks, "
                "or remove your hook at the end.",
            )
        trial.matches(arguments, expected, "batch pos d_vocab", pick=lambda output: output[0])
        _check_record(output[1])


def _check_that_the_hook_ran(output, clean: Tensor) -> None:
    """Raise ``Wrong`` unless the hook ran and the logits are not those of the clean run."""
    if not (isinstance(output, tuple) and len(output) == 2):
        raise Wrong("wrong type", f"expected two things, (logits, shapes), got {type(output).__name__}.")
    logits, shapes = output
    if not isinstance(shapes, list):
        raise Wrong("wrong type", f"expected shapes to be a list, got {type(shapes).__name__}.")
    changed = isinstance(logits, Tensor) and difference(logits, clean, "batch pos d_vocab") is not None
    if len(shapes) == 0 and changed:
        raise Wrong(
            "nothing recorded", "the logits changed, but shapes is empty: append z.shape in the hook."
        )
    if len(shapes) == 0:
        raise Wrong(
            "the hook never fired",
            "shapes is empty and the logits are those of the clean run: no hook ran, or it did nothing. "
            f"Is its name right? {NAME_IN_THE_HOOK}",
        )
    if isinstance(logits, Tensor) and not changed:
        raise Wrong(
            "no effect",
            "shapes has entries, but the logits are those of the clean run. Change z in a hook on hook_z and return "
            "it. Edits of a copy that is not returned, of the cache and of model.W_O are lost. "
            f"{NAME_IN_THE_HOOK}",
        )


def _check_record(shapes: list) -> None:
    """Raise ``Wrong`` unless the only entry is the shape of z, as a torch.Size, tuple or list."""
    shown = [
        list(shape)
        if isinstance(shape, tuple | list)
        else (type(shape).__name__ if isinstance(shape, Tensor) else shape)
        for shape in shapes
    ]
    if shown != [[4, 7, 3, 5]]:
        raise Wrong("wrong record", f"expected shapes == [[4, 7, 3, 5]], the shape of z, once; got {shown}.")


EXERCISE = Exercise(
    id="0.2",
    title="cut a head, and prove that you did",
    minutes=8,
    difficulty=2,
    hints=(
        "A hook is a function `zero(z, hook)` that may edit the activation and returns it.",
        "`hook_z` holds what each head read, [batch, pos, head, d_head], before `W_O` writes it to the stream. "
        "A head whose z is zero writes nothing.",
        "`model.run_with_hooks(tokens, fwd_hooks=[(f'blocks.{layer}.attn.hook_z', zero)])` runs the model once "
        "with the hook and takes it off again.",
    ),
    reference=ablate_head,
    tests=(_ablation_equals_weights_cut,),
    mistakes=(
        *(
            Mistake(
                "another head",
                "another head of this layer is zero: take z[:, :, head].",
                lambda model, tokens, layer, head, step=step: ablate_head(
                    model, tokens, layer, (head + step) % model.cfg.n_heads
                ),
            )
            for step in (1, -1)
        ),
        Mistake(
            "another layer",
            "a head of another layer is zero: the hook belongs to blocks.{layer}.",
            lambda model, tokens, layer, head: ablate_head(model, tokens, 1 - layer, head),
        ),
        Mistake(
            "another activation",
            "this is what zeros in hook_q or hook_k give; set hook_z to zero.",
            _variant(name="blocks.{layer}.attn.hook_q"),
        ),
        Mistake(
            "ablated a position",
            "a position of all heads is zero. hook_z has the axes batch, pos, head, d_head "
            "(a hook of PyTorch itself gets batch, pos, n_heads × d_head).",
            _variant(part=lambda head: (slice(None), head)),
        ),
        Mistake(
            "only the last position",
            "z is zero at the last position only; set it to zero at all positions.",
            _variant(part=lambda head: (slice(None), -1, head)),
        ),
        Mistake(
            "the other heads ablated",
            "all heads of the layer but this one are zero; it should be the reverse.",
            _variant(part=lambda head: (..., torch.arange(HEADS) != head, slice(None))),
        ),
        *(
            Mistake(
                "not logits", f"these are {name} of the ablated run; return its logits.", _instead(function)
            )
            for name, function in {
                "probabilities": torch.softmax,
                "log-probabilities": torch.log_softmax,
            }.items()
        ),
        Mistake(
            "ablated a coordinate",
            "z[..., head] is one coordinate of every head: the axes of z are batch, pos, head, d_head.",
            _variant(part=lambda head: (..., head)),
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
