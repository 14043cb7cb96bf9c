"""Stories in which indirect object identification occurs among much else: the training text of ``ioi-gpt2``.

A story is a few scenes, each with its own people. In some scenes the name that is due is the one not yet repeated (Wang et
al. 2022); in others the repeated one, the owner of a thing, or whoever a pronoun leaves. No rule shorter than "find the
person this sentence is about and copy the name" is right everywhere.
"""

import random
from collections.abc import Iterator

from helpers.ioi import ACTIONS, HELD_OUT, NAMES, OBJECTS, OPENERS, PLACES

WOMEN = set(
    "Agnes Alice Amy Anna Anne Betty Caroline Catherine Charlotte Clara Diana Dorothy Edith Eleanor Elizabeth Ellen Emily Emma "
    "Esther Eva Fanny Florence Frances Grace Hannah Harriet Helen Isabel Jane Jenny Joan Julia Kate Laura Lily Louise Lucy Margaret "
    "Maria Martha Mary Molly Nancy Nora Polly Rachel Rose Ruth Sarah Sophia Susan".split()
)
OWNERS = (
    "The {object} belonged to {A}, and the {other} belonged to {B}.",
    "There was a {object} that {A} had bought, and a {other} that {B} had made.",
    "In the {place} stood the {object} of {A} and the {other} of {B}.",
    "On Monday {A} lost a {object} in the {place}, and {B} lost a {other}.",
)
RETURNS = (
    "{C} found the {object} and took it to {A}.",
    "Somebody broke the {object}, and nobody dared to tell {A}.",
    "{C} asked who wanted the {object}, and it was given to {A}.",
    "When {C} saw the {object}, there was only one thing to do: send it to {A}.",
    "For the {object} everybody had to thank {A}.",
)
REPEATED = (
    "{A} took the {object}, for it belonged to {A}.",
    "{A} fell ill that day, and {B} called a doctor for {A}.",
    "{A} was late, so {B} had to wait for {A}.",
    "{A} hid behind the {object}, and {B} could not find {A}.",
    "{A} sang a song, and {B} listened to {A}.",
    "{B} looked at {A}, and everybody else looked at {A}.",
    "{A} had won, and {B} shook hands with {A}.",
)
PRONOUNS = (
    "{He} gave the {object} to {B}.",
    "{He} wanted to talk to {B}.",
    "{He} showed the {object} to {B}.",
    "{He} asked for the {object} and thanked {B}.",
)
FOLLOWING = (
    "{B} was very glad.",
    "{B} put the {object} into the {other}.",
    "Then they both went home.",
    "They laughed about it for a long time.",
    "It was a good day for {A} and {B}.",
    '"Thank you," said {B}.',
    '"What a fine {object}," said {B} to {A}.',
    "Nobody else was in the {place}.",
    "The {object} was never seen again.",
    "{A} said nothing.",
)
ASIDES = (
    "It was raining outside.",
    "The {place} was full of people.",
    "An old {other} stood by the door.",
    "It was late in the evening.",
    "The bell of the church rang.",
)


class Scene(dict):
    """The words of one scene: people ``A B C D``, a place, two different objects, the pronoun of ``A``."""

    def __init__(self, people: list[str], rng: random.Random):
        super().__init__(zip("ABCD", people))
        self["object"], self["other"] = rng.sample(OBJECTS, 2)
        self["place"] = rng.choice(PLACES)
        self["he"] = "she" if people[0] in WOMEN else "he"
        self["He"] = self["he"].capitalize()

    def say(self, form: str) -> str:
        return form.format_map(self)

    def swapped(self, rng: random.Random) -> "Scene":
        """The same scene with ``A`` and ``B`` exchanged half of the time."""
        scene = Scene.__new__(Scene)
        dict.__init__(scene, self)
        if rng.random() < 0.5:
            scene["A"], scene["B"] = self["B"], self["A"]
        return scene


def scene(rng: random.Random, first: bool) -> list[str]:
    """The sentences of one scene. ``first`` keeps a name from being the first word of the text."""
    number = rng.choice(
        [number for number in range(len(OPENERS)) if not (first and OPENERS[number][0] == "{")]
    )
    free = [name for index, name in enumerate(NAMES) if (index + number) % HELD_OUT]
    words, opener = Scene(rng.sample(free, 4), rng), OPENERS[number]
    kind = rng.choices(("ioi", "repeated", "owner", "pronoun", "three"), (40, 15, 20, 10, 15))[0]
    if kind == "owner":
        opening = words.say(rng.choice(OWNERS))
        if rng.random() < 0.5:
            words["A"], words["B"] = words["B"], words["A"]
            words["object"], words["other"] = words["other"], words["object"]
        return [opening, words.say(rng.choice(RETURNS))]
    if kind == "pronoun":
        couple = [
            rng.choice([n for n in free if n in WOMEN]),
            rng.choice([n for n in free if n not in WOMEN]),
        ]
        words = Scene(rng.sample(couple, 2), rng)
        opening = words.swapped(rng).say(opener)
        return join(opening, rng.choice(PRONOUNS), rng, words)
    if kind == "three":
        opener = opener.replace("{A} and {B}", "{A}, {B} and {C}")
    opening, words = words.say(opener), words.swapped(rng)
    if kind == "three" and rng.random() < 0.5:
        words["A"], words["C"] = words["C"], words["A"]
    return join(opening, rng.choice(REPEATED if kind == "repeated" else ACTIONS), rng, words)


def join(opening: str, action: str, rng: random.Random, words: Scene) -> list[str]:
    """Opening and action, one sentence where the opening is a clause; often another action or a remark after them."""
    if opening.endswith(","):
        sentences = [f"{opening} {words.say(action.replace('{He}', '{he}'))}"]
    else:
        sentences = [opening, *[words.say(rng.choice(ASIDES))] * (rng.random() < 0.25), words.say(action)]
    if rng.random() < 0.4:
        sentences.append(words.say(rng.choice(FOLLOWING)))
    if rng.random() < 0.35:
        sentences.append(words.swapped(rng).say(rng.choice(ACTIONS)))
    return sentences


def stories(seed: int) -> Iterator[str]:
    """Endless stories of one to five scenes; the same ones for the same seed."""
    rng = random.Random(seed)
    while True:
        scenes = [
            sentence for number in range(rng.randint(1, 5)) for sentence in scene(rng, first=number == 0)
        ]
        yield " ".join(scenes)
