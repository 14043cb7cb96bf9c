"""Exercise 6.6: a hook that steers."""

import torch

from helpers.exercises import engine
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


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: entry by entry; two layers, two strengths, one of them negative."""
    direction = torch.randn(6, generator=generator(1))
    for layer, strength in ((1, 1.5), (3, -0.5)):
        expected = torch.randn(2, 5, 6, generator=generator(layer))
        for b in range(2):
            for pos in range(1, 5):
                for d in range(6):
                    expected[b, pos, d] += strength * direction[d].item()
        trial.behaves(
            lambda function, layer=layer, strength=strength: _steered(function, layer, strength),
            expected,
            "batch pos d_model",
        )


def _steered(function, layer: int, strength: float) -> torch.Tensor:
    """The stream that the function's hook returns; ``Wrong`` unless it is a hook at its place."""
    direction = torch.randn(6, generator=generator(1))
    resid = torch.randn(2, 5, 6, generator=generator(layer))
    pair = function(direction, layer, strength)
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and callable(pair[1])):
        raise Wrong(
            "not a hook",
            f"expected a pair, the name of the hook point and the function to run there, got {type(pair).__name__}.",
        )
    name = f"blocks.{layer}.hook_resid_pre"
    if pair[0] != name:
        raise Wrong("another place", f"expected {name!r}, the stream before layer {layer}, got {pair[0]!r}.")
    copy = resid.clone()
    steered = within_time(engine.TIME_LIMIT_SECONDS, lambda: to_plain_values(pair[1](copy, hook=None)))
    if steered is None:
        raise Wrong("hook returns None", "the inner function must return the changed stream.")
    if not torch.equal(copy, resid):
        raise Wrong(
            "stream changed in place",
            "the hook must leave the stream it was given alone: resid.clone() first.",
        )
    return steered


EXERCISE = Exercise(
    id="6.6",
    title="a steering hook",
    minutes=4,
    difficulty=1,
    hints=(
        "Define a function `add(resid, hook)` inside yours: it sees `direction` and `strength`.",
        "In it, change a clone: `resid = resid.clone()`, then add to `resid[:, 1:]`, which is every position but the first, and return it.",
        'Return the pair `f"blocks.{layer}.hook_resid_pre", add`.',
    ),
    reference=steering_hook,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "first position steered, too",
            "leave the beginning-of-text token unchanged, since it is an attention sink: steer resid[:, 1:].",
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
            "another place",
            "the stream before the layer is hook_resid_pre.",
            _hook_that(_after_first(_add), name="hook_resid_post"),
        ),
    ),
)
