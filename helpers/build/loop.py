"""The training loop of every shipped model: next-token loss, AdamW, a cosine, checkpoints."""

import math
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn


def learning_rate(step: int, recipe) -> float:
    """Linear warm-up, then a cosine down to 5 % of the peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return recipe.lr * min(1, (step + 1) / recipe.warmup_steps) * (0.05 + 0.95 * cosine)


def train(
    model: nn.Module,
    logits_of: Callable[[Int[Tensor, "batch pos"]], Tensor],
    rows: Iterator[Int[Tensor, "batch pos"]],
    recipe,
    on_checkpoint: Callable[[nn.Module, int], None],
    checkpoints: list[int],
    device: str,
) -> float:
    """Train ``model``; ``on_checkpoint(model, tokens_seen)`` at each of ``checkpoints`` and at the end. Returns seconds.

    AdamW (0.9, 0.98), gradient norm clipped at 1, matrix products in bfloat16.
    """
    model.to(device)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True)
    started, average = time.time(), None
    for step, tokens in zip(range(recipe.steps + 1), rows):
        seen = step * recipe.batch * recipe.n_ctx
        if step == recipe.steps or any(
            seen - recipe.batch * recipe.n_ctx < point <= seen for point in checkpoints
        ):
            on_checkpoint(model, seen)
        if step == recipe.steps:
            return time.time() - started
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, recipe)
        tokens = tokens.to(device)
        with torch.autocast(device, torch.bfloat16):
            logits = logits_of(tokens)
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if step % 100 == 0:
            print(
                f"step {step}/{recipe.steps}  {seen / 1e6:.1f} M tokens  loss {average:.3f}  {time.time() - started:.0f} s",
                flush=True,
            )
