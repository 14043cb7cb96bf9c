"""Exercise 4.5: the full K-composition circuit."""

import torch

from helpers.circuits import k_composition_circuit
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator


def _queries_and_keys_swapped(W_E, W_V, W_O, W_Q, W_K):
    return k_composition_circuit(W_E, W_V, W_O, W_K, W_Q)


def _product(function, given: tuple) -> torch.Tensor:
    """A @ B of the two factors that a function returns."""
    output = function(*given)
    if not isinstance(output, tuple | list) or len(output) != 2:
        raise Wrong("wrong type", "return two factors: (A [query d_head], B [d_head previous]).")
    A, B = output
    if not all(isinstance(factor, torch.Tensor) for factor in (A, B)):
        raise Wrong("wrong type", "both factors are tensors.")
    if A.ndim == B.ndim == 2 and A.shape == B.shape and A.shape[0] != A.shape[1]:
        raise Wrong("second factor not transposed", "the second factor is [d_head previous]: transpose it.")
    if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[0]:
        raise Wrong(
            "wrong shape",
            f"expected [query d_head] and [d_head previous], got {list(A.shape)} and {list(B.shape)}.",
        )
    if A.shape[1] > given[3].shape[1]:
        raise Wrong(
            "not thin",
            f"the inner axis is d_head = {given[3].shape[1]}, got {A.shape[1]}: multiply W_Q and W_K in.",
        )
    return A.detach().float() @ B.detach().float()


def _equals_the_whole_matrix(trial: Trial) -> None:
    """Oracle: every matrix in full, in double precision; no two sizes alike but those of the two heads."""
    W_E = torch.randn(9, 6, generator=generator(0)) + 0.2
    W_V, W_Q, W_K = torch.randn(3, 6, 4, generator=generator(1)).unbind()
    W_O = torch.randn(4, 6, generator=generator(2))
    given = (W_E, W_V, W_O, W_Q, W_K)
    E, V, O, Q, K = (W.double() for W in given)
    expected = (E @ (Q @ K.T) @ (E @ (V @ O)).T).float()
    trial.behaves(lambda f: _product(f, given), expected, "query previous", tolerance=1e-3)


EXERCISE = Exercise(
    id="4.5",
    title="the full K-composition circuit",
    minutes=8,
    difficulty=3,
    hints=(
        "The asking side is an embedding through the later head's W_Q: W_E @ W_Q.",
        "What the earlier head stored of a token is W_E @ W_V @ W_O; as a key it goes through W_K.",
        "Return (W_E @ W_Q, (W_E @ W_V @ W_O @ W_K).T).",
    ),
    reference=k_composition_circuit,
    tests=(_equals_the_whole_matrix,),
    mistakes=(
        Mistake(
            "queries and keys swapped",
            "the stored token is read by the *keys* of the later head: W_Q goes with the plain embedding.",
            _queries_and_keys_swapped,
        ),
        Mistake(
            "earlier head on the query side",
            "this is the Q-composition circuit: here the stored token stands on the key side.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_Q, (W_E @ W_K).T),
        ),
        Mistake(
            "transposed",
            "rows are the tokens that ask, columns the stored ones.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_K, (W_E @ W_Q).T),
        ),
        Mistake(
            "earlier head left out",
            "the key reads what the earlier head stored, W_E W_V W_O, not the embedding itself.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_Q, (W_E @ W_K).T),
        ),
        Mistake(
            "earlier head on both sides",
            "only the key side has the earlier head's store; the query is the plain embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_V @ W_O @ W_Q, (W_E @ W_V @ W_O @ W_K).T),
        ),
        Mistake(
            "embedding added to the store",
            "this circuit is one path: the store alone, without the embedding.",
            lambda W_E, W_V, W_O, W_Q, W_K: (W_E @ W_Q, ((W_E + W_E @ W_V @ W_O) @ W_K).T),
        ),
    ),
)
