"""Exercise 4.11: a training step."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.shortformer import ShortformerModel, config
from helpers.toys.induction import train_step

D_VOCAB, BATCH, N_CTX = 7, 3, 5
BATCHES = torch.randint(D_VOCAB, (3, BATCH, N_CTX), generator=generator(2))
LEARNING_RATE, MOMENTUM = 0.3, 0.5


def _equals_gradient_descent(trial: Trial) -> None:
    """Oracle: momentum and gradients of the mean of -log p by hand, in double precision."""
    model = _untrained_model().double()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    velocities = [torch.zeros_like(weight) for weight in weights]
    losses = []
    for tokens in BATCHES:
        p = model(tokens).softmax(dim=-1)
        predictions = [(row, pos) for row in range(BATCH) for pos in range(N_CTX - 1)]
        losses.append(-sum(p[b, i, tokens[b, i + 1]].log() for b, i in predictions) / len(predictions))
        gradients = torch.autograd.grad(losses[-1], weights)
        with torch.no_grad():
            velocities = [MOMENTUM * v + g for v, g in zip(velocities, gradients)]
            for weight, velocity in zip(weights, velocities):
                weight -= LEARNING_RATE * velocity
    expected = torch.stack(losses).detach().float()
    trial.behaves(lambda step: _three_steps(step)[0], expected, "step", 1e-4, "the losses of three steps")
    expected = torch.cat([weight.detach().flatten() for weight in weights]).float()
    trial.behaves(
        lambda step: _three_steps(step)[1], expected, "weight", 1e-4, "the weights after three steps"
    )


def _three_steps(step) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of steps on the batches in turn, and all weights after them."""
    model = _untrained_model()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in weights:  # left from work before the first step
        weight.grad = torch.ones_like(weight)
    optimizer = torch.optim.SGD(weights, lr=LEARNING_RATE, momentum=MOMENTUM)
    losses = [step(model, optimizer, tokens) for tokens in BATCHES]
    for loss in losses:
        if not isinstance(loss, int | float):
            raise Wrong("wrong type", f"expected the loss as a number, got {type(loss).__name__}.")
    return torch.tensor(losses).float(), torch.cat([weight.detach().flatten() for weight in weights])


def _untrained_model() -> ShortformerModel:
    sizes = dict(n_layers=1, n_heads=2, d_head=3, d_model=8, n_ctx=N_CTX, d_vocab=D_VOCAB)
    model = ShortformerModel(config(**sizes))
    for seed, weight in enumerate(model.parameters()):
        nn.init.normal_(weight, std=0.5, generator=generator(seed))
    return model


def _next_token_loss(logits, tokens):
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def _step_with(loss_of=_next_token_loss, zero_grad=True, step=True):
    """A training step with another loss, or with a call left out."""

    def answer(model, optimizer, tokens):
        loss = loss_of(model(tokens), tokens)
        if zero_grad:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        return loss.item()

    return answer


def _clears_after_the_step(model, optimizer, tokens):
    loss = _step_with(zero_grad=False)(model, optimizer, tokens)
    optimizer.zero_grad()
    return loss


def _loss_after_the_step(model, optimizer, tokens):
    train_step(model, optimizer, tokens)
    return _next_token_loss(model(tokens), tokens).item()


EXERCISE = Exercise(
    id="4.11",
    title="a training step",
    minutes=6,
    difficulty=1,
    hints=(
        "Compare the logits at position i with token i + 1. "
        "So leave out the last logits and the first token of every row.",
        "`nn.functional.cross_entropy` takes `[n, d_vocab]` and `[n]`. "
        "`flatten` merges axes of logits and tokens.",
        "Three calls follow: clear the gradients, compute them from the loss, let the optimiser take a step. "
        "`loss.item()` makes a number of the loss.",
    ),
    reference=train_step,
    tests=(_equals_gradient_descent,),
    mistakes=(
        Mistake(
            "gradients never cleared",
            "gradients add up from step to step. Call optimizer.zero_grad() before loss.backward().",
            _step_with(zero_grad=False),
        ),
        Mistake(
            "no gradients computed",
            "the optimiser steps along gradients: call loss.backward() before optimizer.step().",
            lambda model, optimizer, tokens: (
                optimizer.step(),
                _next_token_loss(model(tokens), tokens).item(),
            )[1],
        ),
        Mistake(
            "gradients cleared too late",
            "gradients may be left from work before the first call. Call optimizer.zero_grad() before loss.backward().",
            _clears_after_the_step,
        ),
        Mistake(
            "predicts the present token",
            "compare the logits at position i with token i + 1, not with token i.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l.flatten(0, 1), t.flatten())),
        ),
        Mistake(
            "predicts the token before",
            "compare the logits at position i with token i + 1, not with token i - 1.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l[:, 1:].flatten(0, 1), t[:, :-1].flatten())),
        ),
        Mistake(
            "rows run into each other",
            "the last token of a row does not predict the first token of the next row. "
            "Shift before you flatten.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l.flatten(0, 1)[:-1], t.flatten()[1:])),
        ),
        Mistake(
            "softmax before cross_entropy",
            "cross_entropy takes logits. It applies log_softmax itself.",
            _step_with(lambda l, t: _next_token_loss(l.softmax(-1), t)),
        ),
        Mistake(
            "last token only",
            "this is the loss of the last token. Take the mean over all predictions.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l[:, -2], t[:, -1])),
        ),
        Mistake(
            "no step",
            "the weights did not change. loss.backward() computes the gradients and optimizer.step() uses "
            "them. Call no zero_grad() between the two.",
            _step_with(step=False),
        ),
        Mistake(
            "loss after the step",
            "return the loss whose gradients the step used, from before the step.",
            _loss_after_the_step,
        ),
        Mistake(
            "summed loss",
            "take the mean over predictions, as cross_entropy does, not the sum.",
            _step_with(lambda l, t: t[:, 1:].numel() * _next_token_loss(l, t)),
        ),
    ),
)
