"""Exercise 8.4: integrated gradients for edges, EAP-IG (Hanna et al. 2024)."""

from collections.abc import Callable

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def integrated_gradients(
    gradient_at: Callable[[Float[Tensor, "prompt pos d_model"]], Float[Tensor, "sender receiver"]],
    clean: Float[Tensor, "prompt pos d_model"],
    corrupted: Float[Tensor, "prompt pos d_model"],
    steps: int,
) -> Float[Tensor, "sender receiver"]:
    """Mean of ``gradient_at`` at the middles of equal steps from clean to corrupted embeddings."""
    points = [clean + (i + 0.5) / steps * (corrupted - clean) for i in range(steps)]
    return torch.stack([gradient_at(point) for point in points]).mean(dim=0)


def _at(fractions):
    """The mean of the gradients at other fractions of the way; ``fractions(steps)`` lists them."""

    def answer(gradient_at, clean, corrupted, steps):
        points = [clean + fraction * (corrupted - clean) for fraction in fractions(steps)]
        return torch.stack([gradient_at(point) for point in points]).mean(dim=0)

    return answer


def _trapezoids(gradient_at, clean, corrupted, steps):
    ends = torch.stack([gradient_at(torch.lerp(clean, corrupted, i / steps)) for i in range(steps + 1)])
    return (ends[:-1] + ends[1:]).mean(dim=0) / 2


def _scaled(factor):
    """The reference times a factor that depends on the number of steps."""
    return lambda gradient_at, clean, corrupted, steps: (
        factor(steps) * integrated_gradients(gradient_at, clean, corrupted, steps)
    )


