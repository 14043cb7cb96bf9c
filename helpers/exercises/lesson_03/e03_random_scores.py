"""Exercise 3.3: the random level."""

import torch

from helpers.composition import random_scores
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _has_the_right_distribution(trial: Trial) -> None:
    """Theory: the mean square is 1/d_model for any d_head, the spread that of low-rank circuits."""
    for d_model, d_head in [(40, 2), (60, 6)]:
        scores = trial.call(d_model, d_head, 200, generator(d_model))
        if not (isinstance(scores, torch.Tensor) and scores.shape == (200,)):
            received = getattr(scores, "shape", type(scores).__name__)
            raise Wrong(
                "wrong shape", f"expected one tensor of 200 scores, got {received}: torch.stack them."
            )
        if scores.unique().numel() < 190:
            raise Wrong("not random", "the samples are equal. Draw new matrices for each of them.")
        level = scores.square().mean().item() * d_model
        if level > 1.6:
            raise Wrong(
                "too high",
                f"expected a mean square of 1/d_model, got {level:.1f} times that. "
                "Draw entries with mean 0, and the two circuits of a pair independently.",
            )
        if not 0.85 < level < 1.15:
            raise Wrong("wrong level", f"expected a mean square of 1/d_model, got {level:.2f} times that.")
        spread = scores.std() / random_scores(d_model, d_head, 200, generator(1)).std()
        if not 0.6 < spread < 1.6:
            raise Wrong(
                "wrong spread",
                f"expected the standard deviation of circuits of rank d_head, got {spread:.2f} times that.",
            )


def _draws_with_the_generator(trial: Trial) -> None:
    """The same generator gives the same scores."""
    scores, repeated = (trial.call(9, 2, 5, generator(0)) for _ in range(2))
    if not torch.equal(scores, repeated):
        raise Wrong(
            "generator not used",
            "expected the same scores from the same generator, got others. "
            "Pass generator=generator to every torch.randn.",
        )


def _of_full_matrices(draw):
    """Scores of pairs of full d_model × d_model matrices."""

    def answer(d_model, d_head, samples, generator):
        pairs = draw(2, samples, d_model, d_model, generator=generator)
        return torch.stack([(A @ B).norm() / (A.norm() * B.norm()) for A, B in zip(*pairs)])

    return answer


EXERCISE = Exercise(
    id="3.3",
    title="the random level",
    minutes=7,
    difficulty=2,
    hints=(
        "A circuit of rank `d_head` is the product of two thin matrices. A pair of circuits needs four.",
        "Draw each thin matrix with `torch.randn(…, generator=generator)`: "
        "`d_model` × `d_head` and `d_head` × `d_model`.",
        "Score each pair with `factored_score`, and `torch.stack` the scores.",
    ),
    reference=random_scores,
    tests=(_has_the_right_distribution, _draws_with_the_generator),
    mistakes=(
        Mistake(
            "wrong spread",
            "circuits have rank d_head. Draw thin factors, not full matrices.",
            _of_full_matrices(torch.randn),
        ),
        Mistake(
            "too high",
            "entries between 0 and 1 all point the same way.",
            _of_full_matrices(torch.rand),
        ),
        Mistake(
            "not random",
            "one pair is drawn and repeated.",
            lambda d_model, d_head, samples, generator: random_scores(d_model, d_head, 1, generator).repeat(
                samples
            ),
        ),
        Mistake("wrong level", "these are squared scores.", lambda *sizes: random_scores(*sizes) ** 2),
        Mistake(
            "wrong shape",
            "this is the mean. Return the score of every sample.",
            lambda *sizes: random_scores(*sizes).mean(),
        ),
    ),
)
