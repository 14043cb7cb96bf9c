"""Exercise 3.8: the score by singular values."""

import torch

from helpers.composition import alignment, composition_score
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _equals_eigenvectors(trial: Trial) -> None:
    """Oracle: squared singular values and projections from eigenvectors, whose signs drop out."""
    for seed in (0, 1):
        A, B = _inputs(seed)
        values_A, V = torch.linalg.eigh((A.T @ A).double())
        values_B, W = torch.linalg.eigh((B @ B.T).double())
        values_A, V = values_A.flip(0)[:5], V.flip(1)[:, :5]
        values_B, W = values_B.flip(0)[:6], W.flip(1)[:, :6]
        expected = values_A[:, None] * (V.T @ W) ** 2 * values_B / (values_A.sum() * values_B.sum())
        trial.matches((A, B), expected.float(), "output input", tolerance=1e-4)


def _sums_to_the_score_squared(trial: Trial) -> None:
    """The sum over all pairs of directions is the score squared."""
    A, B = _inputs(2)
    total, expected = trial.call(A, B).sum(), composition_score(A, B) ** 2
    if not torch.isclose(total, expected, atol=1e-4):
        raise Wrong(
            "wrong sum",
            f"expected entries that sum to the score squared, {expected:.4f}, got a sum of {total:.4f}.",
        )


def _inputs(seed: int):
    A = torch.randn(5, 8, generator=generator(seed)) * torch.linspace(0.3, 3, 8)
    B = torch.randn(8, 6, generator=generator(seed + 9)) * torch.linspace(2, 0.2, 8)[:, None]
    return A, B


def _variant(weight=torch.square, cosine=torch.square, norm=torch.sum):
    """The reference with another weight of a direction, power of the cosines, or divisor."""

    def answer(W_A, W_B):
        A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
        table = weight(A.S)[:, None] * cosine(A.Vh @ B.U) * weight(B.S)
        return table / (norm(weight(A.S)) * norm(weight(B.S)))

    return answer


def _identity(values):
    return values


EXERCISE = Exercise(
    id="3.8",
    title="the score by singular values",
    minutes=8,
    difficulty=2,
    hints=(
        "`torch.linalg.svd(W_A, full_matrices=False)` gives `U, S, Vh`. The output directions of A are the "
        "rows of its `Vh`; the input directions of B are the columns of its `U`.",
        "`Vh` of A times `U` of B is a table of all cosines: output directions of A × input directions of B.",
        "Square the cosines. Multiply by σ² (a column) and τ² (a row). Divide by Σ σ² · Σ τ².",
    ),
    reference=alignment,
    tests=(_equals_eigenvectors, _sums_to_the_score_squared),
    mistakes=(
        Mistake(
            "not weighted",
            "weight by σ² τ²: directions with large singular values count for more.",
            _variant(weight=torch.ones_like, norm=lambda weights: 1),
        ),
        Mistake(
            "singular values not squared",
            "the Frobenius norm sums squares. Weight by σ² and τ².",
            _variant(weight=_identity),
        ),
        Mistake(
            "not squared",
            "square the entries, so that the table sums to the score squared.",
            _variant(weight=_identity, cosine=_identity, norm=torch.norm),
        ),
        Mistake(
            "divided by its own sum",
            "divide by Σ σ² · Σ τ², not by the sum of the table: it sums to the score squared, not to 1.",
            lambda W_A, W_B: alignment(W_A, W_B) / alignment(W_A, W_B).sum(),
        ),
        Mistake("cosines not squared", "square the cosines.", _variant(cosine=_identity)),
        Mistake("absolute cosines", "square the cosines.", _variant(cosine=torch.abs)),
        Mistake(
            "not divided",
            "divide by Σ σ² · Σ τ², the squared norms.",
            _variant(norm=lambda weights: 1),
        ),
        Mistake(
            "axes transposed",
            "expected [output of A, input of B], got [input of B, output of A]. Swap the two axes.",
            lambda A, B: alignment(A, B).T,
        ),
    ),
)
