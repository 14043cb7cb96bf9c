"""Exercise 2.7: copying by eigenvalues."""

import torch

from helpers.circuits import eigenvalue_copying_score
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _counted(A, B):
    return (torch.linalg.eigvals(B @ A).real > 0).float().mean()


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: the eigenvalues of the whole product, which are those of the small one and zeros."""
    for seed, (d_vocab, d_head) in enumerate(
        [(12, 4), (15, 6), (20, 5)]
    ):  # complex eigenvalues of both signs
        A = torch.randn(d_vocab, d_head, generator=generator(seed))
        B = torch.randn(d_head, d_vocab, generator=generator(seed + 30)) + 0.1 * A.T
        values = torch.linalg.eigvals((A @ B).double())
        trial.matches((A, B), (values.real.sum() / values.abs().sum()).float(), "", tolerance=1e-3)


def _copies_and_erases(trial: Trial) -> None:
    """A circuit that copies scores 1, one that erases -1, and the scale does not matter."""
    A = torch.randn(9, 3, generator=generator(4))
    found = [trial.call(A, A.T), trial.call(A, -A.T), trial.call(5 * A, A.T)]
    if not torch.allclose(
        torch.tensor([float(share) for share in found]), torch.tensor([1.0, -1.0, 1.0]), atol=1e-3
    ):
        raise Wrong(
            "not a share", "a copying circuit should score 1, an erasing one -1, whatever their size."
        )


def _large_matrices(trial: Trial) -> None:
    """Thin factors of a matrix that would not fit."""
    A = torch.randn(400_000, 2, generator=generator(5))
    B = (A * torch.tensor([1.0, -0.5])).T
    trial.matches((A, B), eigenvalue_copying_score(A.double(), B.double()).float(), "", tolerance=1e-2)


EXERCISE = Exercise(
    id="2.7",
    title="copying by eigenvalues",
    minutes=6,
    difficulty=2,
    hints=(
        "The eigenvalues of A B that are not 0 are those of B A, which is only [d_head, d_head].",
        "They are complex: Σ Re λ / Σ |λ|.",
    ),
    reference=eigenvalue_copying_score,
    tests=(_equals_the_full_matrix, _copies_and_erases, _large_matrices),
    mistakes=(
        Mistake(
            "share of their number", "large eigenvalues should count for more: Σ Re λ / Σ |λ|.", _counted
        ),
        Mistake(
            "real parts below",
            "the denominator is the sum of |λ|, with the imaginary parts.",
            lambda A, B: (lambda v: v.real.sum() / v.real.abs().sum())(torch.linalg.eigvals(B @ A)),
        ),
        Mistake(
            "singular values below",
            "these are not eigenvalues: singular values are never negative and know nothing of copying.",
            lambda A, B: torch.linalg.eigvals(B @ A).real.sum() / torch.linalg.svdvals(B @ A).sum(),
        ),
        Mistake(
            "absolute values above",
            "the numerator keeps the signs: Σ Re λ.",
            lambda A, B: (lambda v: v.real.abs().sum() / v.abs().sum())(torch.linalg.eigvals(B @ A)),
        ),
        Mistake(
            "mean, not share",
            "this is a mean of eigenvalues; divide by Σ |λ|.",
            lambda A, B: torch.linalg.eigvals(B @ A).real.mean(),
        ),
        Mistake(
            "symmetric part only",
            "eigvalsh takes the matrix to be symmetric, which it is not: use eigvals.",
            lambda A, B: (lambda v: v.sum() / v.abs().sum())(torch.linalg.eigvalsh(B @ A)),
        ),
        Mistake(
            "sign turned",
            "the sign is turned round: copying is positive.",
            lambda A, B: -eigenvalue_copying_score(A, B),
        ),
    ),
)
