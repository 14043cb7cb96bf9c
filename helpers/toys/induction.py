"""An induction circuit that forms within seconds: a small attention-only model on repeated tokens.

The heads are measured during training, as in Olsson et al. 2022, "In-context Learning and Induction
Heads", where the same transition takes billions of tokens.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers.heads import induction_score, previous_token_score
from helpers.sequences import loss_by_position, repeated_sequences
from helpers.shortformer import ShortformerModel, config, initialise
from helpers.toys import one_thread

D_VOCAB = 64
COPY_TOKENS = 32  # most tokens of a copy
BATCH_SEQUENCES = 32
EXAMPLE = range(1, COPY_TOKENS // 2 + 1)  # tokens of a copy


@dataclass(frozen=True)
class Record:
    """Measurements after ``step`` steps, on held-out sequences."""

    step: int
    first_copy: float  # loss in nats per token
    second_copy: float
    previous_token: float  # highest score of a head of the first layer
    induction: float  # highest score of a head of the last layer
    pattern: Float[Tensor, "query key"]  # that head's, from the second copy of ``EXAMPLE`` to the first


def small_model(n_layers: int, seed: int = 0) -> ShortformerModel:
    """Return an untrained model: ``d_model`` 64, 4 heads per layer, 64 tokens.

    >>> small_model(2).cfg.n_layers
    2
    """
    sizes = dict(n_heads=4, d_head=16, d_model=64, n_ctx=2 * COPY_TOKENS + 1, d_vocab=D_VOCAB)
    model = ShortformerModel(config(n_layers=n_layers, **sizes))
    initialise(model, seed)
    return model


def train(
    model: ShortformerModel,
    train_step: Callable,
    steps: int = 350,
    every: int = 25,
    seed: int = 0,
    lr: float = 3e-3,
) -> Iterator[Record]:
    """Train with ``train_step(model, optimizer, tokens)`` and yield a ``Record`` every few steps.

    The first record precedes the first step; ``every`` is the number of steps between two.

    >>> record = next(train(small_model(2), train_step))
    >>> record.step, record.induction < 0.1
    (0, True)
    """
    generator = torch.Generator().manual_seed(seed)
    held_out = repeated_sequences(BATCH_SEQUENCES, COPY_TOKENS, D_VOCAB, 0, generator)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr)
    for step in range(steps + 1):
        if step % every == 0:
            yield _measure(model, step, held_out)
        if step < steps:
            with one_thread():
                train_step(model, optimizer, _training_batch(generator))


@torch.no_grad()
def _measure(model: ShortformerModel, step: int, tokens: Int[Tensor, "batch pos"]) -> Record:
    """Losses and head scores on ``tokens``, which repeat after ``COPY_TOKENS``."""
    patterns = []

    def keep(scores: Tensor) -> Tensor:
        patterns.append(scores.softmax(dim=-1))
        return scores

    for block in model.layers:
        block.attn.scores_fn = keep
    loss = loss_by_position(model(tokens), tokens)
    model(torch.tensor([[0, *EXAMPLE, *EXAMPLE]]))
    for block in model.layers:
        block.attn.scores_fn = None
    first, last = patterns[0], patterns[len(model.layers) - 1]
    induction, head = induction_score(last, COPY_TOKENS).mean(dim=0).max(dim=0)
    return Record(
        step,
        loss[:COPY_TOKENS].mean().item(),
        loss[COPY_TOKENS + 1 :].mean().item(),  # the first token of the copy cannot be predicted
        previous_token_score(first).mean(dim=0).max().item(),
        induction.item(),
        patterns[-1][0, head, len(EXAMPLE) + 1 :, 1 : len(EXAMPLE) + 1],
    )


def _training_batch(generator: torch.Generator) -> Int[Tensor, "batch pos"]:
    """Return sequences that repeat after a random period: no fixed distance leads to the copy."""
    period = torch.randint(COPY_TOKENS // 2, COPY_TOKENS + 1, (1,), generator=generator).item()
    tokens = repeated_sequences(BATCH_SEQUENCES, period, D_VOCAB, 0, generator)
    third_copy = tokens[:, 1 : 1 + 2 * (COPY_TOKENS - period)]  # fills the row
    return torch.cat([tokens, third_copy], dim=1)


def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, tokens: Int[Tensor, "batch pos"]) -> float:
    """Take one step of next-token training; return the mean loss (nats per token) before it."""
    logits = model(tokens)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
