"""Exercise 3.8: the score by singular values."""

import torch

from helpers.composition import alignment
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_eigenvectors(trial: Trial) -> None:
    """Oracle: squared singular values and projections from eigenvectors, whose signs drop out."""
    for A, B in (_inputs(5, 8, 6), _inputs(10, 7, 11), _inputs(6, 6, 6, rank=3)):
        values_A, V = _directions(A.double(), min(A.shape))
        values_B, W = _directions(B.double().T, min(B.shape))
        expected = values_A[:, None] * (V.T @ W) ** 2 * values_B / (values_A.sum() * values_B.sum())
        trial.matches((A, B), expected.float(), "output input", tolerance=1e-4)


def _directions(matrix, n: int):
    """Return the ``n`` largest squared singular values, descending, and their right vectors."""
    values, vectors = torch.linalg.eigh(matrix.T @ matrix)
    return values.clamp(min=0).flip(0)[:n], vectors.flip(1)[:, :n]


def _inputs(rows: int, d_model: int, columns: int, rank: int = 11):
    """Return a writer and a reader whose singular values differ, as do their directions."""
    A = torch.randn(rows, d_model, generator=generator(rows)) * torch.linspace(0.3, 3, d_model)
    B = torch.randn(d_model, columns, generator=generator(20)) * torch.linspace(2, 0.2, d_model)[:, None]
    if rank >= d_model:
        return A, B
    return A[:, :rank] @ A[:rank], B[:, :rank] @ B[:rank]  # like W_V W_O: square, of low rank


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
        "The rest is the formula, with σ² as a column (`[:, None]`) and τ² as a row.",
    ),
    reference=alignment,
    tests=(_equals_eigenvectors,),
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
        Mistake(
            "cosines alone",
            "these are the cosines. Square them, and weight them by σ² τ² / (Σ σ² · Σ τ²).",
            _variant(weight=torch.ones_like, cosine=_identity, norm=lambda weights: 1),
        ),
        Mistake("cosines not squared", "square the cosines.", _variant(cosine=_identity)),
        Mistake("absolute cosines", "square the cosines.", _variant(cosine=torch.abs)),
        Mistake(
            "norms not squared",
            "divide by the squared norms, Σ σ² · Σ τ².",
            _variant(norm=lambda weights: weights.sum().sqrt()),
        ),
        Mistake(
            "one norm only",
            "divide by Σ τ², too.",
            lambda W_A, W_B: alignment(W_A, W_B) * W_B.norm() ** 2,
        ),
        Mistake(
            "the other norm only",
            "divide by Σ σ², too.",
            lambda W_A, W_B: alignment(W_A, W_B) * W_A.norm() ** 2,
        ),
        Mistake(
            "smallest first",
            "order rows and columns by singular value, largest first. torch.linalg.eigh has the smallest first.",
            lambda W_A, W_B: alignment(W_A, W_B).flip(0, 1),
        ),
        Mistake(
            "sums squared",
            "divide by the sums of squares, Σ σ² · Σ τ², not by the squared sums.",
            _variant(norm=lambda weights: weights.sqrt().sum() ** 2),
        ),
        Mistake(
            "not divided",
            "divide by Σ σ² · Σ τ², the squared norms.",
            _variant(norm=lambda weights: 1),
        ),
    ),
)
