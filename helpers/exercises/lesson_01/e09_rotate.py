"""Exercise 1.9: the same model in another basis."""

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import rotate

NAMES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U")


def _turned_back(*names):
    """The rotation with some of the weights rotated by Rᵀ where it should be R, or the reverse."""
    return lambda weights, R: rotate(weights, R) | {name: rotate(weights, R.T)[name] for name in names}


def _two_numbers_of_layers(trial: Trial) -> None:
    """Models of two and of three layers."""
    R = torch.linalg.qr(torch.randn(20, 20, generator=generator(2))).Q
    for n_layers, n_heads in [(2, 3), (3, 2)]:
        _logits_stay_and_the_basis_changes(trial, _random_weights(n_layers, n_heads), R)


def _logits_stay_and_the_basis_changes(trial: Trial, weights: dict[str, Tensor], R: Tensor) -> None:
    """The logits stay the same and the embeddings are rotated."""
    tokens = torch.arange(16) % 11  # every token and every position
    _check_form(trial.call(weights, R), weights)
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


def _random_weights(n_layers: int, n_heads: int, d_model=20, d_head=5) -> dict[str, Tensor]:
    """Random weights of an attention-only model with 11 tokens and 16 positions."""
    reads, writes = (n_layers, n_heads, d_model, d_head), (n_layers, n_heads, d_head, d_model)
    shapes = [(11, d_model), (16, d_model), reads, reads, reads, writes, (d_model, 11)]
    numbers = generator(n_layers)
    return {name: 0.4 * torch.randn(shape, generator=numbers) for name, shape in zip(NAMES, shapes)}


def _check_form(output, weights: dict[str, Tensor]) -> None:
    """Raise ``Wrong`` unless the output has the names and shapes of the weights and all changed."""
    if not isinstance(output, dict):
        raise Wrong("wrong type", f"expected a dict with {', '.join(NAMES)}, got {type(output).__name__}.")
    missing = [name for name in NAMES if name not in output]
    if missing:
        raise Wrong("other weights", f"expected {', '.join(NAMES)}; missing: {', '.join(missing)}.")
    if len(output) > len(NAMES):
        more = [str(name) for name in output if name not in NAMES]
        raise Wrong("other weights", f"expected only {', '.join(NAMES)}; leave out: {', '.join(more)}.")
    for name in NAMES:
        wanted = list(weights[name].shape)
        if not isinstance(output[name], Tensor):
            kind = type(output[name]).__name__
            raise Wrong("wrong type", f"expected {name} to be a tensor of shape {wanted}, got {kind}.")
        if output[name].shape != weights[name].shape:
            shape = list(output[name].shape)
            raise Wrong("wrong shape", f"expected {name} to keep its shape {wanted}, got {shape}.")
    unchanged = [name for name in NAMES if _any_matrix_equal(output[name], weights[name])]
    if unchanged:
        raise Wrong(
            "not all rotated",
            f"left as they were, at least in one layer or head: {', '.join(unchanged)}. "
            "Each of the seven writes to the stream or reads from it.",
        )


def _any_matrix_equal(left: Tensor, right: Tensor) -> bool:
    return bool((left == right).flatten(-2).all(dim=-1).any())


def _logits(weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """Oracle: the formula of the small model, in plain torch."""
    x, p = weights["W_E"][tokens], weights["W_pos"][: len(tokens)]
    future = torch.ones(len(tokens), len(tokens)).triu(1).bool()
    for W_Q, W_K, W_V, W_O in zip(*(weights[name] for name in ("W_Q", "W_K", "W_V", "W_O"))):
        scores = ((x + p) @ W_Q) @ ((x + p) @ W_K).mT / W_Q.shape[-1] ** 0.5
        x = x + (scores.masked_fill(future, -torch.inf).softmax(-1) @ (x @ W_V) @ W_O).sum(0)
    return x @ weights["W_U"]


EXERCISE = Exercise(
    id="1.9",
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
    tests=(_two_numbers_of_layers,),
    mistakes=tuple(
        Mistake(
            f"{' '.join(names)} rotated the other way",
            f"{', '.join(names)}: R and Rᵀ are mixed up. "
            "What writes to the stream becomes W R, what reads from it becomes Rᵀ W.",
            _turned_back(*names),
        )
        for names in (
            NAMES,
            ("W_E", "W_pos", "W_O"),
            ("W_Q", "W_K", "W_V", "W_U"),
            ("W_Q", "W_K", "W_V"),
            ("W_Q", "W_K"),
            ("W_E", "W_pos"),
            *((name,) for name in NAMES),
        )
    ),
)
