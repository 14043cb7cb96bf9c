"""Behaviours of a language model: prompts with a right and a wrong answer, and named positions.

Five behaviours: "ioi", "induction" (on names), "successor" (days, months, numbers), "capitals" and
"agreement" (subject and verb). Prompts come in pairs with one template, one last token, and right
and wrong answer exchanged. So a model that moves no information to the last position has a logit
difference of exactly 0 in each pair. Templates and words are in ``data/behaviours.json``.

Wang et al. 2022 (IOI), Olsson et al. 2022 (induction), Gould et al. 2023 (successor), Linzen et al.
2016 (agreement).
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from helpers.ioi import NAMES, single_token, single_token_words
from helpers.models import DATA

_DATA = json.loads((DATA / "behaviours.json").read_text(encoding="utf-8"))
_SLOT = re.compile(r" ?\{(.*?)\}")
AFTER = " +1"  # "S1 +1": the position after S1


class Prompt(NamedTuple):
    """One prompt: the words in its slots, those of its corrupted version, and both answers."""

    words: dict[str, str]
    corrupted_words: dict[str, str]
    right: str
    wrong: str
    variant: str


@dataclass(frozen=True)
class BehaviourPrompts:
    """Prompts of one behaviour and one length; ``[prompt]`` unless noted."""

    name: str
    tokens: Int[Tensor, "prompt pos"]
    corrupted: Int[Tensor, "prompt pos"]  # without the information that the answer needs
    right: Int[Tensor, " prompt"]
    wrong: Int[Tensor, " prompt"]
    template: Int[Tensor, " prompt"]
    variants: list[str]  # of each prompt: what must not cancel, e.g. "ABBA" or "BABA"
    positions: dict[str, Int[Tensor, " prompt"]]  # by label; they depend on the template alone

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def cell(self) -> Int[Tensor, " prompt"]:
        """Number of each prompt's cell: the prompts of one template and one variant."""
        names = [f"{template} {variant}" for template, variant in zip(self.template.tolist(), self.variants)]
        return torch.tensor([list(dict.fromkeys(names)).index(name) for name in names])


def behaviour_prompts(
    tokenizer, name: str, hidden: bool = False, rounds: int = 1, seed: int = 0
) -> BehaviourPrompts:
    """Return prompts of a behaviour: ``rounds`` times all variants of each template, in pairs.

    ``hidden``: other templates, and other names, countries and nouns. Templates whose length in
    tokens is not the most frequent one are left out. Raises ``ValueError`` for an unknown name, and
    where the tokenizer splits too many of the words.

    >>> from helpers.models import load_model
    >>> tokenizer = load_model("attn-only-2l").tokenizer
    >>> prompts = behaviour_prompts(tokenizer, "ioi")
    >>> tokenizer.decode(prompts.tokens[0, prompts.positions["S2"][0]])
    ' Fred'
    """
    if name not in BEHAVIOURS:
        raise ValueError(f"expected a behaviour among {', '.join(BEHAVIOURS)}, got {name!r}.")
    rng = random.Random(f"{name} {hidden} {seed}")
    words = _Words(tokenizer, hidden)
    entries = _DATA["templates"][name]["hidden" if hidden else "visible"]
    rows, answers = [], []
    for number, entry in enumerate(entries):
        template, *options = [entry] if isinstance(entry, str) else entry
        for _ in range(rounds):
            for prompt in BEHAVIOURS[name](rng, words, *options):
                tokens, positions = _encode(tokenizer, template, prompt.words)
                corrupted, _ = _encode(tokenizer, template, prompt.corrupted_words)
                rows.append((tokens, corrupted, positions))
                right, wrong = (single_token(tokenizer, word) for word in (prompt.right, prompt.wrong))
                answers.append((right, wrong, number, prompt.variant))
    lengths = [len(tokens) for tokens, _, _ in rows]
    most = max(lengths, key=lengths.count)
    rows, answers = zip(*[pair for pair, length in zip(zip(rows, answers), lengths) if length == most])
    tokens, corrupted, positions = zip(*rows)
    right, wrong, template, variants = zip(*answers)
    shared = [label for label in positions[0] if all(label in row for row in positions)]
    by_label = {label: torch.tensor([row[label] for row in positions]) for label in shared}
    tensors = (torch.tensor(values) for values in (tokens, corrupted, right, wrong, template))
    return BehaviourPrompts(name, *tensors, list(variants), by_label)


def available(tokenizer) -> list[str]:
    """Return the behaviours whose words are single tokens of a tokenizer.

    >>> from helpers.models import load_model
    >>> "ioi" in available(load_model("attn-only-2l").tokenizer)
    True
    """
    names = []
    for name in BEHAVIOURS:
        try:
            for hidden in (False, True):
                behaviour_prompts(tokenizer, name, hidden)
        except ValueError:
            continue
        names.append(name)
    return names