def _random_gradient(n_senders: int, n_receivers: int, shape: tuple[int, ...]) -> Callable:
    """A gradient that depends on every entry of the embedding, and is not linear in it."""
    weights = torch.randn(n_senders, n_receivers, *shape, generator=generator(n_senders)) / 3
    pattern = "sender receiver prompt pos d_model, prompt pos d_model -> sender receiver"

    def gradient_at(x):
        return einsum(weights, x, pattern).sin() + einsum(weights, x**2, pattern)

    return gradient_at


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: the middles one by one, for a gradient that is not linear."""
    for (n_senders, n_receivers), shape in (((3, 4), (2, 5, 6)), ((4, 2), (3, 1, 5))):
        gradient_at = _random_gradient(n_senders, n_receivers, shape)
        clean, corrupted = torch.randn(2, *shape, generator=generator(n_receivers))
        for steps in (4, 1, 2, 7):
            expected = torch.zeros(n_senders, n_receivers)
            for i in range(steps):
                share = (2 * i + 1) / (2 * steps)
                expected += gradient_at((1 - share) * clean + share * corrupted) / steps
            arguments = (gradient_at, clean, corrupted, steps)
            trial.matches(arguments, expected, "sender receiver", tolerance=1e-4)


def _adds_up_for_a_quadratic_metric(trial: Trial) -> None:
    """Property: completeness, exact with middles for every quadratic metric."""
    shape = (2, 3, 4)
    clean, corrupted = torch.randn(2, *shape, generator=generator(5))
    weights = torch.randn(2, *shape, generator=generator(6))

    def metric(x):
        return (weights[0] * x + weights[1] * x**2).sum()

    def gradient_at(x):  # one row per prompt and position, one column per entry of d_model
        return ((weights[0] + 2 * weights[1] * x) * (corrupted - clean)).flatten(0, 1)

    for steps in (1, 3, 6):
        trial.behaves(
            lambda answer, steps=steps: answer(gradient_at, clean, corrupted, steps).sum(),
            metric(corrupted) - metric(clean),
            "",
            tolerance=1e-4,
            what=f"the sum of all scores of a quadratic metric ({steps} steps)",
        )


EXERCISE = Exercise(
    id="8.4",
    title="integrated gradients",
    minutes=8,
    difficulty=2,
    hints=(
        "Divide the way from clean to corrupted into `steps` equal parts. The middle of part i lies at (i + ½) / steps.",
        "The embedding there is `clean + (i + 0.5) / steps * (corrupted - clean)`.",
        "Call `gradient_at` once at each middle, and take the mean of what it returns.",
    ),
    reference=integrated_gradients,
    tests=(_equals_a_loop, _adds_up_for_a_quadratic_metric),
    mistakes=(
        Mistake(
            "starts of the steps",
            "take the middles: (i + 0.5) / steps, not i / steps.",
            _at(lambda steps: [i / steps for i in range(steps)]),
        ),
        Mistake(
            "ends of the steps",
            "take the middles: (i + 0.5) / steps. Hanna et al. take the ends, which needs more steps.",
            _at(lambda steps: [(i + 1) / steps for i in range(steps)]),
        ),
        Mistake(
            "both ends included",
            "these points begin at clean and end at corrupted. Take the middles of `steps` equal parts.",
            _at(lambda steps: torch.linspace(0, 1, steps).tolist()),
        ),
        Mistake(
            "both ends included",
            "these points begin at clean and end at corrupted. Take the middles of `steps` equal parts.",
            _at(lambda steps: torch.linspace(0, 1, steps + 1).tolist()),
        ),
        Mistake(
            "points between the ends",
            "these points divide the way into steps + 1 parts. Take the middles of `steps` equal parts.",
            _at(lambda steps: [(i + 1) / (steps + 1) for i in range(steps)]),
        ),
        Mistake(
            "trapezoids",
            "this takes the mean of both ends of each part. Take its middle.",
            _trapezoids,
        ),
        Mistake(
            "one step too few",
            "use as many points as there are `steps`, the last one included.",
            lambda gradient_at, clean, corrupted, steps: sum(
                gradient_at(clean + (i + 0.5) / steps * (corrupted - clean)) / steps for i in range(steps - 1)
            ),
        ),
        Mistake(
            "one step too many",
            "use as many points as there are `steps`.",
            _at(lambda steps: [(i + 0.5) / (steps + 1) for i in range(steps + 1)]),
        ),
        Mistake(
            "one point only",
            "call `gradient_at` once at each middle: this is its value half-way only.",
            _at(lambda steps: [0.5]),
        ),
        Mistake(
            "clean gradient only",
            "this is EAP: it takes the gradient of the clean run alone.",
            _at(lambda steps: [0.0]),
        ),
        Mistake(
            "corrupted gradient only",
            "take the gradient at every middle, not only at the end.",
            _at(lambda steps: [1.0]),
        ),
        Mistake(
            "away from the corrupted embeddings",
            "the way goes to the corrupted embeddings: add a fraction of (corrupted - clean).",
            _at(lambda steps: [-(i + 0.5) / steps for i in range(steps)]),
        ),
        Mistake(
            "from zero",
            "the way begins at the clean embeddings, not at zero.",
            lambda gradient_at, clean, corrupted, steps: integrated_gradients(
                gradient_at, torch.zeros_like(clean), corrupted, steps
            ),
        ),
        Mistake(
            "from zero",
            "the way goes from the clean embeddings to the corrupted ones, not from zero.",
            lambda gradient_at, clean, corrupted, steps: integrated_gradients(
                gradient_at, torch.zeros_like(clean), clean, steps
            ),
        ),
        Mistake(
            "clean not subtracted",
            "go along corrupted - clean: at the end the embedding must be the corrupted one.",
            lambda gradient_at, clean, corrupted, steps: integrated_gradients(
                gradient_at, clean, clean + corrupted, steps
            ),
        ),
        Mistake(
            "clean left out",
            "the way begins at the clean embeddings: add `clean` to the fraction of (corrupted - clean).",
            lambda gradient_at, clean, corrupted, steps: integrated_gradients(
                gradient_at, torch.zeros_like(clean), corrupted - clean, steps
            ),
        ),
        Mistake(
            "last step only",
            "add up the scores of all steps, not only those of the last one.",
            lambda gradient_at, clean, corrupted, steps: (
                gradient_at(clean + (steps - 0.5) / steps * (corrupted - clean)) / steps
            ),
        ),
        Mistake("summed", "take the mean over the steps: divide the sum by their number.", _scaled(float)),
        Mistake(
            "divided by one step more",
            "divide by the number of steps.",
            _scaled(lambda steps: steps / (steps + 1)),
        ),
    ),
)
