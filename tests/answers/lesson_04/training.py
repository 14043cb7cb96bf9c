"""Answers of exercises 4.11 to 4.13: a training step, and measures of what it changes."""

import torch
from torch import nn

# 4.11 -----------------------------------------------------------------------------------------------------------------


def trained(model, optimizer, tokens, shift=1, clear="before", step=True, scale=1.0, again=False):
    logits = model(tokens)
    n = tokens.shape[1]
    sources = range(max(0, -shift), n - max(0, shift))
    loss = -torch.stack(
        [logits.log_softmax(-1)[torch.arange(len(tokens)), i, tokens[:, i + shift]] for i in sources]
    ).mean()
    if clear == "before":
        optimizer.zero_grad()
    (scale * loss).backward()
    if clear == "after":
        optimizer.zero_grad()
    if step:
        optimizer.step()
    if again:
        with torch.no_grad():
            return trained(model, optimizer, tokens, step=False, clear=None)
    return scale * loss.item()


def loss_now(model, tokens):
    return nn.functional.cross_entropy(model(tokens)[:, :-1].transpose(1, 2), tokens[:, 1:])


def descend(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def plain_descent(model, optimizer, tokens):
    """Gradient descent in place of what the optimiser does."""
    model.zero_grad()
    loss = loss_now(model, tokens)
    loss.backward()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.grad is not None:
                weight -= optimizer.param_groups[0]["lr"] * weight.grad
    return loss.item()


def loss_after(model, optimizer, tokens):
    trained(model, optimizer, tokens)
    return loss_now(model, tokens).item()


STEP = {
    "gradients never cleared": lambda *arguments: trained(*arguments, clear=None),
    "predicts the present token": lambda *arguments: trained(*arguments, shift=0),
    "predicts the token before": lambda *arguments: trained(*arguments, shift=-1),
    "no step": [
        lambda *arguments: trained(*arguments, step=False),
        lambda *arguments: trained(*arguments, clear="after"),
    ],
    "no gradients computed": lambda model, optimizer, tokens: (
        optimizer.step(),
        loss_now(model, tokens).item(),
    )[1],
    "gradients cleared too late": lambda model, optimizer, tokens: (
        trained(model, optimizer, tokens, clear=None),
        optimizer.zero_grad(),
    )[0],
    "loss after the step": loss_after,
    "softmax before cross_entropy": lambda model, *rest: trained(lambda t: model(t).softmax(-1), *rest),
    "last token only": lambda model, optimizer, tokens: descend(
        nn.functional.cross_entropy(model(tokens)[:, -2], tokens[:, -1]), optimizer
    ),
    "rows run into each other": lambda model, optimizer, tokens: descend(
        nn.functional.cross_entropy(model(tokens).flatten(0, 1)[:-1], tokens.flatten()[1:]), optimizer
    ),
    "wrong values": plain_descent,
    "summed loss": lambda *arguments: trained(*arguments, scale=12.0),
    "returned None": lambda *arguments: trained(*arguments) and None,
    "exception": lambda model, optimizer, tokens: nn.functional.cross_entropy(model(tokens), tokens),
}

# 4.12 -----------------------------------------------------------------------------------------------------------------


def first(steps, passed):
    return next((step for step, ok in zip(steps, passed) if ok), steps[0])


def halfway(values):
    return 0.5 * (values[0] + values[-1])


def past(values):
    rising = bool(values[-1] > values[0])
    return [bool(value >= halfway(values)) if rising else bool(value <= halfway(values)) for value in values]


def with_direction(s, v, rising):
    return first(s, v >= halfway(v) if rising else v <= halfway(v))


def interpolated(s, v):
    i = past(v).index(True)
    return s[i - 1] + (s[i] - s[i - 1]) * (halfway(v) - v[i - 1]) / (v[i] - v[i - 1])


WHEN = {
    "values beyond the last left out": lambda s, v: first(s, 2 * (v - v[-1]).abs() <= (v[-1] - v[0]).abs()),
    "direction from the extremes": lambda s, v: with_direction(s, v, v.argmax() > v.argmin()),
    "direction from the first change": lambda s, v: with_direction(s, v, v[1] > v[0]),
    "interpolated": interpolated,
    "half of the difference": lambda s, v: first(
        s, [(x - 0.5 * (v[-1] - v[0])) * (v[-1] - v[0]) >= 0 for x in v]
    ),
    "exactly half left out where values fall": lambda s, v: first(
        s, v >= halfway(v) if v[-1] > v[0] else v < halfway(v)
    ),
    "exactly half left out where values rise": lambda s, v: first(
        s, v > halfway(v) if v[-1] > v[0] else v <= halfway(v)
    ),
    "index instead of step": lambda s, v: torch.tensor(float(past(v).index(True))),
    "only for what falls": lambda s, v: first(s, v <= halfway(v)),
    "only for what rises": lambda s, v: first(s, v >= halfway(v)),
    "half of the final value": lambda s, v: first(s, [(x - 0.5 * v[-1]) * (v[-1] - v[0]) >= 0 for x in v]),
    "mean as threshold": lambda s, v: first(s, [(x - sum(v) / len(v)) * (v[-1] - v[0]) >= 0 for x in v]),
    "half of the range": lambda s, v: first(
        s, [(x - (v.max() + v.min()) / 2) * (v[-1] - v[0]) >= 0 for x in v]
    ),
    "largest change": lambda s, v: s[1 + (v[1:] - v[:-1]).abs().argmax()],
    "last crossing": lambda s, v: s[len(v) - past(v)[::-1].index(False)],
    "one record early": lambda s, v: s[past(v).index(True) - 1],
    "exactly half left out": lambda s, v: first(s, [(x - halfway(v)) * (v[-1] - v[0]) > 0 for x in v]),
    "sign of the last value": lambda s, v: first(s, [(x - halfway(v)) * v[-1] >= 0 for x in v]),
    "direction ignored": lambda s, v: first(s, (v - v[0]).abs() >= 0.5 * (v[-1] - v[0]).abs()),
    "closest to half": lambda s, v: s[(v - halfway(v)).abs().argmin()],
    "does not depend on steps": lambda s, v: v[past(v).index(True)],
    "wrong values": lambda s, v: s[min(past(v).index(True) + 1, len(s) - 1)],
}

# 4.13 -----------------------------------------------------------------------------------------------------------------


def window(loss, bounds, more=0):
    return sum(loss[i] for i in range(bounds[0], bounds[1] + more)) / (bounds[1] + more - bounds[0])


CONTEXT = {
    "shifted by one": [
        lambda x, early, late: x[1:][slice(*late)].mean() - x[1:][slice(*early)].mean(),
        lambda x, early, late: x[late[0] - 1 : late[1] - 1].mean() - x[early[0] - 1 : early[1] - 1].mean(),
    ],
    "first position left out": lambda x, early, late: (
        window(x, (late[0] + 1, late[1])) - window(x, (early[0] + 1, early[1]))
        if early[1] - early[0] > 1
        else torch.tensor(torch.nan)
    ),
    "one length for both windows": lambda x, early, late: (
        (x[range(*late)].sum() - x[range(*early)].sum()) / len(range(*early))
    ),
    "early minus late": lambda x, early, late: window(x, early) - window(x, late),
    "absolute value": lambda x, early, late: abs(window(x, late) - window(x, early)),
    "opposite sign": lambda x, early, late: -abs(window(x, late) - window(x, early)),
    "single positions": lambda x, early, late: x[late[0]] - x[early[0]],
    "sums instead of means": lambda x, early, late: x[range(*late)].sum() - x[range(*early)].sum(),
    "last position counted": lambda x, early, late: window(x, late, 1) - window(x, early, 1),
    "window taken as start and length": lambda x, early, late: (
        x[late[0] :][: late[1]].mean() - x[early[0] :][: early[1]].mean()
    ),
    "ratio": lambda x, early, late: window(x, late) / window(x, early),
    "late loss only": lambda x, early, late: window(x, late),
    "wrong values": lambda x, early, late: x[-10:].mean() - x[:5].mean(),
}

WRONG = {"4.11": STEP, "4.12": WHEN, "4.13": CONTEXT}

RIGHT = {
    "4.11": [trained, lambda model, optimizer, tokens: descend(loss_now(model, tokens), optimizer)],
    "4.12": [
        lambda s, v: first(s, past(v)),
        lambda s, v: first(s.tolist(), (v - v[0]) / (v[-1] - v[0]) >= 0.5),
        lambda s, v: s[
            ((v - v[0]) * (v[-1] - v[0]).sign() >= (v[-1] - v[0]).abs() / 2).nonzero()[0, 0]
        ].item(),
    ],
    "4.13": [
        lambda x, early, late: window(x, late) - window(x, early),
        lambda x, early, late: float(x[range(*late)].mean()) - x[range(*early)].mean().item(),
    ],
}
