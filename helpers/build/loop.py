"""Recipe and training loop of all shipped models: next-token loss, AdamW, a cosine, checkpoints."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerFast

from helpers.build.corpus import D_VOCAB

FINAL_LR_FRACTION = 0.05  # of the peak


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """Everything that decides a model's weights, besides the corpus.

    Defaults are those of the attention-only models.
    """

    n_layers: int
    tokens: int
    n_heads: int = 6
    d_model: int = 384
    n_ctx: int = 256
    d_vocab: int = D_VOCAB
    batch: int = 16
    lr: float = 3e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    repeated: float = 0.5  # fraction of the windows of books in which spans are copied
    spans: int = 3
    span_lengths: tuple[int, int] = (4, 100)
    position_directions: int = 32
    seed: int = 0

    @abstractmethod
    def initial_model(self, bos: int) -> nn.Module:
        """Return the untrained model."""

    @abstractmethod
    def batches(
        self, text: Int[Tensor, " token"], tokenizer: PreTrainedTokenizerFast
    ) -> Iterator[Int[Tensor, "batch pos"]]:
        """Yield training batches without end; ``text`` is that of the books."""

    @abstractmethod
    def save(self, model: nn.Module, folder: Path) -> None:
        """Write ``config.json`` and half-precision weights, as ``models.read_model`` reads them."""

    @abstractmethod
    def measure(self, model: TransformerBridge, held_out: Int[Tensor, "window pos"]) -> dict:
        """Return what training records at a checkpoint; ``held_out`` is text of books."""

    @property
    def batch_tokens(self) -> int:
        return self.batch * self.n_ctx

    @property
    def steps(self) -> int:
        return self.tokens // self.batch_tokens


def train(
    model: nn.Module,
    batches: Iterator[Int[Tensor, "batch pos"]],
    recipe: Recipe,
    on_checkpoint: Callable[[nn.Module, int], None],
    checkpoints: Sequence[int],
    device: str,
) -> float:
    """Train ``model`` and return the seconds it took.

    ``on_checkpoint(model, tokens_seen)`` is called at each of ``checkpoints`` (numbers of tokens)
    and at the end. AdamW (0.9, 0.98), gradient norm clipped at 1, matrix products in bfloat16.
    """
    model.to(device)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True)
    started, average = time.time(), None
    for step in range(recipe.steps):
        tokens_seen = step * recipe.batch_tokens
        if any(tokens_seen - recipe.batch_tokens < point <= tokens_seen for point in checkpoints):
            on_checkpoint(model, tokens_seen)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        loss = _train_step(model, optimizer, parameters, next(batches).to(device))
        average = loss if average is None else 0.98 * average + 0.02 * loss
        if step % 100 == 0:
            print(
                f"step {step}/{recipe.steps}  {tokens_seen / 1e6:.1f} M tokens  loss {average:.3f}  "
                f"{time.time() - started:.0f} s",
                flush=True,
            )
    on_checkpoint(model, recipe.steps * recipe.batch_tokens)
    return time.time() - started


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine down to ``FINAL_LR_FRACTION`` of the peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    warmup = min(1, (step + 1) / recipe.warmup_steps)
    return recipe.lr * warmup * (FINAL_LR_FRACTION + (1 - FINAL_LR_FRACTION) * cosine)


def _train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    parameters: list[nn.Parameter],
    tokens: Int[Tensor, "batch pos"],
) -> float:
    """Take one optimizer step; return the loss before it, in nats per token."""
    with torch.autocast(tokens.device.type, torch.bfloat16):
        output = model(tokens)
    logits = getattr(output, "logits", output)  # Hugging Face models return them as an attribute
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()
