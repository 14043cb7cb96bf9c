"""Exercise 1.9: the logit lens."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import logit_lens_ranks


def _counted_from_one(residuals, W_U, token):
    logits = residuals @ W_U
    return (logits >= logits[:, [token]]).sum(dim=-1).float()


def _equals_sorted_places(trial: Trial) -> None:
    """Oracle: the place of the token in Python's sorted list of logits."""
    for seed, (layers, d_model, d_vocab, token) in enumerate([(4, 7, 12, 5), (6, 5, 30, 17)]):
        residuals = torch.randn(layers, d_model, generator=generator(seed))
        W_U = torch.randn(d_model, d_vocab, generator=generator(seed + 9))
        logits = (residuals @ W_U).tolist()
        places = [sorted(range(d_vocab), key=lambda t: -row[t]).index(token) for row in logits]
        trial.matches((residuals, W_U, token), torch.tensor(places).float(), "layer")


EXERCISE = Exercise(
    id="1.9",
    title="the logit lens",
    minutes=5,
    difficulty=1,
    hints=(
        "Read every layer's stream out with the same W_U: residuals @ W_U.",
        "The rank of a token is the number of tokens with a higher logit.",
    ),
    reference=logit_lens_ranks,
    tests=(_equals_sorted_places,),
    mistakes=(
        Mistake(
            "counted from 1",
            "the first place is rank 0: count the tokens that are higher, not the token itself.",
            _counted_from_one,
        ),
        Mistake(
            "counted from the bottom",
            "these are the tokens with a lower logit.",
            lambda residuals, W_U, token: W_U.shape[1] - _counted_from_one(residuals, W_U, token),
        ),
        Mistake(
            "argsort once",
            "argsort gives which token stands at a place; the place of a token is its inverse.",
            lambda residuals, W_U, token: (
                (residuals @ W_U).argsort(dim=-1, descending=True)[:, token].float()
            ),
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
            "this is the token that is first at each layer; the rank of one token is asked for.",
            lambda residuals, W_U, token: (residuals @ W_U).argmax(-1).float(),
        ),
    ),
)
