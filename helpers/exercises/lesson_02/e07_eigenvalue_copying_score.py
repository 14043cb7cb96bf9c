"""Exercise 2.7: copying by eigenvalues."""

from functools import partial

import torch

from helpers.circuits import eigenvalue_copying_score
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _variant(
    A,
    B,
    numerator=lambda values: values.real.sum(),
    denominator=lambda values: values.abs().sum(),
    eigenvalues=torch.linalg.eigvals,
):
    """The score with another numerator, denominator or kind of eigenvalues."""
    values = eigenvalues(B @ A)
    return numerator(values) / denominator(values)


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: the eigenvalues of the whole product, which are those of the small one and zeros."""
    for seed, (d_vocab, d_head, own) in enumerate(
        [(12, 4, 0.1), (15, 6, -0.2), (20, 5, -0.1), (11, 3, -0.3)]
    ):
        A = torch.randn(d_vocab, d_head, generator=generator(seed))
        B = torch.randn(d_head, d_vocab, generator=generator(seed + 30)) + own * A.T
        values = torch.linalg.eigvals((A @ B).double())  # complex, with real parts of both signs
        trial.matches((A, B), (values.real.sum() / values.abs().sum()).float(), "", tolerance=1e-3)


def _copies_and_erases(trial: Trial) -> None:
    """A circuit that copies scores 1, one that erases -1, and the scale does not matter."""
    A = torch.randn(9, 3, generator=generator(4))
    for factors, score in [((A, A.T), 1.0), ((A, -A.T), -1.0), ((5 * A, A.T), 1.0)]:
        trial.matches(factors, torch.tensor(score), "", tolerance=1e-3)


def _large_matrices(trial: Trial) -> None:
    """Thin factors of a matrix too large for memory."""
    A = torch.randn(400_000, 2, generator=generator(5))
    B = (A * torch.tensor([1.0, -0.5])).T
    trial.matches((A, B), eigenvalue_copying_score(A.double(), B.double()).float(), "", tolerance=1e-2)


EXERCISE = Exercise(
    id="2.7",
    title="copying by eigenvalues",
    minutes=6,
    difficulty=2,
    hints=(
        "The nonzero eigenvalues of A B are those of B A, which is only [d_head, d_head].",
        "They are complex numbers: divide the sum of their real parts by the sum of their absolute values.",
    ),
    reference=eigenvalue_copying_score,
    tests=(_equals_the_full_matrix, _copies_and_erases, _large_matrices),
    mistakes=(
        Mistake(
            "share of their number",
            "large eigenvalues should count for more: Σ Re λ / Σ |λ|.",
            partial(_variant, numerator=lambda values: (values.real > 0).sum(), denominator=len),
        ),
        Mistake(
            "real parts below",
            "the denominator is the sum of |λ|, with the imaginary parts.",
            partial(_variant, denominator=lambda values: values.real.abs().sum()),
        ),
        Mistake(
            "singular values below",
            "the denominator holds singular values. Divide by the sum of |λ|.",
            lambda A, B: torch.linalg.eigvals(B @ A).real.sum() / torch.linalg.svdvals(B @ A).sum(),
        ),
        Mistake(
            "absolute values above",
            "the numerator keeps the signs: Σ Re λ.",
            partial(_variant, numerator=lambda values: values.real.abs().sum()),
        ),
        Mistake(
            "mean, not share",
            "this is a mean of eigenvalues; divide by Σ |λ|.",
            partial(_variant, denominator=len),
        ),
        Mistake("not divided", "divide by Σ |λ|.", partial(_variant, denominator=lambda values: 1)),
        Mistake(
            "symmetric part only",
            "eigvalsh is for symmetric matrices, and this one is not symmetric: use eigvals.",
            partial(_variant, eigenvalues=torch.linalg.eigvalsh),
        ),
    ),
)
