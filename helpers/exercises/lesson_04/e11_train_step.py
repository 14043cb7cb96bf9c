"""Exercise 4.11: a training step."""

import torch
from torch import nn

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.toys.induction import train_step


def _step_with(loss_of, after=lambda model, optimizer, loss: loss.item(), clear=True, step=True):
    """A training step with another loss, or with a part left out."""

    def answer(model, optimizer, tokens):
        loss = loss_of(model(tokens), tokens)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        return after(model, optimizer, loss)

    return answer


def _next_token(logits, tokens):
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def _gradients_never_cleared(model, optimizer, tokens):
    logits = model(tokens)
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


def _fresh() -> nn.Module:
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(7, 4, generator=generator(0)))
        model[1].weight.copy_(torch.randn(7, 4, generator=generator(1)))
    return model


BATCHES = torch.randint(7, (3, 2, 5), generator=generator(2))
RATE = 0.3


def _two_steps(step) -> torch.Tensor:
    """The losses that a step returns, and the weights after it, for three batches in turn."""
    model = _fresh()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    found = []
    for tokens in BATCHES:
        loss = step(model, optimizer, tokens)
        if isinstance(loss, torch.Tensor):
            raise Wrong(
                "tensor instead of a number",
                "return loss.item(): the tensor would keep the whole graph in memory.",
            )
        if not isinstance(loss, int | float):
            raise Wrong("wrong type", f"return the loss as a number, got {type(loss).__name__}.")
        found += [
            torch.tensor([float(loss)]),
            *(weight.detach().flatten().clone() for weight in model.parameters()),
        ]
    return torch.cat(found)


def _equals_gradient_descent(trial: Trial) -> None:
    """Oracle: plain gradient descent on the mean of -log p, written with torch.autograd.grad in double precision."""
    E, U = (weight.detach().double().requires_grad_() for weight in _fresh().parameters())
    expected = []
    for tokens in BATCHES:
        p = (E[tokens] @ U.T).softmax(dim=-1)
        loss = -sum(p[b, i, tokens[b, i + 1]].log() for b in range(2) for i in range(4)) / 8
        gradients = torch.autograd.grad(loss, (E, U))
        E, U = ((w - RATE * g).detach().requires_grad_() for w, g in zip((E, U), gradients))
        expected += [loss.detach()[None], E.detach().flatten(), U.detach().flatten()]
    trial.behaves(
        _two_steps, torch.cat(expected).float(), "entry", 1e-4, "losses and weights after three steps"
    )


EXERCISE = Exercise(
    id="4.11",
    title="a training step",
    minutes=6,
    difficulty=1,
    hints=(
        "Logits at position i are compared with token i + 1: logits[:, :-1] with tokens[:, 1:].",
        "nn.functional.cross_entropy wants [n, d_vocab] and [n]: flatten(0, 1) and flatten().",
        "Then optimizer.zero_grad(), loss.backward(), optimizer.step(), and return loss.item().",
    ),
    reference=train_step,
    tests=(_equals_gradient_descent,),
    mistakes=(
        Mistake(
            "gradients never cleared",
            "gradients add up from step to step: call optimizer.zero_grad() before loss.backward().",
            _gradients_never_cleared,
        ),
        Mistake(
            "predicts the present token",
            "logits at position i must be compared with token i + 1, not token i.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l.flatten(0, 1), t.flatten())),
        ),
        Mistake(
            "predicts the token before",
            "logits at position i must be compared with token i + 1; here it is token i - 1.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l[:, 1:].flatten(0, 1), t[:, :-1].flatten())),
        ),
        Mistake(
            "rows run into each other",
            "the last token of a row does not predict the first of the next: shift before you flatten.",
            _step_with(lambda l, t: nn.functional.cross_entropy(l.flatten(0, 1)[:-1], t.flatten()[1:])),
        ),
        Mistake(
            "no step",
            "the weights did not change: loss.backward() computes the gradients and optimizer.step() uses them, with no zero_grad() between.",
            _step_with(_next_token, step=False),
        ),
        Mistake(
            "loss after the step",
            "return the loss that the step was made with.",
            lambda model, optimizer, tokens: (
                train_step(model, optimizer, tokens),
                _next_token(model(tokens), tokens).item(),
            )[1],
        ),
        Mistake(
            "summed loss",
            "take the mean over predictions, as cross_entropy does, not the sum.",
            _step_with(lambda l, t: 8 * _next_token(l, t)),
        ),
    ),
)
