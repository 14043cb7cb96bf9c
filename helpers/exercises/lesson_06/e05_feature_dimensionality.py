"""Exercise 6.5: the dimensionality of a feature (Elhage et al. 2022)."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.toys.superposition import feature_dimensionality


def _ratio(above, below):
    """``above(o) / below(o)`` of the overlaps  o = Wᵀ W , 0 / 0 being 0."""
    return lambda W: above(W.T @ W) / below(W.T @ W).clamp_min(1e-12)


def _norms_2(overlaps):
    return overlaps.diagonal()


def _norms_4(overlaps):
    return overlaps.diagonal() ** 2


def _sum_of_squares(overlaps):
    return (overlaps**2).sum(dim=1)


def _sum_of_sizes(overlaps):
    return overlaps.abs().sum(dim=1)


def _sum(overlaps):
    return overlaps.sum(dim=1)


def _of_unit_vectors(W):
    unit = torch.nn.functional.normalize(W, dim=0)
    return (W.norm(dim=0) > 0) / _sum_of_squares(unit.T @ unit).clamp_min(1e-12)


def _polygon(corners: int) -> torch.Tensor:
    angles = torch.arange(corners) * 2 * torch.pi / corners
    return torch.stack([angles.cos(), angles.sin()])


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: the paper's formula, loop by loop; more features than directions, fewer, one."""
    for n_directions, n_features in ((3, 7), (6, 2), (5, 5), (1, 3), (2, 1)):
        W = torch.randn(n_directions, n_features, generator=generator(n_features))
        expected = torch.zeros(n_features)
        for i in range(n_features):
            unit = W[:, i] / W[:, i].norm()
            expected[i] = W[:, i].norm() ** 2 / sum((unit @ W[:, j]) ** 2 for j in range(n_features))
        trial.matches((W,), expected, "feature")


def _known_geometries(trial: Trial) -> None:
    """Property: features alone, in antipodal pairs, in regular polygons, and absent."""
    trial.matches((3 * torch.eye(4)[:, :3],), torch.ones(3), "feature")
    pairs = torch.tensor([[2.0, -2.0, 0, 0, 0], [0, 0, 0.5, -0.5, 0]])
    trial.matches((pairs,), torch.tensor([0.5, 0.5, 0.5, 0.5, 0]), "feature")
    for corners in (3, 5, 7):
        trial.matches((1.5 * _polygon(corners),), torch.full((corners,), 2 / corners), "feature")


EXERCISE = Exercise(
    id="6.5",
    title="the dimensionality of a feature",
    minutes=6,
    difficulty=2,
    hints=(
        "`W.T @ W` holds W_i · W_j for every pair of features. What is on its diagonal?",
        "The numerator is ‖W_i‖⁴. In the denominator, square the overlaps first, then sum over j.",
        "`.clamp_min(1e-12)` in the denominator prevents 0 / 0 for a feature that is not represented.",
    ),
    reference=feature_dimensionality,
    tests=(_equals_by_hand, _known_geometries),
    mistakes=(
        Mistake(
            "overlaps not squared one by one",
            "square each overlap first, then sum: Σ_j (W_i · W_j)², not (Σ_j |W_i · W_j|)².",
            _ratio(_norms_4, lambda overlaps: _sum_of_sizes(overlaps) ** 2),
        ),
        Mistake(
            "overlaps summed, then squared",
            "square each overlap first, then sum: Σ_j (W_i · W_j)², not (Σ_j W_i · W_j)².",
            _ratio(_norms_4, lambda overlaps: _sum(overlaps) ** 2),
        ),
        Mistake(
            "short features taken for 0",
            "return D_i for every feature, however short: it is 0 only where W_i is 0.",
            lambda W: feature_dimensionality(W) * (W.norm(dim=0) > 0.5),
        ),
        Mistake(
            "the feature itself left out of the sum",
            "sum over all features, i itself included: a feature alone has dimensionality 1.",
            _ratio(_norms_4, lambda overlaps: _sum_of_squares(overlaps) - _norms_4(overlaps)),
        ),
        Mistake(
            "upside down",
            "this is how many features share a direction; the dimensionality is its inverse.",
            _ratio(_sum_of_squares, _norms_4),
        ),
        Mistake(
            "norm to the second power",
            "the numerator is ‖W_i‖⁴: overlaps.diagonal() is ‖W_i‖², square it.",
            _ratio(_norms_2, _sum_of_squares),
        ),
        Mistake(
            "overlaps without squares",
            "overlaps of both signs cost capacity: square them before you sum.",
            _ratio(_norms_2, _sum),
        ),
        Mistake(
            "sizes of overlaps instead of squares",
            "square the overlaps, (W_i · W_j)², instead of taking absolute values.",
            _ratio(_norms_2, _sum_of_sizes),
        ),
        Mistake(
            "overlaps without squares below the line",
            "square the overlaps before you sum them: Σ_j (W_i · W_j)².",
            _ratio(_norms_4, _sum),
        ),
        Mistake(
            "sizes of overlaps below the line",
            "square the overlaps, (W_i · W_j)², instead of taking absolute values.",
            _ratio(_norms_4, _sum_of_sizes),
        ),
        Mistake(
            "W_j made a unit vector",
            "only W_i becomes a unit vector. W_j keeps its length, because a short W_j interferes little.",
            _of_unit_vectors,
        ),
        Mistake(
            "not divided",
            "this is the squared norm of a feature. Divide by everything along its direction.",
            lambda W: W.norm(dim=0) ** 2,
        ),
        Mistake(
            "NaN for a feature that is not stored",
            "a feature without a direction gives 0 / 0: keep the divisor above 0 with .clamp_min(1e-12).",
            lambda W: _norms_4(W.T @ W) / _sum_of_squares(W.T @ W),
        ),
        Mistake(
            "1 for a feature that is not stored",
            "a feature without a direction has the dimensionality 0.",
            lambda W: (_norms_4(W.T @ W) / _sum_of_squares(W.T @ W)).nan_to_num(1.0),
        ),
        Mistake(
            "one number for all",
            "expected one number per feature: sum over j only.",
            lambda W: _norms_4(W.T @ W).sum() / _sum_of_squares(W.T @ W).sum(),
        ),
        Mistake(
            "directions instead of features",
            "features are the columns of W: W.T @ W, not W @ W.T.",
            lambda W: feature_dimensionality(W.T),
        ),
    ),
)
