"""Exercise 1.8: what each part of the stream adds to a logit."""

import torch
from einops import einsum

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.residual import direct_logit_attribution


def _all_tokens(parts, W_U, token):
    return parts @ W_U


def _equals_dot_products(trial: Trial) -> None:
    """Oracle: dot products in double precision; and the sum over the parts is the logit."""
    for seed, (components, d_model, d_vocab, token) in enumerate([(4, 7, 9, 5), (6, 5, 11, 2)]):
        parts = torch.randn(components, d_model, generator=generator(seed))
        W_U = torch.randn(d_model, d_vocab, generator=generator(seed + 9))
        column = W_U.double()[:, token]
        expected = torch.stack([(part.double() * column).sum() for part in parts]).float()
        trial.matches((parts, W_U, token), expected, "component", tolerance=1e-4)
        logit = einsum(parts.sum(0), W_U, "d_model, d_model d_vocab -> d_vocab")[token]
        if not torch.isclose(trial.call(parts, W_U, token).sum(), logit, atol=1e-3):
            raise Wrong("parts do not sum", "the sum over the parts is not the logit.")


EXERCISE = Exercise(
    id="1.8",
    title="direct logit attribution",
    minutes=5,
    difficulty=1,
    hints=(
        "The logit of a token is the final stream times one column of W_U.",
        "The stream is a sum of parts, so the logit is a sum of parts @ W_U[:, token].",
    ),
    reference=direct_logit_attribution,
    tests=(_equals_dot_products,),
    mistakes=(
        Mistake(
            "all tokens", "the attribution to every token is returned; take the one asked for.", _all_tokens
        ),
        Mistake(
            "centred logits",
            "the mean over the vocabulary is taken off; the sum is then no longer the logit.",
            lambda parts, W_U, token: parts @ (W_U[:, token] - W_U.mean(dim=1)),
        ),
        Mistake(
            "log-probability",
            "a softmax is not linear: log-probabilities of the parts do not sum to anything.",
            lambda parts, W_U, token: (parts @ W_U).log_softmax(-1)[:, token],
        ),
        Mistake(
            "unit direction",
            "the column of W_U is normalised; its length belongs to the logit.",
            lambda parts, W_U, token: parts @ (W_U[:, token] / W_U[:, token].norm()),
        ),
        Mistake(
            "cosine",
            "these are cosines; the lengths of the parts count.",
            lambda parts, W_U, token: torch.cosine_similarity(parts, W_U[:, token], dim=-1),
        ),
        Mistake(
            "shares of the logit",
            "these are shares that sum to 1; the parts of the logit itself are asked for.",
            lambda parts, W_U, token: (parts @ W_U[:, token]) / (parts @ W_U[:, token]).sum(),
        ),
        Mistake(
            "another token",
            "this is the token after the one asked for.",
            lambda parts, W_U, token: parts @ W_U[:, (token + 1) % W_U.shape[1]],
        ),
    ),
)
