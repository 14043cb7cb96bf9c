"""Exercise 1.6: the same model in another basis."""

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator, small_model
from helpers.residual import rotate

NAMES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")


def _turned_back(*names):
    """The rotation with some of the weights rotated by Rᵀ where it should be R, or the reverse."""
    return lambda weights, R: rotate(weights, R) | {name: rotate(weights, R.T)[name] for name in names}


def _logits_stay_and_the_basis_changes(trial: Trial) -> None:
    """The logits stay the same and the embeddings are rotated."""
    model = small_model()
    weights = {name: getattr(model, name).clone() for name in NAMES}
    R = torch.linalg.qr(torch.randn(20, 20, generator=generator(2))).Q
    tokens = torch.arange(16) % 11  # every token and every position
    output = trial.call(weights, R)
    _check_form(output, weights)
    unchanged = [name for name in NAMES if torch.equal(output[name], weights[name])]
    if unchanged:
        raise Wrong(
            "not all rotated",
            f"left as they were: {', '.join(unchanged)}. Each of the seven writes to the stream or reads from it.",
        )
    expected = rotate(weights, R)
    trial.behaves(lambda answer: answer(weights, R)["W_E"], expected["W_E"], "token d_model", 1e-4, "W_E")
    trial.behaves(lambda answer: answer(weights, R)["W_U"], expected["W_U"], "d_model token", 1e-4, "W_U")
    trial.behaves(
        lambda answer: _logits(answer(weights, R), tokens),
        _logits(weights, tokens),
        "pos d_vocab",
        1e-3,
        "logits of the rotated model",
    )


def _check_form(output, weights: dict[str, Tensor]) -> None:
    """Raise ``Wrong`` unless the output has the names and shapes of the weights."""
    if not isinstance(output, dict):
        raise Wrong("wrong type", f"expected a dict with {', '.join(NAMES)}, got {type(output).__name__}.")
    missing = [name for name in NAMES if name not in output]
    if missing:
        raise Wrong("other weights", f"expected {', '.join(NAMES)}; missing: {', '.join(missing)}.")
    for name in NAMES:
        wanted = list(weights[name].shape)
        if not isinstance(output[name], Tensor):
            kind = type(output[name]).__name__
            raise Wrong("wrong type", f"expected {name} to be a tensor of shape {wanted}, got {kind}.")
        if output[name].shape != weights[name].shape:
            shape = list(output[name].shape)
            raise Wrong("wrong shape", f"expected {name} to keep its shape {wanted}, got {shape}.")


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
    mistakes=tuple(
        Mistake(
            f"{' '.join(names)} rotated the other way",
            f"{', '.join(names)}: R and Rᵀ are mixed up. "
            "What writes to the stream becomes W R, what reads from it becomes Rᵀ W.",
            _turned_back(*names),
        )
        for names in (
            NAMES,
            ("W_Q", "W_K", "W_V", "W_U"),
            ("W_Q", "W_K", "W_V"),
            ("W_Q", "W_K"),
            ("W_E", "W_pos"),
            *((name,) for name in NAMES),
        )
    ),
)
