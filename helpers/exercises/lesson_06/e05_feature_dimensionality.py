"""Exercise 6.5: how much of a direction a feature has for itself."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.toys.superposition import feature_dimensionality


def _squares_left_out(W):
    overlaps = W.T @ W
    return overlaps.diagonal() ** 2 / overlaps.abs().sum(dim=1).clamp_min(1e-12) ** 2


def _by_overlaps(share):
    return lambda W: share(W.T @ W)


def _unit(W):
    return torch.nn.functional.normalize(W, dim=0)


def _polygon(corners: int) -> torch.Tensor:
    angles = torch.arange(corners) * 2 * torch.pi / corners
    return torch.stack([angles.cos(), angles.sin()])


def _known_geometries(trial: Trial) -> None:
    """Property: features alone, in antipodal pairs, in regular polygons, and absent."""
    trial.matches((3 * torch.eye(4)[:, :3],), torch.ones(3), "feature")
    pairs = torch.tensor([[2.0, -2.0, 0, 0, 0], [0, 0, 0.5, -0.5, 0]])
    trial.matches((pairs,), torch.tensor([0.5, 0.5, 0.5, 0.5, 0]), "feature")
    for corners in (3, 5, 7):
        trial.matches((1.5 * _polygon(corners),), torch.full((corners,), 2 / corners), "feature")


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the paper's formula with unit vectors, loop by loop; a rotation of the directions changes nothing."""
    W = torch.randn(3, 7, generator=generator(0))
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator(1))).Q
    expected = torch.zeros(7)
    for i in range(7):
        _unit = W[:, i] / W[:, i].norm()
        expected[i] = W[:, i].norm() ** 2 / sum((_unit @ W[:, j]) ** 2 for j in range(7))
    trial.matches((W,), expected, "feature")
    trial.matches((rotation @ W,), expected, "feature")


EXERCISE = Exercise(
    id="6.5",
    title="the dimensionality of a feature",
    minutes=6,
    difficulty=2,
    hints=(
        "overlaps = W.T @ W holds W_i · W_j, and ‖W_i‖² on its diagonal.",
        "overlaps.diagonal() ** 2 / (overlaps ** 2).sum(dim=1), with .clamp_min(1e-12) below the line for features that are not stored.",
    ),
    reference=feature_dimensionality,
    tests=(_equals_by_hand, _known_geometries),
    mistakes=(
        Mistake(
            "overlaps not squared one by one",
            "square each overlap first, then sum: Σ_j (W_i · W_j)², not (Σ_j |W_i · W_j|)².",
            _squares_left_out,
        ),
        Mistake(
            "the feature itself left out of the sum",
            "the sum goes over all features, i itself included: alone, a feature has dimensionality 1.",
            _by_overlaps(lambda o: o.diagonal() ** 2 / ((o**2).sum(1) - o.diagonal() ** 2).clamp_min(1e-12)),
        ),
        Mistake(
            "upside down",
            "this is how many features share a direction; the share of one is its inverse.",
            _by_overlaps(lambda o: (o**2).sum(1) / (o.diagonal() ** 2).clamp_min(1e-12)),
        ),
        Mistake(
            "norm to the second power",
            "above the line stands ‖W_i‖⁴: overlaps.diagonal() is ‖W_i‖², square it.",
            _by_overlaps(lambda o: o.diagonal() / (o**2).sum(1).clamp_min(1e-12)),
        ),
        Mistake(
            "overlaps without squares",
            "overlaps of either sign cost room: square them before you sum.",
            _by_overlaps(lambda o: o.diagonal() / o.sum(1).clamp_min(1e-12)),
        ),
        Mistake(
            "sizes of overlaps instead of squares",
            "square the overlaps, (W_i · W_j)², instead of taking their sizes.",
            _by_overlaps(lambda o: o.diagonal() / o.abs().sum(1).clamp_min(1e-12)),
        ),
        Mistake(
            "overlaps without squares below the line",
            "square the overlaps before you sum them: Σ_j (W_i · W_j)².",
            _by_overlaps(lambda o: o.diagonal() ** 2 / o.sum(1).clamp_min(1e-12)),
        ),
        Mistake(
            "sizes of overlaps below the line",
            "square the overlaps, (W_i · W_j)², instead of taking their sizes.",
            _by_overlaps(lambda o: o.diagonal() ** 2 / o.abs().sum(1).clamp_min(1e-12)),
        ),
        Mistake(
            "unit vectors on both sides",
            "only W_i is made a unit vector; W_j keeps its length, since a feature that is stored weakly disturbs little.",
            lambda W: 1 / (_unit(W).T @ _unit(W)).pow(2).sum(1).clamp_min(1e-12) * (W.norm(dim=0) > 0),
        ),
        Mistake(
            "not divided",
            "this is how strongly a feature is stored; divide by what it shares its direction with.",
            lambda W: W.norm(dim=0) ** 2,
        ),
        Mistake(
            "NaN for a feature that is not stored",
            "a feature without a direction has 0 / 0: keep what stands below the line above 0 with .clamp_min(1e-12).",
            _by_overlaps(lambda o: o.diagonal() ** 2 / (o**2).sum(1)),
        ),
        Mistake(
            "one number for all",
            "one number a feature: sum over j only.",
            _by_overlaps(lambda o: (o.diagonal() ** 2).sum() / (o**2).sum()),
        ),
        Mistake(
            "directions instead of features",
            "features are the columns of W: W.T @ W, not W @ W.T.",
            lambda W: feature_dimensionality(W.T),
        ),
    ),
)
