"""What a forward pass keeps, and what is measured at its end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from helpers.components import Rotary

Tokens = Int[Tensor, "..."]  # [prompt pos]; Forward.run refuses any other shape with a sentence
Step = tuple[int, Literal["resid_pre", "resid_mid"]]  # (layer, stream before attention or before MLP)
Metric = Callable[[Float[Tensor, "prompt d_vocab"]], Float[Tensor, " prompt"]]  # at the last position
PortValues = dict[tuple[int, str], list[tuple[int, Tensor]]]  # (layer, port): [(head, values), ...]


class LogitDiff(NamedTuple):
    """Metric: the logit of ``right`` minus the logit of ``wrong``, one token of each per prompt.

    A sweep that gets this metric computes only these two logits, which is faster than a function
    of all logits where the vocabulary is large.

    >>> import torch
    >>> LogitDiff(right=torch.tensor([1]), wrong=torch.tensor([0]))(torch.tensor([[1.0, 4.0]]))
    tensor([3.])
    """

    right: Int[Tensor, " prompt"]
    wrong: Int[Tensor, " prompt"]

    def __call__(self, logits: Float[Tensor, "prompt d_vocab"]) -> Float[Tensor, " prompt"]:
        right, wrong = (logits.gather(1, tokens.to(logits.device)[:, None]) for tokens in self)
        return (right - wrong)[:, 0]


@dataclass
class Run:
    """Activations of a model on prompts of one length: lists with one tensor per layer.

    In a model whose attention and MLP read the same stream, ``resid_mid`` is the stream after both.
    """

    tokens: Int[Tensor, "prompt pos"]
    resid_pre: list[Float[Tensor, "prompt pos d_model"]]  # one entry more than layers: the last is the end
    resid_mid: list[Float[Tensor, "prompt pos d_model"]]
    q: list[Float[Tensor, "prompt pos head d_head"]]
    k: list[Float[Tensor, "prompt pos shared d_head"]]
    v: list[Float[Tensor, "prompt pos shared d_head"]]
    z: list[Float[Tensor, "prompt pos head d_head"]]
    mlp_out: list[Float[Tensor, "prompt pos d_model"]]
    compared_k: list[Float[Tensor, "prompt pos shared d_head"]]  # with norm, rotated
    rotary: Rotary | None = None

    def at(self, step: Step) -> Float[Tensor, "prompt pos d_model"]:
        """Residual stream at a step."""
        layer, stage = step
        return self.resid_pre[layer] if stage == "resid_pre" else self.resid_mid[layer]
