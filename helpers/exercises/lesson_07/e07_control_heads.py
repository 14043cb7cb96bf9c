"""Exercise 7.7: random heads of the same layers, as controls."""

from collections import Counter
from operator import ne

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong


def control_heads(heads: list[tuple[int, int]], n_heads: int, seed: int) -> list[tuple[int, int]]:
    """Return a random head of the same layer for each (layer, head): none of them, none twice."""
    generator = torch.Generator().manual_seed(seed)
    controls = []
    for layer, _ in heads:
        every = [(layer, head) for head in range(n_heads)]
        free = [head for head in every if head not in heads and head not in controls]
        controls.append(free[torch.randint(len(free), (1,), generator=generator)])
    return controls


EXPLANATIONS = {
    "one control for each head": "expected as many controls as heads, one for each.",
    "pairs of layer and head": "expected a list of pairs (layer, head) of whole numbers.",
    "no such head": "expected heads from 0 to n_heads - 1.",
    "another layer": "each control must be a head of the layer of its head.",
    "layers in another order": "control i belongs to head i: keep the order of the heads.",
    "chosen heads among the controls": "a control that is among the heads is no control. Leave out all of them, "
    "not only the one it stands for.",
    "a control twice": "no control may come twice. Leave out those that were drawn before.",
    "not random": "another seed must give other controls: draw with a generator of this seed.",
    "seed ignored": "equal seeds must give equal controls: torch.Generator().manual_seed(seed).",
    "not equally likely": "all free heads of the layer must be equally likely, also those with the number of "
    "a head or control in another layer.",
    "same draw for every head": "draw each control anew. One generator, made before the loop, goes on from draw to draw.",
}
CASES = (  # heads, n_heads
    ([(2, 4), (0, 1), (2, 0), (5, 3), (2, 1)], 7),
    ([(1, 0), (1, 2)], 4),  # the second control is the only head left
    ([(3, 2)], 5),
    ([(0, 5), (4, 5)], 9),
)
UNIFORM_CASES = (([(0, 5), (4, 5)], 9), ([(0, 1), (4, 6), (0, 2), (0, 3)], 9))
DRAWS = 400  # seeds: a right answer is refused once in 10,000 times


def _has_the_properties(trial: Trial) -> None:
    """No expected heads: the properties of every right answer, for many seeds."""
    for heads, n_heads in CASES:
        for seed in range(25):
            _check_controls(_pairs(trial.call(heads, n_heads, seed)), heads, n_heads)


def _draws_with_the_seed(trial: Trial) -> None:
    heads, n_heads = CASES[0]
    draws = [_pairs(trial.call(heads, n_heads, seed)) for seed in range(10)]
    _refuse("not random", all(draw == draws[0] for draw in draws))
    _refuse(
        "seed ignored", any(_pairs(trial.call(heads, n_heads, seed)) != draws[seed] for seed in range(10))
    )


def _is_uniform(trial: Trial) -> None:
    """Frequencies of single controls, and of pairs in two layers, over many seeds."""
    for heads, n_heads in UNIFORM_CASES:
        draws = [_pairs(trial.call(heads, n_heads, seed)) for seed in range(DRAWS)]
        equal = sum(first[1] == second[1] for first, second, *_ in draws)
        _refuse("same draw for every head", equal > DRAWS / 3)
        for place in (0, 1):
            counts = Counter(draw[place][1] for draw in draws)
            free = _free(heads[place][0], heads, [], n_heads)
            times = [counts[head] * len(free) / DRAWS for _, head in free]  # 1 if equally likely
            _refuse("not equally likely", min(times) < 0.4 or max(times) > 1.9 or equal == 0)


