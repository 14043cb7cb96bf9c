"""Exercise 1.9: the logit lens."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import logit_lens_ranks


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


EXERCISE = Exercise(
    id="1.9",
    title="the logit lens",
    minutes=5,
    difficulty=1,
    hints=(
        "Read out every layer's stream with the same matrix: `residuals @ W_U`.",
        "The rank of a token is the number of tokens with a higher logit: compare all logits of a layer with the "
        "token's own, and count.",
    ),
    reference=logit_lens_ranks,
    tests=(_equals_sorted_positions,),
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
            "the top tokens",
            "this is the token with the highest logit at each layer; the rank of one token is asked for.",
            lambda residuals, W_U, token: (residuals @ W_U).argmax(-1).float(),
        ),
    ),
)
