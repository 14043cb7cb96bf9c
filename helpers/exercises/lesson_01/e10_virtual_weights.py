"""Exercise 1.10: virtual weights from a sender to a later receiver."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import virtual_weights


def _every_pair_equals_a_product(trial: Trial) -> None:
    """Oracle: one matrix product per pair."""
    for seed, (senders, receivers, d_head, d_in, d_model) in enumerate(
        [(3, 3, 4, 5, 7), (2, 3, 5, 5, 7), (1, 4, 3, 2, 5)]
    ):
        W_O = torch.randn(senders, d_head, d_model, generator=generator(seed))
        W_in = torch.randn(receivers, d_model, d_in, generator=generator(seed + 9))
        expected = torch.stack([torch.stack([write @ read for read in W_in]) for write in W_O])
        trial.matches((W_O, W_in), expected, "sender receiver d_head d_head_in", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.10",
    title="virtual weights",
    minutes=4,
    difficulty=1,
    hints=(
        "A sender writes z `W_O` to the stream; what the receiver reads of it is z `W_O W_in`.",
        "One einsum over `d_model` keeps both head axes, `sender` and `receiver`.",
    ),
    reference=virtual_weights,
    tests=(_every_pair_equals_a_product,),
    mistakes=(
        Mistake(
            "receiver before sender",
            "expected [sender, receiver, …]; the two are swapped.",
            lambda W_O, W_in: virtual_weights(W_O, W_in).transpose(0, 1),
        ),
        Mistake(
            "product the other way round",
            "this is W_in W_O; an output is written first and read afterwards: W_O W_in.",
            lambda W_O, W_in: torch.einsum("rmi,shm->srih", W_in, W_O),
        ),
        Mistake(
            "summed over the senders",
            "the senders are added together; keep every pair.",
            lambda W_O, W_in: virtual_weights(W_O, W_in).sum(0),
        ),
        Mistake(
            "only equal numbers paired",
            "head 0 is paired with head 0, 1 with 1 …; every sender with every receiver is asked for.",
            lambda W_O, W_in: W_O @ W_in,
        ),
        Mistake(
            "scaled",
            "the product is divided by √d_model; virtual weights are the plain product.",
            lambda W_O, W_in: virtual_weights(W_O, W_in) / W_O.shape[-1] ** 0.5,
        ),
    ),
)
