"""Exercise 1.6: the same model in another basis."""

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong, difference
from helpers.exercises.inputs import generator, small_model
from helpers.residual import rotate

NAMES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")


def _readers_not_transposed(weights, R):
    writers = {name: weights[name] @ R for name in ("W_E", "W_pos", "W_O")}
    return writers | {name: R @ weights[name] for name in ("W_Q", "W_K", "W_V", "W_U")}


def _keep(*names):
    """The rotation with some of the weights left as they were."""
    return lambda weights, R: rotate(weights, R) | {name: weights[name] for name in names}


def _logits(weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Oracle: the formula of the small model, in plain torch."""
    x, p = weights["W_E"][tokens], weights["W_pos"][: len(tokens)]
    future = torch.ones(len(tokens), len(tokens)).triu(1).bool()
    for W_Q, W_K, W_V, W_O in zip(*(weights[name] for name in ("W_Q", "W_K", "W_V", "W_O"))):
        scores = ((x + p) @ W_Q) @ ((x + p) @ W_K).mT / W_Q.shape[-1] ** 0.5
        x = x + (scores.masked_fill(future, -torch.inf).softmax(-1) @ (x @ W_V) @ W_O).sum(0)
    return x @ weights["W_U"]


def _logits_stay_and_the_basis_changes(trial: Trial) -> None:
    """Every weight is where the rotated model needs it: the logits stay, the embeddings are rotated."""
    model = small_model()
    weights = {name: getattr(model, name).clone() for name in NAMES}
    R = torch.linalg.qr(torch.randn(20, 20, generator=generator(2))).Q
    tokens = torch.arange(16) % 11  # every token and every position
    output = trial.call(dict(weights), R)
    if not isinstance(output, dict):
        raise Wrong("wrong type", f"expected a dict with {', '.join(NAMES)}, got {type(output).__name__}.")
    if set(output) != set(NAMES):
        lacking = ", ".join(name for name in NAMES if name not in output) or "none"
        raise Wrong("other weights", f"return exactly {', '.join(NAMES)}; missing here: {lacking}.")
    for name in NAMES:
        if getattr(output[name], "shape", None) != weights[name].shape:
            raise Wrong("wrong shape", f"{name} keeps its shape, {list(weights[name].shape)}.")
    for mistake in trial.exercise.mistakes:
        theirs = mistake.answer(weights, R)
        if all(difference(output[name], theirs[name], "row column", 1e-4) is None for name in NAMES):
            raise Wrong(mistake.name, mistake.explanation)
    kept = [name for name in NAMES if torch.equal(output[name], weights[name])]
    if kept:
        raise Wrong(
            "not all rotated",
            f"left as they were: {', '.join(kept)}. Each of the seven writes to the stream or reads from it.",
        )
    for name in ("W_E", "W_U"):
        problem = difference(output[name], rotate(weights, R)[name], "row column", 1e-4)
        if problem:
            raise Wrong(problem.diagnosis, f"{name}: {problem}")
    problem = difference(_logits(output, tokens), _logits(weights, tokens), "pos d_vocab", 1e-3)
    if problem:
        raise Wrong("logits changed", f"the rotated model gives other logits: {problem}")


EXERCISE = Exercise(
    id="1.6",
    title="rotate the whole model",
    minutes=8,
    difficulty=2,
    hints=(
        "Rows of W_E, W_pos and W_O are vectors of the residual stream: they become W @ R.",
        "Columns of W_Q, W_K, W_V and W_U are what is read from it: R.T @ W, so that (x R)(Rᵀ W) = x W.",
    ),
    reference=rotate,
    tests=(_logits_stay_and_the_basis_changes,),
    mistakes=(
        Mistake(
            "readers not transposed",
            "what reads the stream needs Rᵀ: (x R)(Rᵀ W) = x W.",
            _readers_not_transposed,
        ),
        Mistake("unembedding left out", "W_U reads the stream too: Rᵀ W_U.", _keep("W_U")),
        Mistake(
            "positions left out",
            "positions are added to the stream's vectors: rotate W_pos too.",
            _keep("W_pos"),
        ),
        Mistake("W_O left out", "what the heads write must be rotated too: W_O R.", _keep("W_O")),
        Mistake("W_V left out", "values are read from the stream: Rᵀ W_V.", _keep("W_V")),
        Mistake(
            "W_Q and W_K left out", "queries and keys are read from the stream: Rᵀ W.", _keep("W_Q", "W_K")
        ),
        Mistake("nothing rotated", "these are the weights as they were.", _keep(*NAMES)),
        Mistake(
            "rotated the other way",
            "this rotates by Rᵀ: writers are multiplied by R.",
            lambda weights, R: rotate(weights, R.T),
        ),
    ),
)
