"""Exercise 6.6: a hook that steers."""

import inspect

import torch

from helpers.exercises import trial as trials
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.exercises.sandbox import to_plain_values
from helpers.exercises.time_limit import within_time
from helpers.steering import steering_hook


def _hook_that(change, name="hook_resid_pre"):
    """A hook that puts ``change(resid, direction, strength)`` in place of the stream."""
    return lambda direction, layer, strength: (
        f"blocks.{layer}.{name}",
        lambda resid, hook: change(resid, direction, strength),
    )


def _after_first(change):
    """``change`` at every position but the first."""
    return lambda resid, direction, strength: torch.cat(
        [resid[:, :1], change(resid[:, 1:], direction, strength)], dim=1
    )


def _add(resid, direction, strength):
    return resid + strength * direction


def _add_at_last(resid, direction, strength):
    return torch.cat([resid[:, :-1], _add(resid[:, -1:], direction, strength)], dim=1)


def _add_after_first_text(resid, direction, strength):
    return torch.cat([resid[:1], _add(resid[1:], direction, strength)])


CASES = (
    (1, 2.0, (2, 5)),
    (0, 1.5, (1, 3)),
    (11, -0.5, (3, 4)),
    (3, 0.0, (2, 2)),
    (3, 1.5, (2, 1)),
    (10, 2.0, (1, 70)),
)  # layer, strength, [batch pos]
OTHER_SHAPE = (4, 6)  # of the stream that a hook gets after that


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry; strengths of both signs and 0; one position and many."""
    direction = torch.randn(6, generator=generator(1))
    for layer, strength, shape in CASES:
        expected = _stream(shape)
        for b, pos, d in torch.cartesian_prod(*map(torch.arange, expected.shape)).tolist():
            expected[b, pos, d] += strength * direction[d].item() * (pos > 0)
        trial.behaves(
            lambda function, case=(layer, strength, shape): _steered(function, *case),
            expected,
            "batch pos d_model",
        )


def _stream(shape: tuple[int, int]) -> torch.Tensor:
    return torch.randn(*shape, 6, generator=generator(0))


def _steered(function, layer: int, strength: float, shape: tuple[int, int]) -> torch.Tensor:
    """Return what the function's hook returns; raise ``Wrong`` unless it is one that works."""
    name, hook = _checked_hook(function(torch.randn(6, generator=generator(1)), layer, strength))
    if name != f"blocks.{layer}.hook_resid_pre":
        raise Wrong(
            "another place",
            f"expected 'blocks.{layer}.hook_resid_pre', the stream before layer {layer}, got {name!r}.",
        )
    steered, again, other = (_run(hook, size) for size in (shape, shape, OTHER_SHAPE))
    if isinstance(steered, torch.Tensor) and not torch.equal(steered, again):
        raise Wrong(
            "another result in the second run",
            "run twice on the same stream, the inner function returned two different streams. "
            "Does it change `direction` or `strength`?",
        )
    if isinstance(other, torch.Tensor) and torch.equal(steered, other):
        raise Wrong(
            "the stream of another run",
            "the inner function returned the stream of its first run again when it got another one. "
            "It runs once per forward pass: compute everything from `resid`.",
        )
    return steered


def _run(hook, shape: tuple[int, int]) -> object:
    """Run a hook; raise ``Wrong`` if it returns nothing or changes its input."""
    stream = _stream(shape)
    steered = within_time(trials.TIME_LIMIT_SECONDS, lambda: to_plain_values(hook(stream, hook=None)))
    if steered is None:
        raise Wrong("hook returns None", "the inner function must return the changed stream.")
    if not torch.equal(stream, _stream(shape)):
        raise Wrong(
            "stream changed in place",
            "the inner function changed `resid` in place. Change a copy: resid.clone() first.",
        )
    return steered


def _checked_hook(pair: object):
    """Return the name and the function of a hook; raise ``Wrong`` for anything else."""
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and callable(pair[1])):
        raise Wrong(
            "not a hook",
            "expected a pair (name of the hook point, function made with def or lambda), "
            f"got {_described(pair)}.",
        )
    try:
        inspect.signature(pair[1]).bind(None, hook=None)
    except TypeError:
        raise Wrong(
            "another argument",
            "TransformerLens calls the inner function as f(resid, hook=…): it needs two arguments, "
            f"the second one named hook. Yours is f{inspect.signature(pair[1])}.",
        ) from None
    return pair


def _described(pair: object) -> str:
    if isinstance(pair, tuple):
        return f"({', '.join(type(part).__name__ for part in pair)})"
    return type(pair).__name__


EXERCISE = Exercise(
    id="6.6",
    title="a steering hook",
    minutes=4,
    difficulty=1,
    hints=(
        "Define a function `add(resid, hook)` inside yours. It can use `direction` and `strength`.",
        "Inside `add`, work on `resid.clone()`. Position is the second axis. Which slice leaves out the first position?",
        "Return a pair: the name as a string with the layer's number in it, and the function itself, not a call of it.",
    ),
    reference=steering_hook,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "first position steered, too",
            "leave the beginning-of-text token unchanged: steer resid[:, 1:].",
            _hook_that(_add),
        ),
        Mistake(
            "only the last position",
            "steer every position but the first, so that each token that the model generates is steered, too.",
            _hook_that(_add_at_last),
        ),
        Mistake(
            "strength left out",
            "add strength * direction.",
            _hook_that(_after_first(lambda resid, direction, strength: resid + direction)),
        ),
        Mistake(
            "stream replaced",
            "add to the stream: the direction alone erases the text.",
            _hook_that(
                _after_first(lambda resid, direction, strength: (strength * direction).expand_as(resid))
            ),
        ),
        Mistake(
            "stream scaled",
            "add strength * direction, do not multiply the stream.",
            _hook_that(_after_first(lambda resid, direction, strength: resid * strength * direction)),
        ),
        Mistake(
            "subtracted",
            "add: a positive strength steers along the direction.",
            _hook_that(_after_first(lambda resid, direction, strength: resid - strength * direction)),
        ),
        Mistake(
            "direction shortened to length 1",
            "add strength * direction with the direction's own length.",
            _hook_that(
                _after_first(
                    lambda resid, direction, strength: _add(resid, direction / direction.norm(), strength)
                )
            ),
        ),
        Mistake(
            "first text left alone",
            "resid is [batch, pos, d_model]: leave out the first position, resid[:, 1:].",
            _hook_that(_add_after_first_text),
        ),
        Mistake(
            "last position left alone",
            "leave out the first position, not the last: resid[:, 1:].",
            _hook_that(
                lambda resid, direction, strength: torch.cat(
                    [_add(resid[:, :-1], direction, strength), resid[:, -1:]], dim=1
                )
            ),
        ),
        Mistake(
            "first feature left alone",
            "resid is [batch, pos, d_model]: leave out the first position, resid[:, 1:].",
            _hook_that(
                lambda resid, direction, strength: resid + strength * direction * (torch.arange(6) > 0)
            ),
        ),
        Mistake(
            "scaled by the length of the stream",
            "add strength * direction at every position: its length does not depend on the stream.",
            _hook_that(
                _after_first(
                    lambda resid, direction, strength: _add(
                        resid, direction, strength * resid.norm(dim=-1, keepdim=True)
                    )
                )
            ),
        ),
        Mistake(
            "another place",
            "the stream before the layer is hook_resid_pre.",
            _hook_that(_after_first(_add), name="hook_resid_post"),
        ),
    ),
)
