"""Exercise 4.5: the full K-composition circuit."""

from functools import partial

import torch

from helpers.circuits import k_composition_circuit
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: every matrix multiplied out, in double precision; tall and wide embeddings."""
    for d_vocab, d_model, d_head in [(11, 7, 5), (6, 8, 3)]:
        W_E = torch.randn(d_vocab, d_model, generator=generator(0)) + 0.2
        W_V, W_Q, W_K = torch.randn(3, d_model, d_head, generator=generator(1))
        weights = (W_E, W_V, torch.randn(d_head, d_model, generator=generator(2)), W_Q, W_K)
        E, V, O, Q, K = (W.double() for W in weights)
        expected = (E @ (Q @ K.T) @ (E @ (V @ O)).T).float()
        trial.matches(
            weights, expected, "query previous", 1e-3, partial(_product, d_vocab=d_vocab, d_head=d_head)
        )


def _product(factors, d_vocab: int, d_head: int) -> torch.Tensor:
    """Return A @ B of two thin factors, or raise ``Wrong``."""
    if not isinstance(factors, tuple | list) or len(factors) != 2:
        received = f"{len(factors)} of them" if isinstance(factors, tuple | list) else type(factors).__name__
        raise Wrong(
            "wrong type",
            f"expected two factors, A [query d_head] and B [d_head previous], got {received}.",
        )
    if not all(isinstance(factor, torch.Tensor) for factor in factors):
        kinds = [type(factor).__name__ for factor in factors]
        raise Wrong("wrong type", f"expected two tensors, got {kinds[0]} and {kinds[1]}.")
    A, B = (list(factor.shape) for factor in factors)
    if A == B == [d_vocab, d_head]:
        raise Wrong(
            "second factor not transposed",
            f"expected a second factor [d_head previous], got {B}. Transpose it.",
        )
    if len(A) == len(B) == 2 and A[1] == B[0] > d_head:
        raise Wrong(
            "not thin",
            f"expected an inner axis of length d_head = {d_head}, got {A[1]}. "
            "Multiply W_Q into the first factor and W_K into the second.",
        )
    wanted = [d_vocab, d_head], [d_head, d_vocab]
    if wanted != (A, B):
        raise Wrong(
            "wrong shape",
            f"expected factors [query d_head] = {wanted[0]} and [d_head previous] = {wanted[1]}, "
            f"got {A} and {B}.",
        )
    return factors[0].float() @ factors[1].float()


EXERCISE = Exercise(
    id="4.5",
    title="the full K-composition circuit",
    minutes=6,
    difficulty=2,
    hints=(
        "The parentheses of the formula show where the two factors part.",
        "The query side is the embedding, multiplied by the later head's `W_Q`.",
        "The earlier head writes `W_E @ W_V @ W_O`, one row per token. The later head's `W_K` makes keys of "
        "these rows, and the second factor holds the keys as columns.",
    ),
    reference=k_composition_circuit,
    tests=(_equals_the_full_matrix,),
    mistakes=(
        Mistake(
            "queries and keys swapped",
            "the later head's *keys* read the earlier head's output. W_Q goes with the plain embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: k_composition_circuit(W_E, W_V, W_O, W_K, W_Q),
        ),
        Mistake(
            "earlier head on the query side",
            "this is the Q-composition circuit. The earlier head's output belongs on the key side.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_Q, (W_E @ W_K).T),
        ),
        Mistake(
            "transposed",
            "rows are the tokens at the query, columns the tokens before the key. Swap the factors.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_K, (W_E @ W_Q).T),
        ),
        Mistake(
            "reshape in place of transpose",
            "reshape keeps the order of the numbers: its rows are not the columns of the matrix. Use .T.",
            lambda W_E, W_V, W_O, W_Q, W_K: (
                W_E @ W_Q,
                (W_E @ W_V @ W_O @ W_K).reshape(W_K.shape[1], -1),
            ),
        ),
        Mistake(
            "earlier head left out",
            "the keys read the earlier head's output, W_E W_V W_O, not the embedding itself.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_Q, (W_E @ W_K).T),
        ),
        Mistake(
            "earlier head on both sides",
            "only the key side reads the earlier head's output. The query side reads the plain embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_Q, (W_E @ W_V @ W_O @ W_K).T),
        ),
        Mistake(
            "embedding added to the head output",
            "this circuit is one path. Take the earlier head's output alone, without the embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_Q, ((W_E + W_E @ W_V @ W_O) @ W_K).T),
        ),
    ),
)
