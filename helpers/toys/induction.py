"""Training to watch: a small attention-only model on sequences that repeat, in seconds, with its heads measured as it goes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from helpers.heads import induction_score, previous_token_score
from helpers.sequences import loss_by_position, repeated_sequences
from helpers.shortformer import ShortformerModel, config, initialise
from helpers.toys import one_thread

D_VOCAB, LENGTH, BATCH = 64, 32, 64


@dataclass(frozen=True)
class Record:
    """What was measured after ``step`` steps, on sequences of their own."""

    step: int
    first_copy: float  # loss in nats a token
    second_copy: float
    previous_token: float  # highest score of a head of the first layer
    induction: float  # highest score of a head of the last layer


def small_model(n_layers: int, seed: int = 0) -> ShortformerModel:
    """An untrained model: ``d_model`` 64, 4 heads a layer, 64 tokens."""
    sizes = dict(n_layers=n_layers, n_heads=4, d_head=16, d_model=64, n_ctx=2 * LENGTH + 1, d_vocab=D_VOCAB)
    model = ShortformerModel(config(**sizes))
    initialise(model, seed)
    return model


def _sequences(generator: torch.Generator) -> Int[Tensor, "batch pos"]:
    """A batch that repeats after a period of its own, so that no fixed distance tells where the copy stands."""
    period = torch.randint(LENGTH // 2, LENGTH + 1, (1,), generator=generator).item()
    tokens = repeated_sequences(BATCH, period, D_VOCAB, 0, generator)
    more = tokens[:, 1 : 1 + 2 * (LENGTH - period)]  # a third copy fills the row
    return torch.cat([tokens, more], dim=1)


@torch.no_grad()
def _measure(model: ShortformerModel, step: int, tokens: Int[Tensor, "batch pos"]) -> Record:
    """Losses and head scores on ``tokens``, which repeat after ``LENGTH``."""
    patterns = []
    handles = [
        block.attn.register_forward_hook(lambda module, _, output: patterns.append(output[1]))
        for block in model.layers
    ]
    loss = loss_by_position(model(tokens), tokens)
    for handle in handles:
        handle.remove()
    return Record(
        step,
        loss[:LENGTH].mean().item(),
        loss[LENGTH + 1 :].mean().item(),  # from the second token of the copy on: the first can not be known
        previous_token_score(patterns[0]).mean(dim=0).max().item(),
        induction_score(patterns[-1], LENGTH).mean(dim=0).max().item(),
    )


def train(
    model: ShortformerModel,
    train_step: Callable,
    steps: int = 700,
    every: int = 25,
    seed: int = 0,
    lr: float = 3e-3,
) -> Iterator[Record]:
    """Train with ``train_step(model, optimizer, tokens)``, yielding a ``Record`` every ``every`` steps, the first before any."""
    generator = torch.Generator().manual_seed(seed)
    held_out = repeated_sequences(BATCH, LENGTH, D_VOCAB, 0, generator)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr)
    for step in range(steps + 1):
        if step % every == 0:
            yield _measure(model, step, held_out)
        if step < steps:
            with one_thread():
                train_step(model, optimizer, _sequences(generator))


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Int[Tensor, "batch pos"]) -> float:
    """One step of next-token training on a batch; the mean loss (nats a token) before the step."""
    logits = model(tokens)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