def _pairs(controls: object) -> list[tuple[int, int]]:
    """The controls as pairs of whole numbers."""
    if isinstance(controls, torch.Tensor):
        controls = controls.tolist()
    if not isinstance(controls, list | tuple):
        raise Wrong("wrong type", f"expected a list of pairs (layer, head), got {type(controls).__name__}.")
    pairs = []
    for control in controls:
        numbers = control.tolist() if isinstance(control, torch.Tensor) else control
        _refuse("pairs of layer and head", not isinstance(numbers, list | tuple) or len(numbers) != 2)
        try:
            pair = tuple(int(number) for number in numbers)
            _refuse("pairs of layer and head", any(map(ne, pair, numbers)))
        except (TypeError, ValueError, OverflowError, RuntimeError):
            _refuse("pairs of layer and head", True)
        pairs.append(pair)
    return pairs


def _check_controls(controls: list[tuple[int, int]], heads: list[tuple[int, int]], n_heads: int) -> None:
    _refuse("one control for each head", len(controls) != len(heads))
    layers, expected = [layer for layer, _ in controls], [layer for layer, _ in heads]
    _refuse("layers in another order", layers != expected and sorted(layers) == sorted(expected))
    _refuse("another layer", layers != expected)
    _refuse("no such head", not all(0 <= head < n_heads for _, head in controls))
    _refuse("chosen heads among the controls", bool(set(controls) & set(heads)))
    _refuse("a control twice", len(set(controls)) < len(controls))


def _refuse(diagnosis: str, condition: bool) -> None:
    if condition:
        raise Wrong(diagnosis, EXPLANATIONS[diagnosis])


def _drawn(free_heads, generators=lambda seed, place: None):
    """Controls drawn from ``free_heads(layer, heads, controls, n_heads)``."""

    def answer(heads, n_heads, seed):
        generator, controls = torch.Generator().manual_seed(seed), []
        for place, (layer, _) in enumerate(heads):
            free = free_heads(layer, heads, controls, n_heads)
            drawn = torch.randint(len(free), (1,), generator=generators(seed, place) or generator)
            controls.append(free[drawn])
        return controls

    return answer


def _free(layer, heads, controls, n_heads):
    every = [(layer, head) for head in range(n_heads)]
    return [head for head in every if head not in heads and head not in controls]


def _of_any_layer(layer, heads, controls, n_heads):
    layers = range(max(layer for layer, _ in heads) + 1)
    every = [(i, head) for i in layers for head in range(n_heads)]
    return [head for head in every if head not in heads and head not in controls]


MISTAKES = {
    "chosen heads among the controls": _drawn(
        lambda layer, heads, controls, n_heads: [
            (layer, head) for head in range(n_heads) if (layer, head) not in controls
        ]
    ),
    "a control twice": _drawn(lambda layer, heads, controls, n_heads: _free(layer, heads, [], n_heads)),
    "another layer": _drawn(_of_any_layer),
    "layers in another order": lambda heads, n_heads, seed: control_heads(sorted(heads), n_heads, seed),
    "not random": lambda heads, n_heads, seed: control_heads(heads, n_heads, 0),
    "seed ignored": _drawn(_free, lambda seed, place: torch.default_generator),
    "same draw for every head": _drawn(_free, lambda seed, place: torch.Generator().manual_seed(seed)),
    "not equally likely": _drawn(
        lambda *arguments: [*_free(*arguments), *2 * _free(*arguments)[:1]],
    ),
    "one control for each head": lambda heads, n_heads, seed: list(
        dict(zip((layer for layer, _ in heads), control_heads(heads, n_heads, seed))).values()
    ),
    "pairs of layer and head": lambda heads, n_heads, seed: [
        head for _, head in control_heads(heads, n_heads, seed)
    ],
}

EXERCISE = Exercise(
    id="7.7",
    title="random heads of the same layers",
    minutes=7,
    difficulty=2,
    hints=(
        "Go through `heads` one by one. List the heads of this layer that are neither in `heads` nor among the "
        "controls drawn so far.",
        "`generator = torch.Generator().manual_seed(seed)`, once, before the loop. "
        "Then `torch.randint(len(free), (1,), generator=generator)` draws an index.",
    ),
    reference=control_heads,
    tests=(_has_the_properties, _draws_with_the_seed, _is_uniform),
    mistakes=tuple(Mistake(name, EXPLANATIONS[name], answer) for name, answer in MISTAKES.items()),
)
