"""Exercise 2.9: a previous-token head from its weights alone."""

from functools import partial

import torch

from helpers.circuits import previous_position_weight
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _causal(scores, first_masked=1, fill=-torch.inf):
    masked = torch.ones_like(scores, dtype=torch.bool).triu(first_masked)
    return scores.masked_fill(masked, fill)


def _variant(W_pos, W_Q, W_K, scale=lambda d_model, d_head: d_head**0.5, mask=_causal, dim=-1, offset=-1):
    """The measure with another scale, mask, softmax or diagonal."""
    scores = mask(W_pos @ W_Q @ (W_pos @ W_K).T / scale(*W_Q.shape))
    return scores.softmax(dim=dim).diagonal(offset).nan_to_num().mean()


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over positions, for more and fewer positions than d_model."""
    for seed, (pos, d_model, d_head) in enumerate([(6, 5, 3), (7, 10, 2), (11, 7, 5)]):
        W_pos = torch.randn(pos, d_model, generator=generator(seed))
        W_Q, W_K = torch.randn(2, d_model, d_head, generator=generator(seed + 5)).unbind()
        trial.matches((W_pos, W_Q, W_K), _by_loop(W_pos, W_Q, W_K), "")


def _large_scores(trial: Trial) -> None:
    """Scores that lie near 400, near -400, or hundreds apart, as in trained heads."""
    W_pos = 1 + 0.02 * torch.randn(8, 6, generator=generator(3))
    W_Q = torch.rand(6, 3, generator=generator(4)) + 0.5
    W_K = torch.rand(6, 3, generator=generator(5)) + 0.5
    for middle in (400, -400):
        size = middle / ((W_pos @ W_Q) @ (W_pos @ W_K).T).mean() * 3**0.5
        trial.matches((W_pos, size * W_Q, W_K), _by_loop(W_pos, size * W_Q, W_K), "", tolerance=1e-3)
    W_pos = torch.randn(12, 6, generator=generator(21))  # scores from -498 to 412
    W_Q, W_K = 8 * torch.randn(2, 6, 3, generator=generator(20))
    trial.matches((W_pos, W_Q, W_K), _by_loop(W_pos, W_Q, W_K), "", tolerance=1e-3)


def _by_loop(W_pos, W_Q, W_K):
    """Compute the measure one query at a time, in double precision."""
    queries, keys = W_pos.double() @ W_Q.double(), W_pos.double() @ W_K.double()
    rows = [keys[: i + 1] @ queries[i] / W_Q.shape[1] ** 0.5 for i in range(1, len(W_pos))]
    return torch.stack([row.softmax(0)[-2] for row in rows]).mean().float()


def _without_softmax(W_pos, W_Q, W_K, subtract=lambda scores: 0):
    """The measure with exp, mask and a division, after something is subtracted from the scores."""
    scores = (W_pos @ W_Q) @ (W_pos @ W_K).T / W_Q.shape[1] ** 0.5
    weights = (scores - subtract(scores)).exp().tril()
    return (weights / weights.sum(-1, keepdim=True)).diagonal(-1).mean()


EXERCISE = Exercise(
    id="2.9",
    title="a previous-token head from its weights",
    minutes=6,
    difficulty=2,
    hints=(
        "Give the head nothing but positions. The scores of all positions with all positions are "
        "`W_pos W_Q` (`W_pos W_K`)ᵀ / `√d_head`.",
        "Mask the later positions and take the softmax over the keys.",
        "The weights of position i on position i - 1 stand on a diagonal of the pattern: `diagonal(offset)` returns it.",
    ),
    reference=previous_position_weight,
    tests=(_equals_a_loop, _large_scores),
    mistakes=(
        Mistake(
            "scale missing",
            "the scores are not divided by √d_head.",
            partial(_variant, scale=lambda d_model, d_head: 1),
        ),
        Mistake(
            "mask missing",
            "later positions take part in the softmax: mask them before it.",
            partial(_variant, mask=torch.clone),
        ),
        Mistake(
            "masked with 0",
            "the later positions have score 0, and exp(0) = 1 is a weight. Set their scores to -inf.",
            partial(_variant, mask=torch.tril),
        ),
        Mistake(
            "current position",
            "this is the main diagonal: go one below.",
            partial(_variant, offset=0),
        ),
        Mistake("off by one", "this diagonal is two below: go one below.", partial(_variant, offset=-2)),
        Mistake(
            "next position",
            "this diagonal is above the main one: go one below.",
            partial(_variant, mask=torch.clone, offset=1),
        ),
        Mistake(
            "always 0",
            "this is 0 whatever the weights. Mask the later keys, not the earlier ones, and take the diagonal one "
            "below the main one.",
            partial(_variant, offset=1),
        ),
        Mistake(
            "mean of the whole pattern",
            "this is always 1 / pos, the mean of the whole pattern; take that of one diagonal.",
            lambda W_pos, *weights: torch.tensor(1 / len(W_pos)),
        ),
        Mistake(
            "sum instead of mean",
            "the weights are summed; take their mean.",
            lambda W_pos, *weights: _variant(W_pos, *weights) * (len(W_pos) - 1),
        ),
        *(
            Mistake(
                "masked with a finite number",
                "a masked score that is finite still gets weight beside scores as low as it: use -inf.",
                partial(_variant, mask=partial(_causal, fill=fill)),
            )
            for fill in (-100, -300)
        ),
        Mistake(
            "softmax overflows",
            "exp of a score above 88 is inf, and of one below -104 it is 0; inf / inf and 0 / 0 are NaN. "
            "Use softmax, or subtract each row's maximum before exp.",
            _without_softmax,
        ),
        *(
            Mistake(
                "a row of zeros",
                "the weights of all keys that a position may attend to are 0, and 0 / 0 is NaN. Mask with -inf first; "
                "then take the softmax, or subtract each row's own maximum before exp.",
                partial(_without_softmax, subtract=subtract),
            )
            for subtract in (lambda scores: scores.amax(-1, keepdim=True), torch.max)
        ),
        Mistake(
            "mask begins too late",
            "the next position takes part in the softmax: the mask begins one above the diagonal, triu(1).",
            partial(_variant, mask=partial(_causal, first_masked=2)),
        ),
        Mistake(
            "mask hides the position itself",
            "the mask hides the query's own position, too: triu(1).",
            partial(_variant, mask=partial(_causal, first_masked=0)),
        ),
        Mistake(
            "divided by all positions",
            "position 0 has no position before it: take the mean over the others.",
            lambda W_pos, *weights: _variant(W_pos, *weights) * (len(W_pos) - 1) / len(W_pos),
        ),
        Mistake(
            "scale is √d_model",
            "the scores are divided by √d_model; queries and keys have d_head numbers.",
            partial(_variant, scale=lambda d_model, d_head: d_model**0.5),
        ),
        Mistake(
            "scale is d_head",
            "the scores are divided by d_head; divide by its square root.",
            partial(_variant, scale=lambda d_model, d_head: d_head),
        ),
        Mistake(
            "softmax over the query axis",
            "each query's weights sum to 1: dim=-1.",
            partial(_variant, dim=0),
        ),
        Mistake(
            "transposed W_QK",
            "W_Q and W_K are swapped: W_Q belongs to the query.",
            lambda W_pos, W_Q, W_K: _variant(W_pos, W_K, W_Q),
        ),
        Mistake(
            "positions skipped",
            "the head's weights are compared with each other; give them the positions to read.",
            lambda W_pos, W_Q, W_K: (W_Q @ W_K.T / W_Q.shape[-1] ** 0.5).softmax(-1).diagonal(-1).mean(),
        ),
    ),
)
