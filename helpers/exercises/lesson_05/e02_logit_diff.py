"""Exercise 5.2: the logit difference."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.gradients import require_gradient
from helpers.exercises.inputs import generator
from helpers.ioi import logit_diff


def _inputs(n_prompts: int, d_vocab: int, seed: int):
    """Logits, and two different tokens per prompt, some of which several prompts share."""
    logits = torch.randn(n_prompts, d_vocab, generator=generator(seed))
    io_token = torch.randint(d_vocab, (n_prompts,), generator=generator(seed + 1))
    s_token = (io_token + torch.arange(n_prompts) % (d_vocab - 1) + 1) % d_vocab
    return logits, io_token, s_token


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: prompt by prompt; more tokens than prompts, fewer, one prompt, logits of ±200."""
    for n_prompts, d_vocab, size in ((4, 7, 1), (8, 5, 1), (1, 6, 1), (5, 3, 200)):
        logits, io_token, s_token = _inputs(n_prompts, d_vocab, seed=n_prompts)
        logits = size * (logits.sign() if size > 1 else logits) + logits
        expected = torch.stack([logits[n, io_token[n]] - logits[n, s_token[n]] for n in range(n_prompts)])
        trial.matches((logits, io_token, s_token), expected, "prompt", 1e-5 * max(1, size / 20))


def _has_gradient(trial: Trial) -> None:
    """Property: attribution patching differentiates the logit difference."""
    require_gradient(trial, *_inputs(4, 7, seed=0))


EXERCISE = Exercise(
    id="5.2",
    title="the logit difference",
    minutes=3,
    difficulty=1,
    hints=(
        "Pick two logits per prompt, one for IO and one for S: `gather` along the vocabulary takes one from every row.",
        "`gather` wants an index with two axes, `[prompt, 1]`, and returns that shape. Remove the last axis at the end.",
    ),
    reference=logit_diff,
    tests=(_equals_by_hand, _has_gradient),
    mistakes=(
        Mistake(
            "sign",
            "IO, the right answer, comes first: logit of IO minus logit of S.",
            lambda logits, io_token, s_token: logit_diff(logits, s_token, io_token),
        ),
        Mistake(
            "probabilities instead of logits",
            "a difference of probabilities also moves when other words do; use the logits as they are.",
            lambda logits, io_token, s_token: logit_diff(logits.softmax(-1), io_token, s_token),
        ),
        Mistake(
            "every prompt with every name",
            "these are the logits of every prompt at the names of all prompts: pick one logit per prompt.",
            lambda logits, io_token, s_token: logits[:, io_token] - logits[:, s_token],
        ),
        Mistake(
            "averaged over prompts",
            "expected one number per prompt: the mean is taken later.",
            lambda logits, io_token, s_token: logit_diff(logits, io_token, s_token).mean(),
        ),
        Mistake(
            "axis too many",
            "your output has an axis of length 1 at the end: remove it with `[:, 0]`.",
            lambda logits, io_token, s_token: logit_diff(logits, io_token, s_token)[:, None],
        ),
        Mistake(
            "every axis of length 1 removed",
            "squeeze() also removes the axis of a single prompt: remove axis 1 only.",
            lambda logits, io_token, s_token: logit_diff(logits, io_token, s_token).squeeze(),
        ),
        Mistake(
            "only IO",
            "the logit of IO alone also rises when the model expects any name: subtract the logit of S.",
            lambda logits, io_token, s_token: logits.gather(1, io_token[:, None])[:, 0],
        ),
        Mistake(
            "first prompt's names",
            "every prompt has its own names: `io_token[n]` and `s_token[n]` for prompt n.",
            lambda logits, io_token, s_token: logits[:, io_token[0]] - logits[:, s_token[0]],
        ),
    ),
)
