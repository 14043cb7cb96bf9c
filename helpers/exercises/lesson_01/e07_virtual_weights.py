"""Exercise 1.7: virtual weights between a writer and a later reader."""

import torch
from einops import einsum

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import virtual_weights


def _reader_first(W_O, W_in):
    return einsum(W_O, W_in, "writer d_head d_model, reader d_model d_in -> reader writer d_head d_in")


def _every_pair_equals_a_product(trial: Trial) -> None:
    """Oracle: one matrix product a pair."""
    for seed, (writers, readers, d_head, d_in, d_model) in enumerate([(3, 3, 4, 5, 7), (2, 3, 4, 5, 7)]):
        W_O = torch.randn(writers, d_head, d_model, generator=generator(seed))
        W_in = torch.randn(readers, d_model, d_in, generator=generator(seed + 9))
        expected = torch.stack(
            [torch.stack([W_O[w] @ W_in[r] for r in range(readers)]) for w in range(writers)]
        )
        trial.matches((W_O, W_in), expected, "writer reader d_head d_in", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.7",
    title="virtual weights",
    minutes=4,
    difficulty=1,
    hints=(
        "What the writer stores is (…) W_O; what the reader gets of it is (…) W_O W_in.",
        "One einsum over d_model keeps both head axes: writer and reader.",
    ),
    reference=virtual_weights,
    tests=(_every_pair_equals_a_product,),
    mistakes=(
        Mistake("reader before writer", "expected [writer, reader, …]; the two are swapped.", _reader_first),
        Mistake(
            "product the other way round",
            "this is W_in W_O; a store is written first and read afterwards: W_O W_in.",
            lambda W_O, W_in: torch.einsum("rmi,whm->wrih", W_in, W_O),
        ),
        Mistake(
            "summed over the writers",
            "the writers are added together; keep every pair.",
            lambda W_O, W_in: virtual_weights(W_O, W_in).sum(0),
        ),
        Mistake(
            "only equal numbers paired",
            "head 0 with head 0, 1 with 1 …; every writer with every reader is asked for.",
            lambda W_O, W_in: W_O @ W_in,
        ),
        Mistake(
            "scaled",
            "the product is divided by √d_model; virtual weights are the plain product.",
            lambda W_O, W_in: virtual_weights(W_O, W_in) / W_O.shape[-1] ** 0.5,
        ),
    ),
)
