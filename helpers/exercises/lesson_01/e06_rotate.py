"""Exercise 1.6: the same model in another basis."""

import torch
from torch import Tensor

from helpers.exercises.comparison import difference
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model
from helpers.residual import rotate

NAMES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")


def _leave(*names):
    """The rotation with some of the weights left as they were."""
    return lambda weights, R: rotate(weights, R) | {name: weights[name] for name in names}


def _logits_stay_and_the_basis_changes(trial: Trial) -> None:
    """The logits stay the same and the embeddings are rotated."""
    model = small_model()
    weights = {name: getattr(model, name).clone() for name in NAMES}
    R = torch.linalg.qr(torch.randn(20, 20, generator=generator(2))).Q
    tokens = torch.arange(16) % 11  # every token and every position
    output = trial.call(dict(weights), R)
    _check_form(output, weights)
    for mistake in trial.exercise.mistakes:
        mistaken = mistake.answer(weights, R)
        if all(difference(output[name], mistaken[name], "row column", 1e-4) is None for name in NAMES):
            raise Wrong(mistake.name, mistake.explanation)
    unchanged = [name for name in NAMES if torch.equal(output[name], weights[name])]
    if unchanged:
        raise Wrong(
            "not all rotated",
            f"left as they were: {', '.join(unchanged)}. Each of the seven writes to the stream or reads from it.",
        )
    for name in ("W_E", "W_U"):
        problem = difference(output[name], rotate(weights, R)[name], "row column", 1e-4)
        if problem:
            raise Wrong(problem.diagnosis, f"{name}: {problem}")
    problem = difference(_logits(output, tokens), _logits(weights, tokens), "pos d_vocab", 1e-3)
    if problem:
        raise Wrong("logits changed", f"the rotated model gives other logits: {problem}")


def _check_form(output, weights: dict[str, Tensor]) -> None:
    """Raise ``Wrong`` unless the output has the names and shapes of the weights."""
    if not isinstance(output, dict):
        raise Wrong("wrong type", f"expected a dict with {', '.join(NAMES)}, got {type(output).__name__}.")
    if set(output) != set(NAMES):
        missing = ", ".join(name for name in NAMES if name not in output) or "none"
        raise Wrong("other weights", f"expected exactly {', '.join(NAMES)}; missing: {missing}.")
    for name in NAMES:
        if getattr(output[name], "shape", None) != weights[name].shape:
            raise Wrong("wrong shape", f"{name} keeps its shape, {list(weights[name].shape)}.")


def _logits(weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Oracle: the formula of the small model, in plain torch."""
    x, p = weights["W_E"][tokens], weights["W_pos"][: len(tokens)]
    future = torch.ones(len(tokens), len(tokens)).triu(1).bool()
    for W_Q, W_K, W_V, W_O in zip(*(weights[name] for name in ("W_Q", "W_K", "W_V", "W_O"))):
        scores = ((x + p) @ W_Q) @ ((x + p) @ W_K).mT / W_Q.shape[-1] ** 0.5
        x = x + (scores.masked_fill(future, -torch.inf).softmax(-1) @ (x @ W_V) @ W_O).sum(0)
    return x @ weights["W_U"]


EXERCISE = Exercise(
    id="1.6",
    title="rotate the whole model",
    minutes=8,
    difficulty=2,
    hints=(
        "What writes to the stream is multiplied by R on the right: rows of `W_E`, `W_pos` and `W_O` are vectors "
        "of the stream, and x becomes x R.",
        "What reads from the stream (`W_Q`, `W_K`, `W_V`, `W_U`) needs Rᵀ on the left, so that the two cancel: "
        "(x R)(Rᵀ W) = x W.",
    ),
    reference=rotate,
    tests=(_logits_stay_and_the_basis_changes,),
    mistakes=(
        Mistake(
            "readers not transposed",
            "what reads from the stream needs Rᵀ: (x R)(Rᵀ W) = x W.",
            lambda weights, R: (
                rotate(weights, R) | {name: R @ weights[name] for name in ("W_Q", "W_K", "W_V", "W_U")}
            ),
        ),
        Mistake("unembedding left out", "W_U reads from the stream, too: Rᵀ W_U.", _leave("W_U")),
        Mistake(
            "positions left out",
            "positions are added to the stream's vectors: rotate W_pos, too.",
            _leave("W_pos"),
        ),
        Mistake("W_O left out", "what the heads write must be rotated, too: W_O R.", _leave("W_O")),
        Mistake("W_V left out", "values are read from the stream: Rᵀ W_V.", _leave("W_V")),
        Mistake(
            "W_Q and W_K left out", "queries and keys are read from the stream: Rᵀ W.", _leave("W_Q", "W_K")
        ),
        Mistake("nothing rotated", "these are the weights as they were.", _leave(*NAMES)),
        Mistake(
            "rotated the other way",
            "this rotates by Rᵀ: what writes to the stream is multiplied by R.",
            lambda weights, R: rotate(weights, R.T),
        ),
    ),
)
