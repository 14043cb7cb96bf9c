"""Two small transformers written by hand on which methods of circuit discovery fail.

``or_model``: two heads find the same signal, and one of them suffices. ``cancelling_model``: one
head moves the answer on two paths, whose gradients cancel while their effects do not. Prompts are
first token, signal, answer, end. ``Layout(d_vocab=6, n_ctx=4, sharpness=…)`` makes softer models.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.planted import BOS, HeadWeights, Layout, empty_head, first_token_head, planted_model

SIGNAL, NO_SIGNAL, RIGHT, WRONG, END = range(1, 6)  # after the first token, BOS
LAYOUT = Layout(d_vocab=6, n_ctx=4)
FLAG = LAYOUT.previous.start  # the direction in which heads write that they found the signal
SLOPE = 8.0  # how steeply the second path of ``cancelling_model`` depends on the flag


class LogicPrompts(NamedTuple):
    """One prompt, and the same prompt without its signal."""

    tokens: Int[Tensor, "prompt pos"]
    corrupted: Int[Tensor, "prompt pos"]
    right: Int[Tensor, " prompt"]
    wrong: Int[Tensor, " prompt"]


def logic_prompts() -> LogicPrompts:
    """Return the prompt of both models.

    >>> logic_prompts().corrupted
    tensor([[0, 2, 3, 5]])
    """
    prompt = torch.tensor([[BOS, SIGNAL, RIGHT, END]])
    without = torch.tensor([[BOS, NO_SIGNAL, RIGHT, END]])
    return LogicPrompts(prompt, without, torch.tensor([RIGHT]), torch.tensor([WRONG]))


def signal_head(layout: Layout = LAYOUT) -> HeadWeights:
    """Head of END that attends to the signal, or to the first token without it, and writes a flag.

    >>> signal_head().W_V.nonzero()
    tensor([[1, 0]])
    """
    head = empty_head(layout)
    head.W_Q[END, 0] = layout.strength
    head.W_K[SIGNAL, 0] = 1
    head.W_K[BOS, 0] = 0.5
    head.W_V[SIGNAL, 0] = 1
    head.W_O[0, FLAG] = 1
    return head


def or_model(layout: Layout = LAYOUT) -> TransformerBridge:
    """Return a model in which head 1.0 answers if 0.0 or 0.1 has found the signal.

    >>> prompts, model = logic_prompts(), or_model()
    >>> both = torch.cat([prompts.tokens, prompts.corrupted])
    >>> model(both)[:, -1, RIGHT].round().int().tolist()
    [20, 0]
    """
    answer = empty_head(layout)
    answer.W_Q[FLAG, 0] = layout.strength  # 0, 1 or 2 flags
    answer.W_K[RIGHT, 0] = 1
    answer.W_Q[END, 1] = layout.strength
    answer.W_K[BOS, 1] = 0.5
    answer.W_V[RIGHT, 0] = 1
    answer.W_O[0, layout.output.start + RIGHT] = 1
    return planted_model(
        layout, [[signal_head(layout), signal_head(layout)], [answer, first_token_head(layout)]]
    )


def cancelling_model(layout: Layout = LAYOUT) -> TransformerBridge:
    """Return a model in which the flag of 0.0 raises the right logit, and 1.0 lowers it again.

    With a flag a, head 1.0 attends to the answer with  σ(SLOPE · (a - 1)) . It writes -1 there, so
    its slope at a = 1 is  -SLOPE / 4 . The direct path has the slope SLOPE / 4.

    >>> prompts, model = logic_prompts(), cancelling_model()
    >>> both = torch.cat([prompts.tokens, prompts.corrupted])
    >>> model(both)[:, -1, RIGHT].round().int().tolist()
    [30, 0]
    """
    found = signal_head(layout)
    found.W_O[0, layout.output.start + RIGHT] = SLOPE / 4
    lowering = empty_head(layout)
    strength = SLOPE * layout.strength / layout.sharpness
    lowering.W_Q[FLAG, 0] = strength
    lowering.W_Q[END, 0] = -strength
    lowering.W_K[RIGHT, 0] = 1
    lowering.W_Q[END, 1] = -layout.strength  # nowhere but to the answer and to the first token
    lowering.W_K[[SIGNAL, NO_SIGNAL, END], 1] = 1
    lowering.W_V[RIGHT, 0] = -1
    lowering.W_O[0, layout.output.start + RIGHT] = 1
    first = first_token_head(layout)
    return planted_model(layout, [[found, first], [lowering, first]])
