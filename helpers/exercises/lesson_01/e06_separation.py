"""Exercise 1.6: how well a coordinate separates the rows with a label from the others."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.principal import separation


def _folded(area):
    return torch.maximum(area, 1 - area)


def _area(coordinates, labels, compare=lambda a, b: (a > b).float() + (a == b).float() / 2):
    return compare(coordinates[labels][:, None], coordinates[~labels]).mean(dim=(0, 1))


def _equals_a_count(trial: Trial) -> None:
    """Oracle: a loop over the pairs. Whole numbers tie; columns separate in both directions."""
    for seed, (rows, components, marked) in enumerate([(14, 3, 5), (11, 4, 2), (20, 2, 13), (9, 5, 1)]):
        labels = torch.arange(rows).roll(3) < marked
        coordinates = torch.randint(-4, 5, (rows, components), generator=generator(seed)).float()
        coordinates[:, 0] += 3 * labels
        coordinates[:, 1] -= 5 * labels
        trial.matches((coordinates, labels), _counted(coordinates, labels), "component", tolerance=1e-4)
    perfect = torch.stack([labels.float(), -labels.float() - 7, torch.ones(rows)], dim=1)
    trial.matches((perfect, labels), torch.tensor([1.0, 1.0, 0.5]), "component", tolerance=1e-4)


def _counted(coordinates, labels):
    areas = []
    for column in coordinates.T.tolist():
        pairs = [(a, b) for a, la in zip(column, labels) if la for b, lb in zip(column, labels) if not lb]
        area = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
        areas.append(max(area, 1 - area))
    return torch.tensor(areas)


EXERCISE = Exercise(
    id="1.6",
    title="how well a component separates",
    minutes=8,
    difficulty=2,
    hints=(
        "Pick the rows with the label and those without: `coordinates[labels]` and `coordinates[~labels]`.",
        "Compare every row of one with every row of the other: give the first an axis more, `[:, None]`. "
        "The result has the axes row with label, row without, component.",
        "A pair counts 1 where the first is larger, ½ where both are equal. Average over both row axes. "
        "Then take the larger of area and 1 - area.",
    ),
    reference=separation,
    tests=(_equals_a_count,),
    mistakes=(
        Mistake(
            "area below one half",
            "the sign of a component is arbitrary: where the area is below ½, take 1 - area.",
            _area,
        ),
        Mistake(
            "ties not counted",
            "two equal coordinates count ½, not 0.",
            lambda coordinates, labels: _folded(_area(coordinates, labels, lambda a, b: (a > b).float())),
        ),
        Mistake(
            "ties counted in full",
            "two equal coordinates count ½, not 1.",
            lambda coordinates, labels: _folded(_area(coordinates, labels, lambda a, b: (a >= b).float())),
        ),
        Mistake(
            "pairs with equal labels",
            "this compares all rows with all rows; pair each row with the label with each row without it.",
            lambda coordinates, labels: _folded(
                (coordinates[labels][:, None] > coordinates).float().mean(dim=(0, 1))
                + (coordinates[labels][:, None] == coordinates).float().mean(dim=(0, 1)) / 2
            ),
        ),
        *(
            Mistake(
                "compared with one number",
                "this compares each row with one number, such as the mean of the others; compare rows in pairs.",
                lambda coordinates, labels, middle=middle: _folded(
                    (coordinates[labels] > middle(coordinates[~labels])).float().mean(0)
                ),
            )
            for middle in (lambda x: x.mean(0), lambda x: x.median(0).values)
        ),
        Mistake(
            "difference of the means",
            "this is the difference of two means; count the pairs in which one row is larger.",
            lambda coordinates, labels: (coordinates[labels].mean(0) - coordinates[~labels].mean(0)).abs(),
        ),
        Mistake(
            "rescaled to 0 and 1",
            "this is 2 area - 1, which is 0 for a useless component; return the area itself.",
            lambda coordinates, labels: 2 * separation(coordinates, labels) - 1,
        ),
        Mistake(
            "distance from one half",
            "this is |area - ½|; return the area itself.",
            lambda coordinates, labels: separation(coordinates, labels) - 0.5,
        ),
        Mistake(
            "correlation",
            "this is a correlation with the label; count pairs instead.",
            lambda coordinates, labels: torch.corrcoef(torch.cat([labels[None].float(), coordinates.T]))[
                0, 1:
            ].abs(),
        ),
        Mistake(
            "number of pairs",
            "this is a number of pairs; divide by the number of all pairs.",
            lambda coordinates, labels: separation(coordinates, labels) * labels.sum() * (~labels).sum(),
        ),
    ),
)
