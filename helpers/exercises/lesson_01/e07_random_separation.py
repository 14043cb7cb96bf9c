"""Exercise 1.7: the best of some random directions, the baseline of the best of some components."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.principal import random_separation, separation


def _by_sample(measure):
    """One number per sample, by a function of coordinates and labels."""
    return lambda vectors, labels, directions: torch.stack(
        [measure(vectors @ sample.T, labels) for sample in directions]
    )


def _equals_one_direction_after_the_other(trial: Trial) -> None:
    """Oracle: one direction after the other, in a loop over samples."""
    for seed, (rows, d_model, samples, count) in enumerate([(16, 5, 3, 4), (12, 7, 5, 2), (21, 4, 2, 6)]):
        labels = torch.arange(rows).roll(2) < 4 + seed
        vectors = torch.randn(rows, d_model, generator=generator(seed)) + labels[:, None] * 0.6 - 2
        directions = torch.randn(samples, count, d_model, generator=generator(seed + 40))
        expected = [
            max(separation((vectors @ direction)[:, None], labels).item() for direction in sample)
            for sample in directions
        ]
        trial.matches((vectors, labels, directions), torch.tensor(expected), "sample", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.7",
    title="the best of some random directions",
    minutes=6,
    difficulty=1,
    hints=(
        "The coordinates of all rows on the directions of one sample: `vectors @ sample.T`.",
        "`separation` of exercise 1.6 gives one number per direction. Take the largest.",
        "A list comprehension over `directions` goes through the samples; `torch.stack` joins the results.",
    ),
    reference=random_separation,
    tests=(_equals_one_direction_after_the_other,),
    mistakes=(
        Mistake(
            "mean of the directions",
            "this is the mean over the directions of a sample; the component is the best of some, so take the best.",
            _by_sample(lambda coordinates, labels: separation(coordinates, labels).mean()),
        ),
        Mistake(
            "worst direction",
            "this is the smallest separation of each sample; take the largest.",
            _by_sample(lambda coordinates, labels: separation(coordinates, labels).min()),
        ),
        Mistake(
            "first direction",
            "this uses the first direction of each sample; use all of them.",
            _by_sample(lambda coordinates, labels: separation(coordinates, labels)[0]),
        ),
        Mistake(
            "best of all samples",
            "this is the best direction of all samples; return one number per sample.",
            lambda vectors, labels, directions: (
                random_separation(vectors, labels, directions).max().expand(len(directions))
            ),
        ),
        Mistake(
            "directions summed",
            "the coordinates were combined before the separation; separate by each direction alone, "
            "then take the best.",
            _by_sample(lambda coordinates, labels: separation(coordinates.sum(1, keepdim=True), labels)[0]),
        ),
        Mistake(
            "largest coordinate",
            "this takes the largest coordinate of each row; separate by each direction alone, then take the best.",
            _by_sample(lambda coordinates, labels: separation(coordinates.amax(1)[:, None], labels)[0]),
        ),
        Mistake(
            "length of the projection",
            "this separates by the length of the projection; separate by each direction alone, then take the best.",
            _by_sample(lambda coordinates, labels: separation(coordinates.norm(dim=1)[:, None], labels)[0]),
        ),
        Mistake(
            "area below one half",
            "a direction whose area is below ½ separates, too: use separation, which takes 1 - area.",
            _by_sample(
                lambda coordinates, labels: (
                    (coordinates[labels][:, None] > coordinates[~labels]).float().mean(dim=(0, 1)).max()
                )
            ),
        ),
    ),
)
