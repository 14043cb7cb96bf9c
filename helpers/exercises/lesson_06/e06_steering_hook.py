"""Exercise 6.6: a hook that steers."""

import torch

from helpers.exercises import engine
from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.exercises.sandbox import plain, within_time
from helpers.steering import steering_hook


def _first_position_too(direction, layer, strength):
    def add(resid, hook):
        return resid + strength * direction

    return f"blocks.{layer}.hook_resid_pre", add


def _hook_by(change, name="hook_resid_pre", shift=0):
    """A hook that puts ``change(resid, direction, strength)`` in place of the stream."""
    return lambda direction, layer, strength: (
        f"blocks.{layer + shift}.{name}",
        lambda resid, hook: change(resid, direction, strength),
    )


def _but_the_first(new):
    return lambda resid, direction, strength: torch.cat(
        [resid[:, :1], new(resid[:, 1:], direction, strength)], dim=1
    )


def _added(resid, direction, strength):
    return resid + strength * direction


def _last_position(resid, direction, strength):
    return torch.cat([resid[:, :-1], _added(resid[:, -1:], direction, strength)], dim=1)


def _run(function, layer: int, strength: float) -> torch.Tensor:
    """What the function's hook makes of a stream; first, that it is a hook, and at which place."""
    direction = torch.randn(6, generator=generator(1))
    resid = torch.randn(2, 5, 6, generator=generator(layer))
    pair = function(direction, layer, strength)
    if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and callable(pair[1])):
        raise Wrong("not a hook", "return a pair: the name of the place, and the function to run there.")
    place = f"blocks.{layer}.hook_resid_pre"
    if pair[0] != place:
        raise Wrong("another place", f"the stream before layer {layer} is {place!r}, got {pair[0]!r}.")
    given = resid.clone()
    steered = within_time(engine.TIME_LIMIT_SECONDS, lambda: plain(pair[1](given, hook=None)))
    if steered is None:
        raise Wrong("hook returns None", "the inner function must return the changed stream.")
    if not torch.equal(given, resid):
        raise Wrong(
            "stream changed in place",
            "the hook must leave the stream it was given alone: resid.clone() first.",
        )
    return steered


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
            lambda function, layer=layer, strength=strength: _run(function, layer, strength),
            expected,
            "batch pos d_model",
        )


EXERCISE = Exercise(
    id="6.6",
    title="a steering hook",
    minutes=4,
    difficulty=1,
    hints=(
        "Define a function add(resid, hook) inside yours; it sees direction and strength.",
        "In it: resid = resid.clone(), then resid[:, 1:] += strength * direction, then return resid.",
        'Return the pair f"blocks.{layer}.hook_resid_pre", add.',
    ),
    reference=steering_hook,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "first position steered, too",
            "leave the beginning-of-text token alone: heads that have nothing to say look there. resid[:, 1:].",
            _first_position_too,
        ),
        Mistake(
            "only the last position",
            "every position but the first: while the model writes, each new token must be steered, too.",
            _hook_by(_last_position),
        ),
        Mistake(
            "strength left out",
            "add strength * direction.",
            _hook_by(_but_the_first(lambda resid, direction, strength: resid + direction)),
        ),
        Mistake(
            "stream replaced",
            "add to what stands there: the direction alone erases the text.",
            _hook_by(_but_the_first(lambda resid, direction, strength: 0 * resid + strength * direction)),
        ),
        Mistake(
            "stream scaled",
            "add strength * direction, do not multiply the stream.",
            _hook_by(_but_the_first(lambda resid, direction, strength: resid * strength * direction)),
        ),
        Mistake(
            "subtracted",
            "add: a positive strength steers along the direction.",
            _hook_by(_but_the_first(lambda resid, direction, strength: resid - strength * direction)),
        ),
        Mistake(
            "direction shortened to length 1",
            "the direction has the length that it has: strength times direction, unchanged.",
            _hook_by(
                _but_the_first(
                    lambda resid, direction, strength: resid + strength * direction / direction.norm()
                )
            ),
        ),
        Mistake(
            "first text left alone",
            "resid is [batch pos d_model]: leave out the first *position*, resid[:, 1:].",
            _hook_by(
                lambda resid, direction, strength: torch.cat(
                    [resid[:1], _added(resid[1:], direction, strength)]
                )
            ),
        ),
        Mistake(
            "another place",
            "the stream before the layer is hook_resid_pre.",
            _hook_by(_but_the_first(_added), name="hook_resid_post"),
        ),
    ),
)
