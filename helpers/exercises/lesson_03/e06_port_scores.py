"""Exercise 3.6: embedding and position against the ports of a layer."""

import torch

from helpers.composition import port_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: every head and port by itself; sources are tall, wide, square, of low rank."""
    tall, wide, square = (torch.randn(rows, 7, generator=generator(rows)) + 0.3 for rows in (11, 4, 7))
    weights = [torch.randn(5, 7, 3, generator=generator(n)) for n in (1, 2, 3)]
    weights.append(torch.randn(5, 3, 7, generator=generator(4)) * torch.linspace(0.5, 2, 7))
    Q, K, V, O = (W.double() for W in weights)
    for source in (tall * torch.linspace(0.2, 3, 7), wide, square, tall[:, :2] @ tall[:2]):
        expected = _scores_with(source.double(), [Q @ K.mT, K @ Q.mT, V @ O])
        trial.matches((source, *weights), expected, "port head", tolerance=1e-4)


def _scores_with(source, matrices):
    """Scores [port, head] of a source with explicit matrices."""
    rows = [
        [(source @ M).norm() / (source.norm() * M.norm()) for M in matrices_of_port]
        for matrices_of_port in matrices
    ]
    return torch.tensor(rows)


EXERCISE = Exercise(
    id="3.6",
    title="a source against every port",
    minutes=6,
    difficulty=2,
    hints=(
        'Call `composition_score` and `reading_matrix` in two loops: over the ports "q", "k", "v" '
        "in this order, and over the heads.",
        "One entry is the composition score of the source with the reading matrix of a port, which takes the "
        "weights of one head.",
        "`torch.stack` makes a table [port, head] of the scores. (With a source of 50,000 rows it pays to "
        "replace the source by the `R` of its QR decomposition, which has the same norms after any product.)",
    ),
    reference=port_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "queries and keys swapped",
            "row 0 belongs to the query side, W_Q W_Kᵀ, and row 1 to the key side, W_K W_Qᵀ.",
            lambda source, Q, K, V, O: port_scores(source, K, Q, V, O),
        ),
        Mistake(
            "half a circuit",
            "a port multiplies by both matrices of its circuit (W_Q W_Kᵀ, W_K W_Qᵀ or W_V W_O), "
            "not by W_Q, W_K or W_V alone.",
            lambda source, Q, K, V, O: _scores_with(source, [Q, K, V]),
        ),
        Mistake(
            "not divided by the source",
            "divide by the norm of the source, too.",
            lambda source, *weights: port_scores(source, *weights) * source.norm(),
        ),
        Mistake(
            "centred",
            "this is the score of the source with its mean row subtracted. Take the source as it is.",
            lambda source, *weights: port_scores(source - source.mean(dim=0), *weights),
        ),
        Mistake(
            "squared",
            "these are squared scores. Take the root.",
            lambda *arguments: port_scores(*arguments) ** 2,
        ),
    ),
)
