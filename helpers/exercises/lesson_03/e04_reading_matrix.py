"""Exercise 3.4: which matrix goes where."""

import torch

from helpers.components import PORTS
from helpers.composition import composition_score, reading_matrix
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator, small_model


def _equals_single_products(trial: Trial) -> None:
    """Oracle: both sides of the attention score, and the head output, for single basis vectors."""
    W_Q, W_K, W_V = torch.randn(3, 7, 3, generator=generator(0)).unbind()
    W_O = torch.randn(3, 7, generator=generator(1))
    basis = torch.eye(7)
    expected = {
        "q": torch.tensor([[((x @ W_Q) * (y @ W_K)).sum() for y in basis] for x in basis]),
        "k": torch.tensor([[((y @ W_Q) * (x @ W_K)).sum() for y in basis] for x in basis]),
        "v": torch.stack([(x @ W_V) @ W_O for x in basis]),
    }
    for port in PORTS:
        trial.matches((port, W_Q, W_K, W_V, W_O), expected[port], "d_model d_model")


def _equals_transformer_lens(trial: Trial) -> None:
    """Oracle: TransformerLens's scores of all pairs of heads, on a model."""
    model = small_model()
    W_OV = model.W_V[0, 0] @ model.W_O[0, 0]
    for port in PORTS:
        expected = model.all_composition_scores(port.upper()).scores[0, 0, 1]
        weights = [[getattr(model, f"W_{name}")[1, head] for name in "QKVO"] for head in range(3)]

        def scores(function, port=port, weights=weights):
            matrices = [function(port, *weights_of_head) for weights_of_head in weights]
            return torch.stack([composition_score(W_OV, matrix) for matrix in matrices])

        trial.behaves(scores, expected, "receiver", 1e-4, f"TransformerLens's {port.upper()}-composition")


def _with_ports(**matrices):
    """The reference with another matrix, a function of the four weights, for some ports."""

    def answer(port, *weights):
        return matrices[port](*weights) if port in matrices else reading_matrix(port, *weights)

    return answer


EXERCISE = Exercise(
    id="3.4",
    title="which matrix goes where",
    minutes=6,
    difficulty=2,
    hints=(
        "With row x at the query and row y at the key, the score is x W_Q W_Kᵀ yᵀ. "
        "Which matrix stands to the right of x?",
        "The score is a number, so it equals its transpose. "
        "Transpose the product: which matrix stands to the right of y?",
        "At the values a row goes through both matrices of the OV circuit.",
    ),
    reference=reading_matrix,
    tests=(_equals_single_products, _equals_transformer_lens),
    mistakes=(
        Mistake(
            "key side not transposed",
            "keys read the stream by W_K: the matrix is W_K W_Qᵀ, the transpose of W_Q W_Kᵀ.",
            _with_ports(k=lambda Q, K, V, O: Q @ K.T),
        ),
        Mistake(
            "query and key side swapped",
            "queries read the stream by W_Q: the matrix is W_Q W_Kᵀ.",
            _with_ports(q=lambda Q, K, V, O: K @ Q.T, k=lambda Q, K, V, O: Q @ K.T),
        ),
        Mistake(
            "OV transposed",
            "values read the stream by W_V: the matrix is W_V W_O.",
            _with_ports(v=lambda Q, K, V, O: (V @ O).T),
        ),
        Mistake(
            "half a circuit",
            "W_Q W_Qᵀ compares queries with queries. A score compares a query with a key.",
            _with_ports(q=lambda Q, K, V, O: Q @ Q.T, k=lambda Q, K, V, O: K @ K.T),
        ),
        Mistake(
            "scaled",
            "leave out √d_head. It belongs to attention scores; the composition score does not depend on it.",
            lambda port, W_Q, *weights: (
                reading_matrix(port, W_Q, *weights) / (1 if port == "v" else W_Q.shape[1] ** 0.5)
            ),
        ),
        Mistake(
            "value of the score",
            "values go through W_V and W_O, not through W_Q or W_K.",
            _with_ports(v=lambda Q, K, V, O: V @ K.T),
        ),
    ),
)
