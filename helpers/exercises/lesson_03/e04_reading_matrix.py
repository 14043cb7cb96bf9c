"""Exercise 3.4: which matrix goes where."""

import torch

from helpers.composition import composition_score, reading_matrix
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model


def _query_side_for_keys(port, W_Q, W_K, W_V, W_O):
    return {"Q": W_Q @ W_K.T, "K": W_Q @ W_K.T, "V": W_V @ W_O}[port]


def _other(**matrices):
    """The reference with another matrix for some ports."""

    def answer(port, W_Q, W_K, W_V, W_O):
        if port in matrices:
            return matrices[port](W_Q, W_K, W_V, W_O)
        return reading_matrix(port, W_Q, W_K, W_V, W_O)

    return answer


def _equals_what_the_port_multiplies(trial: Trial) -> None:
    """Oracle: what each side of the score and the store multiply a row by, from products with single vectors."""
    W_Q, W_K, W_V = torch.randn(3, 7, 3, generator=generator(0)).unbind()
    W_O = torch.randn(3, 7, generator=generator(1))
    basis = torch.eye(7)
    expected = {
        "Q": torch.tensor([[((x @ W_Q) * (y @ W_K)).sum() for y in basis] for x in basis]),
        "K": torch.tensor([[((y @ W_Q) * (x @ W_K)).sum() for y in basis] for x in basis]),
        "V": torch.stack([(x @ W_V) @ W_O for x in basis]),
    }
    for port in ("Q", "K", "V"):
        trial.matches((port, W_Q, W_K, W_V, W_O), expected[port], "d_model d_model")


def _equals_transformer_lens(trial: Trial) -> None:
    """Oracle: TransformerLens's scores of all pairs, on a model."""
    model = small_model()
    for port in ("Q", "K", "V"):
        theirs = model.all_composition_scores(port).scores
        for writer, reader in [(0, 1), (2, 0)]:
            reads = trial.call(port, *(getattr(model, f"W_{x}")[1, reader] for x in "QKVO"))
            score = composition_score(model.W_V[0, writer] @ model.W_O[0, writer], reads)
            if not torch.isclose(score, theirs[0, writer, 1, reader], atol=1e-4):
                raise Wrong("other scores", f"{port}-composition differs from TransformerLens's.")


EXERCISE = Exercise(
    id="3.4",
    title="which matrix goes where",
    minutes=6,
    difficulty=2,
    hints=(
        "A row x enters the score on the query side as x W_Q W_Kᵀ yᵀ: what multiplies x from the right?",
        "On the key side it enters as y W_Q W_Kᵀ xᵀ, which is x W_K W_Qᵀ yᵀ.",
    ),
    reference=reading_matrix,
    tests=(_equals_what_the_port_multiplies, _equals_transformer_lens),
    mistakes=(
        Mistake(
            "key side not transposed",
            "keys read the stream by W_K: the matrix is W_K W_Qᵀ, the transpose of W_Q W_Kᵀ.",
            _query_side_for_keys,
        ),
        Mistake(
            "query and key side swapped",
            "queries read the stream by W_Q: W_Q W_Kᵀ.",
            _other(Q=lambda Q, K, V, O: K @ Q.T, K=lambda Q, K, V, O: Q @ K.T),
        ),
        Mistake(
            "OV transposed",
            "values read the stream by W_V: the matrix is W_V W_O.",
            _other(V=lambda Q, K, V, O: (V @ O).T),
        ),
        Mistake(
            "half a circuit",
            "W_Q W_Qᵀ compares queries with queries; a score compares a query with a key.",
            _other(Q=lambda Q, K, V, O: Q @ Q.T, K=lambda Q, K, V, O: K @ K.T),
        ),
        Mistake(
            "scaled",
            "the matrix alone is asked for: leave out √d_head, which the score would not notice.",
            lambda port, W_Q, *w: reading_matrix(port, W_Q, *w) / (1 if port == "V" else W_Q.shape[1] ** 0.5),
        ),
        Mistake(
            "value of the score",
            "values go through W_V and W_O; W_Q and W_K take no part.",
            _other(V=lambda Q, K, V, O: V @ K.T),
        ),
    ),
)
