"""Exercise 8.3: edge attribution patching, scores of all edges at once (Syed et al. 2023)."""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def eap_scores(
    differences: Float[Tensor, "sender prompt pos d_model"],
    gradients: Float[Tensor, "receiver prompt pos d_model"],
) -> Float[Tensor, "sender receiver"]:
    """Mean over prompts of  difference of the sender · gradient at the receiver ."""
    pattern = "sender prompt pos d_model, receiver prompt pos d_model -> sender receiver prompt"
    return einsum(differences, gradients, pattern).mean(dim=-1)


def _by_prompt(differences, gradients) -> Float[Tensor, "sender receiver prompt pos"]:
    pattern = "sender prompt pos d_model, receiver prompt pos d_model -> sender receiver prompt pos"
    return einsum(differences, gradients, pattern)


def _reduced(function):
    """Another reduction of the products [sender receiver prompt pos]."""
    return lambda differences, gradients: function(_by_prompt(differences, gradients))


def _of_means(differences, gradients):
    return _reduced(lambda products: products.sum(dim=(2, 3)))(
        differences.mean(dim=1, keepdim=True), gradients.mean(dim=1, keepdim=True)
    )


def _lengths(differences, gradients):
    return (differences.norm(dim=-1)[:, None] * gradients.norm(dim=-1)).sum(dim=-1).mean(dim=-1)


def _inputs(n_senders, n_receivers, n_prompts, n_pos, d_model):
    differences = torch.randn(n_senders, n_prompts, n_pos, d_model, generator=generator(d_model))
    gradients = torch.randn(n_receivers, n_prompts, n_pos, d_model, generator=generator(n_senders))
    return differences, gradients


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: dot products one by one, on shapes without equal axes."""
    for sizes in ((3, 4, 2, 5, 6), (6, 2, 3, 4, 1), (2, 5, 4, 1, 3)):
        differences, gradients = _inputs(*sizes)
        expected = torch.zeros(sizes[:2])
        for i in range(sizes[0]):
            for j in range(sizes[1]):
                for prompt in range(sizes[2]):
                    dot = sum(map(torch.dot, differences[i, prompt], gradients[j, prompt]))
                    expected[i, j] += dot / sizes[2]
        trial.matches((differences, gradients), expected, "sender receiver", tolerance=1e-4)


def _is_exact_for_a_linear_metric(trial: Trial) -> None:
    """Property: for a linear metric the score is the exact change of the mean metric."""
    differences, gradients = _inputs(4, 3, 5, 2, 6)
    reads = torch.randn(3, 5, 2, 6, generator=generator(9))

    def metric(inputs: Float[Tensor, "receiver prompt pos d_model"]) -> Float[Tensor, ""]:
        return (inputs * gradients).sum(dim=(0, 2, 3)).mean()

    expected = torch.zeros(4, 3)
    for i in range(4):
        for j in range(3):
            patched = reads.clone()
            patched[j] += differences[i]
            expected[i, j] = metric(patched) - metric(reads)
    trial.matches((differences, gradients), expected, "sender receiver", tolerance=1e-4)


EXERCISE = Exercise(
    id="8.3",
    title="edge attribution patching",
    minutes=8,
    difficulty=2,
    hints=(
        "One edge on one prompt: the difference times the gradient, entry by entry, summed over positions and d_model.",
        'All edges at once: `einsum(differences, gradients, "sender prompt pos d_model, receiver … -> …")`.',
        "Keep the axes sender, receiver and prompt. Then take the mean over prompts.",
    ),
    reference=eap_scores,
    tests=(_equals_a_loop, _is_exact_for_a_linear_metric),
    mistakes=(
        Mistake(
            "summed over prompts",
            "a score is a mean over prompts: divide by their number.",
            _reduced(lambda products: products.sum(dim=(2, 3))),
        ),
        Mistake(
            "mean over positions",
            "an edge changes all positions at once: sum over positions.",
            _reduced(lambda products: products.mean(dim=(2, 3))),
        ),
        Mistake(
            "last position only",
            "an edge changes all positions: sum over them.",
            _reduced(lambda products: products[..., -1].mean(dim=2)),
        ),
        Mistake(
            "means multiplied",
            "multiply for each prompt first, then take the mean.",
            _of_means,
        ),
        Mistake(
            "sizes of the scores",
            "keep the sign: a negative score means that the metric falls.",
            _reduced(lambda products: products.sum(dim=3).mean(dim=2).abs()),
        ),
        Mistake(
            "sizes of each product",
            "products at different positions may cancel: keep their signs.",
            _reduced(lambda products: products.abs().sum(dim=3).mean(dim=2)),
        ),
        Mistake(
            "sizes of each prompt",
            "scores of different prompts may cancel: keep their signs.",
            _reduced(lambda products: products.sum(dim=3).abs().mean(dim=2)),
        ),
        Mistake(
            "lengths multiplied",
            "only the part of the difference along the gradient counts: take the dot product.",
            _lengths,
        ),
        Mistake(
            "opposite sign",
            "the difference is corrupted minus clean already: do not change the sign.",
            _reduced(lambda products: -products.sum(dim=3).mean(dim=2)),
        ),
        Mistake(
            "unit gradients",
            "the length of the gradient says how much the metric changes: do not normalize it.",
            lambda differences, gradients: eap_scores(
                differences, gradients / gradients.norm(dim=-1, keepdim=True)
            ),
        ),
        Mistake(
            "unit differences",
            "the length of the difference counts: do not normalize it.",
            lambda differences, gradients: eap_scores(
                differences / differences.norm(dim=-1, keepdim=True), gradients
            ),
        ),
        Mistake(
            "receivers as rows",
            "rows are senders, columns are receivers.",
            lambda differences, gradients: eap_scores(differences, gradients).T,
        ),
        Mistake(
            "every prompt by itself",
            "take the mean over prompts.",
            _reduced(lambda products: products.sum(dim=3)),
        ),
        Mistake(
            "all receivers summed",
            "keep one column per receiver.",
            lambda differences, gradients: eap_scores(differences, gradients).sum(dim=1),
        ),
    ),
)
