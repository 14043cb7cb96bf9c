"""Exercise 3.8: the score seen by singular values."""

import torch

from helpers.composition import alignment, composition_score
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _not_weighted(W_A, W_B):
    A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
    return (A.Vh @ B.U) ** 2


def _other(weight=lambda s: s**2, cosine=lambda c: c**2, divide=True):
    """The reference with another weighting."""

    def answer(W_A, W_B):
        A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
        table = weight(A.S)[:, None] * cosine(A.Vh @ B.U) * weight(B.S)
        return table / (weight(A.S).sum() * weight(B.S).sum()) if divide else table

    return answer


def _not_squared(W_A, W_B):
    A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
    return A.S[:, None] * (A.Vh @ B.U) * B.S / (A.S.norm() * B.S.norm())


def _inputs(seed: int):
    A = torch.randn(5, 8, generator=generator(seed)) * torch.linspace(0.3, 3, 8)
    B = torch.randn(8, 6, generator=generator(seed + 9)) * torch.linspace(2, 0.2, 8)[:, None]
    return A, B


def _equals_eigenvectors(trial: Trial) -> None:
    """Oracle: squared singular values and projections from eigenvectors, which have no sign to get wrong."""
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
    if not torch.isclose(trial.call(A, B).sum(), composition_score(A, B) ** 2, atol=1e-4):
        raise Wrong("wrong sum", "the entries do not sum to the score squared.")


EXERCISE = Exercise(
    id="3.8",
    title="the score by singular values",
    minutes=8,
    difficulty=2,
    hints=(
        "torch.linalg.svd gives U, S, Vh. The output directions of A are the rows of its Vh; the input directions of B the columns of its U.",
        "A.Vh @ B.U holds all cosines. Square them; weight by σ² and τ²; divide by Σ σ² Σ τ².",
    ),
    reference=alignment,
    tests=(_equals_eigenvectors, _sums_to_the_score_squared),
    mistakes=(
        Mistake(
            "not weighted",
            "directions with large singular values carry more: weight by σ² τ².",
            _not_weighted,
        ),
        Mistake(
            "singular values not squared",
            "the Frobenius norm sums squares: weight by σ² and τ².",
            _other(weight=lambda s: s),
        ),
        Mistake(
            "not squared",
            "square the whole entry: the table sums to the score squared.",
            _not_squared,
        ),
        Mistake(
            "divided by its own sum",
            "divide by Σ σ² Σ τ², not by the table's own sum: it sums to the score squared.",
            lambda W_A, W_B: alignment(W_A, W_B) / alignment(W_A, W_B).sum(),
        ),
        Mistake("cosines not squared", "the cosines enter squared.", _other(cosine=lambda c: c)),
        Mistake("absolute cosines", "the cosines enter squared.", _other(cosine=lambda c: c.abs())),
        Mistake("not divided", "divide by Σ σ² Σ τ², the squared norms.", _other(divide=False)),
        Mistake("axes transposed", "expected [output of A, input of B].", lambda A, B: alignment(A, B).T),
    ),
)
