"""Exercise 3.3: the random level."""

import torch

from helpers.composition import random_scores
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _full_rank(d_model, d_head, samples, generator):
    pairs = torch.randn(2, samples, d_model, d_model, generator=generator)
    return torch.stack([(A @ B).norm() / (A.norm() * B.norm()) for A, B in zip(*pairs)])


def _has_the_right_distribution(trial: Trial) -> None:
    """Theory: the mean square is 1/d_model whatever d_head is; the spread is that of low-rank circuits."""
    for d_model, d_head in [(40, 2), (60, 6)]:
        scores = trial.call(d_model, d_head, 200, generator(d_model))
        if not (isinstance(scores, torch.Tensor) and scores.shape == (200,)):
            raise Wrong(
                "wrong shape",
                f"expected one tensor of 200 scores, got {getattr(scores, 'shape', type(scores).__name__)}: torch.stack them.",
            )
        if scores.unique().numel() < 190:
            raise Wrong("not random", "the samples are equal: draw new matrices for each of them.")
        level = scores.square().mean().item() * d_model
        if level > 1.6:
            raise Wrong(
                "too high",
                f"the mean square is {level:.1f} times 1/d_model: are the entries centred at 0, writer and reader drawn apart?",
            )
        if not 0.85 < level < 1.15:
            raise Wrong("wrong level", f"the mean square is {level:.2f} times 1/d_model; it should be 1.")
        spread = scores.std() / random_scores(d_model, d_head, 200, generator(1)).std()
        if not 0.6 < spread < 1.6:
            raise Wrong(
                "wrong spread",
                f"the standard deviation is {spread:.2f} times that of circuits of rank d_head.",
            )


def _draws_with_the_generator(trial: Trial) -> None:
    """The same generator gives the same scores."""
    once, again = (trial.call(9, 2, 5, generator(0)) for _ in range(2))
    if not torch.equal(once, again):
        raise Wrong(
            "generator not used",
            "the same generator gave other scores: pass generator=generator to every torch.randn.",
        )


EXERCISE = Exercise(
    id="3.3",
    title="the random level",
    minutes=7,
    difficulty=2,
    hints=(
        "Draw four thin factors with torch.randn(…, generator=generator), two for the writer and two for the reader.",
        "Score each pair with factored_score, and stack the scores.",
    ),
    reference=random_scores,
    tests=(_has_the_right_distribution, _draws_with_the_generator),
    mistakes=(
        Mistake(
            "wrong spread", "circuits have rank d_head: draw thin factors, not full matrices.", _full_rank
        ),
        Mistake(
            "too high",
            "entries between 0 and 1 all point the same way.",
            lambda d_model, d_head, samples, generator: torch.stack(
                [
                    (A @ B).norm() / (A.norm() * B.norm())
                    for A, B in torch.rand(samples, 2, d_model, d_model, generator=generator)
                ]
            ),
        ),
        Mistake(
            "not random",
            "one pair is drawn and repeated.",
            lambda d_model, d_head, samples, generator: random_scores(d_model, d_head, 1, generator).repeat(
                samples
            ),
        ),
        Mistake(
            "wrong level",
            "the squares are returned.",
            lambda d_model, d_head, samples, generator: (
                random_scores(d_model, d_head, samples, generator) ** 2
            ),
        ),
        Mistake(
            "wrong shape",
            "the mean is returned; all samples are asked for.",
            lambda d_model, d_head, samples, generator: random_scores(
                d_model, d_head, samples, generator
            ).mean(),
        ),
    ),
)