class _Words:
    """The words of one half, hidden or not, that are single tokens."""

    def __init__(self, tokenizer, hidden: bool):
        self.tokenizer, half = tokenizer, slice(int(hidden), None, 2)
        self.names = single_token_words(tokenizer, NAMES[half])
        self.capitals = self._whole(_DATA["capitals"][half])
        self.nouns = self._whole(_DATA["nouns"][half])

    def _whole(self, pairs: list[list[str]]) -> list[list[str]]:
        return [pair for pair in pairs if len(single_token_words(self.tokenizer, pair)) == 2]


def _encode(tokenizer, template: str, words: dict[str, str]) -> tuple[list[int], dict[str, int]]:
    """Tokens of a template with words in its slots, and the position of each label."""
    tokens, positions = [tokenizer.bos_token_id], {}
    for number, part in enumerate(_SLOT.split(template)):
        if number % 2:  # a slot
            positions[part] = len(tokens)
            tokens.append(single_token(tokenizer, words[part]))
        elif part:
            tokens += tokenizer(part, add_special_tokens=False).input_ids
    after = {slot + AFTER: position + 1 for slot, position in positions.items()}
    labelled = positions | {"END": len(tokens) - 1}
    free = {label: pos for label, pos in after.items() if pos not in labelled.values() and pos < len(tokens)}
    return tokens, dict(sorted((labelled | free).items(), key=lambda entry: entry[1]))


def _ioi(rng: random.Random, words: _Words) -> Iterator[Prompt]:
    a, b, *others = rng.sample(words.names, len(words.names))
    for io_first in (True, False):
        for io, s in ((a, b), (b, a)):
            first, second = (io, s) if io_first else (s, io)
            names = {"name 1": first, "name 2": second, "S2": s}
            corrupted = dict(zip(names, rng.sample(others, 3)))
            yield Prompt(names, corrupted, io, s, "ABBA" if io_first else "BABA")


def _induction(rng: random.Random, words: _Words) -> Iterator[Prompt]:
    a, b, c, d, *others = rng.sample(words.names, len(words.names))
    slots = ("first 1", "second 1", "first 2", "second 2", "END")
    for asked in (0, 1):
        for x, y in ((b, d), (d, b)):
            names = dict(zip(slots, (a, x, c, y, (a, c)[asked])))
            right, wrong = ((x, y), (y, x))[asked]
            yield Prompt(names, dict(zip(slots, rng.sample(others, 5))), right, wrong, f"pair {asked + 1}")


def _successor(rng: random.Random, words: _Words, kind: str) -> Iterator[Prompt]:
    items = _DATA["sequences"][kind]
    cyclic, n = kind in ("days", "months"), len(items)
    starts = range(n if cyclic else n - 2)
    pairs = [(x, y) for x in starts for y in starts if (y - x) % n in range(3, n - 2)]  # no common item
    for start, rival in (run for x, y in rng.sample(pairs, 2) for run in ((x, y), (y, x))):
        first, second, right, wrong = (items[i % n] for i in (start, start + 1, start + 2, rival + 2))
        unordered = rng.sample([item for item in items if item not in (first, second)], 2)
        corrupted = dict(zip(("item 1", "item 2"), unordered))
        yield Prompt({"item 1": first, "item 2": second}, corrupted, right, wrong, kind)


def _capitals(rng: random.Random, words: _Words) -> Iterator[Prompt]:
    for pairs in (rng.sample(words.capitals, 4) for _ in range(2)):
        for (country, capital), (_, wrong), (corrupted, _) in (pairs[:3], (pairs[1], pairs[0], pairs[3])):
            yield Prompt({"country": country}, {"country": corrupted}, capital, wrong, "")


def _agreement(rng: random.Random, words: _Words, singular: str, plural: str) -> Iterator[Prompt]:
    subject, attractor, corrupted = rng.sample(words.nouns, 3)
    for differ in (0, 1):
        for number in (0, 1):
            slots = {"subject": subject[number], "attractor": attractor[number ^ differ]}
            right, wrong = ((singular, plural), (plural, singular))[number]
            variant = "attractor of another number" if differ else "attractor of the same number"
            yield Prompt(slots, slots | {"subject": corrupted[differ]}, right, wrong, variant)


BEHAVIOURS: dict[str, Callable[..., Iterator[Prompt]]] = {
    "ioi": _ioi,
    "induction": _induction,
    "successor": _successor,
    "capitals": _capitals,
    "agreement": _agreement,
}
