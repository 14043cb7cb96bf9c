"""Exercise 4.5: the full K-composition circuit."""

import torch

from helpers.circuits import k_composition_circuit
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _equals_the_full_matrix(trial: Trial) -> None:
    """Oracle: every matrix multiplied out, in double precision; only the two heads share a size."""
    W_E = torch.randn(9, 6, generator=generator(0)) + 0.2
    W_V, W_Q, W_K = torch.randn(3, 6, 4, generator=generator(1)).unbind()
    W_O = torch.randn(4, 6, generator=generator(2))
    weights = (W_E, W_V, W_O, W_Q, W_K)
    E, V, O, Q, K = (W.double() for W in weights)
    expected = (E @ (Q @ K.T) @ (E @ (V @ O)).T).float()
    trial.behaves(
        lambda circuit: _product(circuit(*weights), d_head=4), expected, "query previous", tolerance=1e-3
    )


def _product(factors, d_head: int) -> torch.Tensor:
    """Return A @ B of two thin factors, or raise ``Wrong``."""
    if not isinstance(factors, tuple | list) or len(factors) != 2:
        raise Wrong("wrong type", "return two factors: (A [query d_head], B [d_head previous]).")
    A, B = factors
    if not all(isinstance(factor, torch.Tensor) for factor in factors):
        kinds = [type(factor).__name__ for factor in factors]
        raise Wrong("wrong type", f"expected two tensors, got {kinds[0]} and {kinds[1]}.")
    if A.ndim == B.ndim == 2 and A.shape == B.shape and A.shape[0] != A.shape[1]:
        raise Wrong(
            "second factor not transposed",
            f"expected a second factor [d_head previous], got {list(B.shape)}. Transpose it.",
        )
    if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[0]:
        raise Wrong(
            "wrong shape",
            f"expected [query d_head] and [d_head previous], got {list(A.shape)} and {list(B.shape)}.",
        )
    if A.shape[1] > d_head:
        raise Wrong(
            "not thin",
            f"expected an inner axis of length d_head = {d_head}, got {A.shape[1]}. "
            "Multiply W_Q into the first factor and W_K into the second.",
        )
    return A.detach().float() @ B.detach().float()


EXERCISE = Exercise(
    id="4.5",
    title="the full K-composition circuit",
    minutes=8,
    difficulty=3,
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
            "embedding added to the store",
            "this circuit is one path. Take the earlier head's output alone, without the embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_Q, ((W_E + W_E @ W_V @ W_O) @ W_K).T),
        ),
    ),
)
