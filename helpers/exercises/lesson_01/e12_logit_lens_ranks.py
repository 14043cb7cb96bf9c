"""Exercise 1.12: the logit lens."""

import torch
from torch.nn.functional import layer_norm

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import logit_lens_ranks


def _rank(measure, token):
    return (measure > measure[:, [token]]).sum(dim=-1).float()


def _equals_sorted_positions(trial: Trial) -> None:
    """Oracle: the position of the token in Python's sorted list of logits.

    The logits are multiples of 1/64, exact in every order of summation, and no two are equal:
    neither rounding nor a tie decides about a rank.
    """
    for seed, (layers, d_model, d_vocab, token) in enumerate([(4, 7, 12, 5), (6, 5, 30, 29), (1, 3, 10, 0)]):
        residuals = torch.randint(-9, 10, (layers, d_model), generator=generator(seed)).float()
        W_U = torch.randint(-99, 100, (d_model, d_vocab), generator=generator(seed + 9)) / 64
        logits = (residuals @ W_U).tolist()
        ranks = [sorted(range(d_vocab), key=lambda t: -row[t]).index(token) for row in logits]
        trial.matches((residuals, W_U, token), torch.tensor(ranks).float(), "layer")


def _logits_far_apart_and_close(trial: Trial) -> None:
    """Logits of which a softmax makes ties, and 1500 that are 1/1024 apart, where rounding does."""
    far = torch.tensor([[0.0, 300, 150, 149, -10], [-200, 0, -250, 10, -220]])
    close = [250 + torch.randperm(1500, generator=generator(seed)) / 1024 for seed in range(3)]
    for residuals, W_U, token in [(torch.eye(2), far, 0), (_one_direction_each(), torch.stack(close), 7)]:
        trial.matches((residuals, W_U, token), _rank(residuals @ W_U, token), "layer")


def _one_direction_each() -> torch.Tensor:
    """Streams that are a direction or its opposite, so that each logit is one number of W_U."""
    return torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])


EXERCISE = Exercise(
    id="1.12",
    title="the logit lens",
    minutes=5,
    difficulty=1,
    hints=(
        "Read out every layer's stream with the same matrix: `residuals @ W_U`.",
        "The rank of a token is the number of tokens with a higher logit: compare all logits of a layer with the "
        "token's own, and count.",
    ),
    reference=logit_lens_ranks,
    tests=(_equals_sorted_positions, _logits_far_apart_and_close),
    mistakes=(
        Mistake(
            "counted from 1",
            "the first place is rank 0: count the tokens that are higher, not the token itself.",
            lambda residuals, W_U, token: logit_lens_ranks(residuals, W_U, token) + 1,
        ),
        Mistake(
            "counted from the bottom",
            "these are the tokens with a lower logit; count those with a higher one.",
            lambda residuals, W_U, token: W_U.shape[1] - 1 - logit_lens_ranks(residuals, W_U, token),
        ),
        *(
            Mistake(
                "argsort once",
                "argsort returns the token at each rank; the rank of each token is the inverse of that.",
                lambda residuals, W_U, token, descending=descending: (
                    (residuals @ W_U).argsort(dim=-1, descending=descending)[:, token].float()
                ),
            )
            for descending in (True, False)
        ),
        Mistake(
            "logits, not ranks",
            "these are the logits of the token; its rank is asked for.",
            lambda residuals, W_U, token: (residuals @ W_U)[:, token],
        ),
        Mistake(
            "probabilities, not ranks",
            "these are the probabilities of the token; its rank is asked for.",
            lambda residuals, W_U, token: (residuals @ W_U).softmax(-1)[:, token],
        ),
        Mistake(
            "ties of probabilities",
            "these are ranks among probabilities: a softmax rounds those of low logits to 0. Compare the logits.",
            lambda residuals, W_U, token: _rank((residuals @ W_U).softmax(-1), token),
        ),
        Mistake(
            "residuals summed up",
            "the rows are added up. Each row is the whole stream after a layer already.",
            lambda residuals, W_U, token: _rank(residuals.cumsum(0) @ W_U, token),
        ),
        Mistake(
            "streams centred",
            "this is what centred streams give, as after LayerNorm; here W_U reads the streams as they are.",
            lambda residuals, W_U, token: _rank(layer_norm(residuals, residuals.shape[-1:]) @ W_U, token),
        ),
        Mistake(
            "rounded logits",
            "logits that are close together became equal: compare them in full precision.",
            lambda residuals, W_U, token: _rank((residuals @ W_U).bfloat16(), token),
        ),
        Mistake(
            "absolute logits",
            "the absolute logits are compared; a logit of -9 is lower than one of 1.",
            lambda residuals, W_U, token: _rank((residuals @ W_U).abs(), token),
        ),
        Mistake(
            "the top tokens",
            "this is the token with the highest logit at each layer; the rank of one token is asked for.",
            lambda residuals, W_U, token: (residuals @ W_U).argmax(-1).float(),
        ),
    ),
)
