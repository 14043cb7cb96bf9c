"""Exercise 3.6: embedding and position against the ports of a layer."""

import torch

from helpers.composition import port_scores
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _queries_and_keys_swapped(source, W_Q, W_K, W_V, W_O):
    return port_scores(source, W_K, W_Q, W_V, W_O)


def _of_matrices(source, matrices):
    """[port, head] scores of a source with explicit matrices."""
    rows = [
        [(source @ M).norm() / (source.norm() * M.norm()) for M in matrices_of_port]
        for matrices_of_port in matrices
    ]
    return torch.tensor(rows)


def _equals_single_scores(trial: Trial) -> None:
    """Oracle: every head and port by itself, in double precision."""
    source = torch.randn(11, 6, generator=generator(0)) * torch.linspace(0.2, 3, 6) + 0.3
    W_Q, W_K, W_V = (torch.randn(4, 6, 3, generator=generator(n)) for n in (1, 2, 3))
    W_O = torch.randn(4, 3, 6, generator=generator(4)) * torch.linspace(0.5, 2, 6)
    Q, K, V, O = (W.double() for W in (W_Q, W_K, W_V, W_O))
    matrices = [
        [Q[h] @ K[h].T for h in range(4)],
        [K[h] @ Q[h].T for h in range(4)],
        [V[h] @ O[h] for h in range(4)],
    ]
    expected = _of_matrices(source.double(), matrices)
    trial.matches((source, W_Q, W_K, W_V, W_O), expected, "port head", tolerance=1e-4)


EXERCISE = Exercise(
    id="3.6",
    title="a source against every port",
    minutes=6,
    difficulty=2,
    hints=(
        "composition_score(source, reading_matrix(port, W_Q[h], W_K[h], W_V[h], W_O[h])) is one entry.",
        "Two loops, over the ports Q, K, V in this order and over the heads; torch.stack makes a [port, head] table.",
    ),
    reference=port_scores,
    tests=(_equals_single_scores,),
    mistakes=(
        Mistake(
            "queries and keys swapped",
            "row 0 belongs to the query side, W_Q W_Kᵀ, and row 1 to the key side, W_K W_Qᵀ.",
            _queries_and_keys_swapped,
        ),
        Mistake(
            "heads first",
            "expected [port, head]; the two are swapped.",
            lambda source, Q, K, V, O: port_scores(source, Q, K, V, O).T,
        ),
        Mistake(
            "half a circuit",
            "a port multiplies by both matrices of its circuit (W_Q W_Kᵀ, W_K W_Qᵀ, W_V W_O), not by W_Q, W_K or W_V alone.",
            lambda source, Q, K, V, O: _of_matrices(source, [Q, K, V]),
        ),
        Mistake(
            "not divided by the source",
            "divide by the norm of the source, too.",
            lambda source, Q, K, V, O: port_scores(source, Q, K, V, O) * source.norm(),
        ),
        Mistake(
            "centred",
            "the rows were centred; the score takes the source as it is.",
            lambda source, Q, K, V, O: port_scores(source - source.mean(dim=0), Q, K, V, O),
        ),
        Mistake(
            "squared",
            "these are squared scores.",
            lambda source, Q, K, V, O: port_scores(source, Q, K, V, O) ** 2,
        ),
    ),
)
