"""Exercise 1.11: the contribution of each component to a logit."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import direct_logit_attribution


def _equals_dot_products(trial: Trial) -> None:
    """Oracle: dot products in double precision; first and last token, a single component."""
    for seed, (count, d_model, d_vocab, token) in enumerate([(3, 7, 10, 5), (6, 5, 11, 0), (1, 3, 5, 4)]):
        components = torch.randn(count, d_model, generator=generator(seed))
        W_U = torch.randn(d_model, d_vocab, generator=generator(seed + 9))
        column = W_U.double()[:, token]
        expected = torch.stack([(component.double() * column).sum() for component in components]).float()
        trial.matches((components, W_U, token), expected, "component", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.11",
    title="direct logit attribution",
    minutes=5,
    difficulty=1,
    hints=(
        "The logit of a token is the final stream times one column of `W_U`.",
        "The stream is a sum of components, so the logit is a sum of dot products: every component with the "
        "token's column of `W_U`.",
    ),
    reference=direct_logit_attribution,
    tests=(_equals_dot_products,),
    mistakes=(
        Mistake(
            "all tokens",
            "the attribution to every token is returned; select the token that is asked for.",
            lambda components, W_U, token: components @ W_U,
        ),
        Mistake(
            "centred logits",
            "the mean over the vocabulary is subtracted; the sum is then no longer the logit.",
            lambda components, W_U, token: components @ (W_U[:, token] - W_U.mean(dim=1)),
        ),
        Mistake(
            "log-probability",
            "a softmax is not linear: log-probabilities of the components do not sum to anything.",
            lambda components, W_U, token: (components @ W_U).log_softmax(-1)[:, token],
        ),
        Mistake(
            "unit direction",
            "the column of W_U is normalised; its length belongs to the logit.",
            lambda components, W_U, token: components @ (W_U[:, token] / W_U[:, token].norm()),
        ),
        Mistake(
            "cosine",
            "these are cosines; the lengths of the components count.",
            lambda components, W_U, token: torch.cosine_similarity(components, W_U[:, token], dim=-1),
        ),
        Mistake(
            "fractions of the logit",
            "these are fractions that sum to 1; contributions to the logit itself are asked for.",
            lambda components, W_U, token: (components @ W_U[:, token]) / (components @ W_U[:, token]).sum(),
        ),
        Mistake(
            "another token",
            "this is the contribution to the logit of token + 1; index W_U by token itself.",
            lambda components, W_U, token: components @ W_U[:, (token + 1) % W_U.shape[1]],
        ),
    ),
)
