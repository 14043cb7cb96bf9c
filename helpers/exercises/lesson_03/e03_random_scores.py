"""Exercise 3.3: the random baseline."""

import torch

from helpers.composition import random_scores
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator

SAMPLES = 500
STANDARD_DEVIATION = 0.2403  # of the scores for d_model = d_head = 2, from 4 million pairs


def _has_the_right_distribution(trial: Trial) -> None:
    """Theory: the mean square is 1/d_model for any d_head, the spread that of low-rank circuits."""
    for d_model, d_head in [(40, 2), (60, 6), (5, 5)]:
        scores = trial.call(d_model, d_head, SAMPLES, generator(d_model))
        _check_form(scores)
        if d_model == 40 and scores.unique().numel() < 0.95 * SAMPLES:
            raise Wrong("not random", "expected different scores, got equal ones. Draw anew for each sample.")
        level = scores.square().mean().item() * d_model
        if level > 1.6:
            raise Wrong(
                "too high",
                f"expected a mean square of 1/d_model, got {level:.1f} times that. Do all entries have "
                "mean 0, and are the two circuits of a pair drawn independently?",
            )
        if not 0.8 < level < 1.25:  # six standard deviations of the mean of SAMPLES squares
            raise Wrong("wrong level", f"expected a mean square of 1/d_model, got {level:.2f} times that.")
        spread = scores.std() / random_scores(d_model, d_head, SAMPLES, generator(1)).std()
        if not 0.6 < spread < 1.6:
            raise Wrong(
                "wrong spread",
                f"expected the standard deviation of Gaussian circuits of rank d_head, got {spread:.2f} "
                "times that.",
            )


def _check_form(scores) -> None:
    """Raise ``Wrong`` unless the output is a tensor of SAMPLES numbers."""
    if not isinstance(scores, torch.Tensor):
        kind = type(scores).__name__
        raise Wrong("wrong type", f"expected a torch.Tensor [sample], got {kind}. torch.stack the scores.")
    if scores.shape != (SAMPLES,):
        received = f"shape {list(scores.shape)}" if scores.ndim else "a single number"
        raise Wrong("wrong shape", f"expected shape [{SAMPLES}] [sample], got {received}.")
    if scores.isnan().any():
        raise Wrong("NaN", "expected numbers, got NaN.")


def _draws_with_the_generator(trial: Trial) -> None:
    """One seed gives the same scores; a second call, or another seed, gives others."""
    drawn = generator(0)
    scores, next_scores = (trial.call(9, 2, 5, drawn) for _ in range(2))
    same_seed, other_seed = (trial.call(9, 2, 5, generator(seed)) for seed in (0, 1))
    if not torch.equal(scores, same_seed):
        raise Wrong(
            "generator not used",
            "expected the same scores from two generators with the same seed, got different ones. "
            "Pass generator=generator to every torch.randn.",
        )
    if torch.equal(scores, other_seed):
        raise Wrong(
            "seed ignored",
            "expected other scores from a generator with another seed, got the same. "
            "Set no seed. Pass generator=generator to every torch.randn.",
        )
    if torch.equal(scores, next_scores):
        raise Wrong(
            "same draws again",
            "expected other scores from the second call with one generator, got the same. "
            "Draw from the given generator itself, without setting its seed.",
        )


def _draws_every_circuit_anew(trial: Trial) -> None:
    """Bounds lie four standard deviations of chance from the values of independent circuits."""
    drawn = generator(2)
    scores = torch.stack([trial.call(2, 2, 200, drawn) for _ in range(40)])
    variances = scores.var(dim=1)
    if variances.std() / variances.mean() > 0.122:  # 0.081 ± 0.009; one factor per call: 0.17
        raise Wrong(
            "circuit reused",
            "expected the same variance from every call, up to chance, got variances that differ more. "
            "Draw all four thin matrices of every pair anew.",
        )
    distances = (scores.square() - 0.5).square()  # large for a pair whose circuits stretch one direction
    distances = distances - distances.mean()
    neighbours = (distances[:, 1:] * distances[:, :-1]).mean() / distances.square().mean()
    if neighbours > 0.05:  # 0 ± 0.01; neighbours that share a circuit: 0.11
        raise Wrong(
            "pairs not independent",
            "expected independent pairs, got scores that are correlated with the next score. "
            "Use every circuit in one pair only.",
        )
    spread = scores.std() / STANDARD_DEVIATION
    if not 0.973 < spread < 1.027:  # 1 ± 0.006
        raise Wrong(
            "wrong spread",
            f"expected the standard deviation of Gaussian circuits of rank d_head, got {spread:.2f} times "
            "that for d_model = d_head = 2. Is each circuit the product of two thin matrices, are all four "
            "independent, and are their entries normal with mean 0?",
        )


def _draws_normal_entries(trial: Trial) -> None:
    """At two dimensions and rank 1 a score is a cosine: entries of 1 and -1 give 0 and 1 only."""
    if trial.call(2, 1, 50, generator(3)).unique().numel() < 25:
        raise Wrong(
            "not normal",
            "expected 50 different scores for d_model=2 and d_head=1, got the same few again and again. "
            "Draw the entries from a normal distribution: torch.randn.",
        )


def _of_full_matrices(draw):
    """Scores of pairs of full d_model × d_model matrices."""

    def answer(d_model, d_head, samples, generator):
        pairs = draw(2, samples, d_model, d_model, generator=generator)
        return torch.stack([(A @ B).norm() / (A.norm() * B.norm()) for A, B in zip(*pairs)])

    return answer


EXERCISE = Exercise(
    id="3.3",
    title="the random baseline",
    minutes=7,
    difficulty=2,
    hints=(
        "A circuit of rank `d_head` is the product of two thin matrices. A pair of circuits needs four, and every "
        "pair its own.",
        "Draw each thin matrix with `torch.randn(…, generator=generator)`: "
        "`d_model` × `d_head` and `d_head` × `d_model`.",
        "Score each pair with `factored_score`, and `torch.stack` the scores.",
    ),
    reference=random_scores,
    tests=(
        _has_the_right_distribution,
        _draws_with_the_generator,
        _draws_normal_entries,
        _draws_every_circuit_anew,
    ),
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
            "one pair is drawn and repeated. Draw anew for each sample.",
            lambda d_model, d_head, samples, generator: random_scores(d_model, d_head, 1, generator).repeat(
                samples
            ),
        ),
        Mistake(
            "wrong level",
            "these are squared scores. Take the root.",
            lambda *sizes: random_scores(*sizes) ** 2,
        ),
        Mistake(
            "wrong shape",
            "this is the mean. Return the score of every sample.",
            lambda *sizes: random_scores(*sizes).mean(),
        ),
    ),
)
