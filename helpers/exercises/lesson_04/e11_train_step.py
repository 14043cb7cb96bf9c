"""Exercise 4.11: a training step."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.toys.induction import train_step

BATCHES = torch.randint(7, (3, 2, 5), generator=generator(2))
LEARNING_RATE = 0.3


def _equals_gradient_descent(trial: Trial) -> None:
    """Oracle: gradient descent on the mean of -log p, by autograd.grad in double precision."""
    E, U = (weight.detach().double().requires_grad_() for weight in _untrained_model().parameters())
    expected = []
    for tokens in BATCHES:
        p = (E[tokens] @ U.T).softmax(dim=-1)
        loss = -sum(p[b, i, tokens[b, i + 1]].log() for b in range(2) for i in range(4)) / 8
        gradients = torch.autograd.grad(loss, (E, U))
        E, U = ((w - LEARNING_RATE * g).detach().requires_grad_() for w, g in zip((E, U), gradients))
        expected += [loss.detach()[None], E.detach().flatten(), U.detach().flatten()]
    trial.behaves(
        _losses_and_weights,
        torch.cat(expected).float(),
        "entry",
        1e-4,
        "losses and weights after three steps",
    )


def _losses_and_weights(step) -> torch.Tensor:
    """Return the loss and the weights after each step, on the batches in turn, as one vector."""
    model = _untrained_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    numbers = []
    for tokens in BATCHES:
        loss = step(model, optimizer, tokens)
        if not isinstance(loss, int | float):
            raise Wrong("wrong type", f"expected the loss as a number, got {type(loss).__name__}.")
        weights = [weight.detach().flatten().clone() for weight in model.parameters()]
        numbers += [torch.tensor([float(loss)]), *weights]
    return torch.cat(numbers)


def _untrained_model() -> nn.Module:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(7, 4, generator=generator(0)))
        model[1].weight.copy_(torch.randn(7, 4, generator=generator(1)))
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


def _loss_after_the_step(model, optimizer, tokens):
    train_step(model, optimizer, tokens)
    return _next_token_loss(model(tokens), tokens).item()


EXERCISE = Exercise(
    id="4.11",
    title="a training step",
    minutes=6,
    difficulty=1,
    hints=(
        "Compare the logits at position i with token i + 1: `logits[:, :-1]` with `tokens[:, 1:]`.",
        "`nn.functional.cross_entropy` takes `[n, d_vocab]` and `[n]`. "
        "`flatten(0, 1)` and `flatten()` bring logits and tokens into these shapes.",
        "Three calls follow: `optimizer.zero_grad()`, `loss.backward()` and `optimizer.step()`. "
        "Return `loss.item()`.",
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
            _step_with(lambda l, t: 8 * _next_token_loss(l, t)),
        ),
    ),
)
