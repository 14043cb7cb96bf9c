"""Stories in which indirect object identification occurs among much else: the training text of ``ioi-gpt2``.

A story is a few scenes, each with its own people. In some scenes the name that is due is the one not yet repeated (Wang et
al. 2022); in others the repeated one, the owner of a thing, or whoever a pronoun leaves. No rule shorter than "find the
person this sentence is about and copy the name" is right everywhere.
"""

import random
from collections.abc import Iterator

from helpers.ioi import HELD_OUT, NAMES, OBJECTS, PLACES

EVENTS = (
    "{A} and {B} went to the {place}",
    "{A} and {B} met at the {place}",
    "{A} and {B} had a long talk in the {place}",
    "{A} and {B} were working at the {place}",
    "{A} and {B} found a {object} in the {place}",
    "{A} and {B} were old friends",
    "{A} and {B} came to the {place}",
    "{A} and {B} were walking to the {place}",
    "{A} and {B} reached the {place}",
    "{A} and {B} were the only people in the {place}",
    "{A} and {B} lived near the {place}",
    "{A} and {B} got a {object} at the {place}",
    "{A} and {B} played in the {place}",
    "{A} and {B} were on the way to the {place}",
    "{A} and {B} had a meal at the {place}",
    "{A} and {B} waited before the {place}",
    "{A} and {B} looked for a {object} near the {place}",
    "{A} and {B} quarrelled about the {object}",
    "{A} and {B} were sitting by the fire",
    "{A} and {B} could not sleep",
    "there were only {A} and {B} in the {place}",
    "the {object} lay between {A} and {B}",
    "{A} saw {B} in the {place}",
    "{A} sat down beside {B} in the {place}",
    "{A} came to the {place} and called {B}",
    "{A} was looking for {B}",
)


ACTIONS = (
    "gave a {object} to {B}",
    "gave the {object} to {B}",
    "handed the {object} to {B}",
    "wanted to give a {object} to {B}",
    "decided to give the {object} to {B}",
    "said something to {B}",
    "decided to write to {B}",
    "sent a {object} to {B}",
    "brought the {object} to {B}",
    "sold the {object} and the {other} to {B}",
    "opened the {object} and showed it to {B}",
    "ran to {B}",
    "had a present for {B}",
    "brought a {object} and a {other} for {B}",
    "took the {object} away from {B}",
    "looked up and smiled at {B}",
    "had never been so angry with {B}",
    "would have liked to dance with {B}",
    "told a story, and nobody laughed but {B}",
    "ran away as fast as possible, followed by {B}",
    "lent a {object} to {B}",
    "offered the {object} to {B}",
    "passed the old {object} to {B}",
    "returned the {object} to {B}",
    "gave a very good {object} to {B}",
    "told a long story to {B}",
    "wrote a short letter to {B}",
    "whispered a few words to {B}",
    "said good morning to {B}",
    "spoke to {B}",
    "came up to {B}",
    "went over to {B}",
    "gave up the {object} to {B}",
    "listened to {B}",
    "bowed to {B}",
    "carried the {object} to {B}",
    "made a {object} for {B}",
    "bought the {object} for {B}",
    "kept the {object} for {B}",
    "was waiting for {B}",
    "looked at {B}",
    "shook hands with {B}",
    "shared the {object} with {B}",
    "walked away with {B}",
    "got the {object} from {B}",
    "had a letter from {B}",
)
WOMEN = set(
    [
        "Agnes",
        "Alice",
        "Amy",
        "Anna",
        "Anne",
        "Betty",
        "Caroline",
        "Catherine",
        "Charlotte",
        "Clara",
        "Diana",
        "Dorothy",
        "Edith",
        "Eleanor",
        "Elizabeth",
        "Ellen",
        "Emily",
        "Emma",
        "Esther",
        "Eva",
        "Fanny",
        "Florence",
        "Frances",
        "Grace",
        "Hannah",
        "Harriet",
        "Helen",
        "Isabel",
        "Jane",
        "Jenny",
        "Joan",
        "Julia",
        "Kate",
        "Laura",
        "Lily",
        "Louise",
        "Lucy",
        "Margaret",
        "Maria",
        "Martha",
        "Mary",
        "Molly",
        "Nancy",
        "Nora",
        "Polly",
        "Rachel",
        "Rose",
        "Ruth",
        "Sarah",
        "Sophia",
        "Susan",
    ]
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
VERBS = dict(  # an action is one of helpers.ioi.ACTIONS, or put together from these
    to=[
        "gave",
        "handed",
        "sent",
        "brought",
        "passed",
        "offered",
        "sold",
        "lent",
        "showed",
        "returned",
        "carried",
        "promised",
        "pushed",
        "rolled",
        "pulled",
        "took",
    ],
    for_=[
        "bought",
        "made",
        "found",
        "built",
        "chose",
        "saved",
        "fetched",
        "cut",
        "held",
        "mended",
        "painted",
        "cooked",
        "kept",
    ],
    from_=["took", "got", "bought", "hid", "stole", "received", "borrowed"],
    alone=[
        "smiled at",
        "waved to",
        "listened to",
        "bowed to",
        "talked with",
        "fought with",
        "walked with",
        "danced with",
        "sat with",
        "waited for",
        "looked for",
        "cared for",
        "cried for",
        "ran after",
        "walked after",
        "shouted at",
        "laughed at",
        "sang to",
        "called to",
        "went back to",
        "came closer to",
        "stayed with",
        "agreed with",
        "sat behind",
        "hid from",
        "wrote to",
        "thought of",
        "asked about",
        "knocked at the door of",
        "paid for",
        "was afraid of",
        "was kind to",
        "was angry with",
        "had nothing to say to",
        "fell in love with",
        "spent the day with",
        "made friends with",
        "shared a meal with",
        "kept a secret from",
    ],
)
ADVERBS = ["quickly", "slowly", "quietly", "suddenly", "gladly", "soon", "often", "again", "secretly"]
ADJECTIVES = [
    "new",
    "red",
    "small",
    "heavy",
    "strange",
    "pretty",
    "broken",
    "golden",
    "empty",
    "white",
    "cold",
    "best",
    "last",
    "other",
    "big",
]
STAYED = [
    "stayed",
    "slept",
    "rested",
    "hid",
    "sang",
    "danced",
    "ate",
    "stopped",
    "arrived",
    "appeared",
    "sat",
    "lay",
    "talked",
    "waited",
    "walked",
]
WHERE = ["at", "in", "near", "behind", "outside", "inside", "by", "beside"]
TRADES = [
    "baker",
    "sailor",
    "teacher",
    "doctor",
    "farmer",
    "soldier",
    "cook",
    "painter",
    "gardener",
    "hunter",
    "singer",
    "miller",
]
CLAUSES = ("When {event}, {action}.", "While {event}, {action}.", "After {event}, {action}.", "As soon as {event}, {action}.",
           "Because {event}, {action}.", "{event}, and {action}.", "{event}. Then {action}.", "{event}. After a while {action}.",
           "{event}. Later {action}.", "{event}. {aside} {Action}.", "{event}. {Action}.",
           "{event}, when {action}.", "{event}. At last {action}.", "{event}. Without a word {action}.", "Although {event}, {action}.",
           "{event}; {action}.", "It is said that {event}, and that {action}.", "{event}, where {action}.")  # fmt: skip
THINGS = [
    "bell",
    "bird",
    "candle",
    "cat",
    "dog",
    "fire",
    "horse",
    "lamp",
    "music",
    "rain",
    "river",
    "snow",
    "sun",
    "train",
    "wind",
]
HAPPENED = [
    "appeared",
    "came",
    "came back",
    "died",
    "fell",
    "grew quiet",
    "made a noise",
    "passed",
    "rose",
    "shook",
    "turned red",
    "was gone",
]
OPENINGS = (
    "When the {thing} {happened},",
    "As the {thing} {happened},",
    "Long before the {thing} {happened},",
    "Just after the {thing} {happened},",
    "Before they went home,",
    "As they had nothing to do,",
    "While nobody looked,",
    "Though it was cold,",
)
TIMES = (
    "One day",
    "Yesterday",
    "In the morning",
    "Last week",
    "At noon",
    "Once",
    "On Monday",
    "In the evening",
    "Then",
    "Now",
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
    """The words of one scene: people ``A B C D`` and their trades, a place, two different objects."""

    def __init__(self, people: list[str], rng: random.Random):
        super().__init__(zip("ABCD", people))
        self["object"], self["other"] = rng.sample(OBJECTS, 2)
        self["place"] = rng.choice(PLACES)
        self["trade"], self["other_trade"] = rng.sample(TRADES, 2)
        self["thing"], self["happened"] = rng.choice(THINGS), rng.choice(HAPPENED)

    def say(self, form: str) -> str:
        return form.format_map(self)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _some_event(rng: random.Random) -> str:
    """What two people did at a place."""
    return f"{{A}} and {{B}} {rng.choice(STAYED)} {rng.choice(WHERE)} the {{place}}"


def _some_action(rng: random.Random) -> str:
    """What A did that concerns B."""
    kind = rng.choice(list(VERBS))
    words = [rng.choice(VERBS[kind])]
    if rng.random() < 0.3:
        words.insert(0, rng.choice(ADVERBS))
    if kind != "alone":
        thing = [rng.choice(["the", "a"]), rng.choice(ADJECTIVES), "{object}"]
        words += [*(thing if rng.random() < 0.5 else thing[::2]), kind.rstrip("_")]
    return " ".join([*words, "{B}"])


def _told(rng: random.Random) -> str:
    """One of the lesson's actions, or another."""
    return rng.choice(ACTIONS) if rng.random() < 0.6 else _some_action(rng)


def _scene(rng: random.Random, first: bool) -> list[str]:
    """The sentences of one scene. ``first`` keeps a name from being the first word of the text."""
    number = rng.randrange(len(EVENTS))
    free = [name for index, name in enumerate(NAMES) if (index + number) % HELD_OUT]
    words = Scene(rng.sample(free, 4), rng)
    event = EVENTS[number] if rng.random() < 0.6 else _some_event(rng)
    kinds = {"name": 25, "order": 20, "trade": 15, "pronoun": 10, "owner": 10, "repeated": 10, "three": 10}
    kind = rng.choices(list(kinds), kinds.values())[0]
    if kind == "owner":
        opening = words.say(rng.choice(OWNERS))
        if rng.random() < 0.5:
            words["A"], words["B"] = words["B"], words["A"]
            words["object"], words["other"] = words["other"], words["object"]
        return [opening, words.say(rng.choice(RETURNS))]
    if kind == "pronoun":
        pair = [rng.choice([n for n in free if n in WOMEN]), rng.choice([n for n in free if n not in WOMEN])]
        words["A"], words["B"] = rng.sample(pair, 2)
    turned = rng.random() < 0.5  # the first to be named is the one who acts, or the second
    if kind == "three":
        event = event.replace("{A} and {B}", "{A}, {B} and {C}")
    if kind == "trade":
        event = event.replace("{A}", "{A}, the {trade},", 1).replace("{B}", "{B}, the {other_trade},", 1)
        event = event.removesuffix(",")
    event = words.say(event)
    if turned:
        words["A"], words["B"] = words["B"], words["A"]
        words["trade"], words["other_trade"] = words["other_trade"], words["trade"]
    if kind == "three" and rng.random() < 0.5:
        words["A"], words["C"] = words["C"], words["A"]
    actor = {
        "order": rng.choice([("the former", "the latter"), ("the first of them", "the second of them")])[
            turned
        ],
        "trade": "the {trade}",
        "pronoun": "she" if words["A"] in WOMEN else "he",
    }.get(kind, "{A}")
    action = words.say(rng.choice(REPEATED).rstrip(".") if kind == "repeated" else f"{actor} {_told(rng)}")
    clause = rng.choice(CLAUSES)
    if clause.startswith("{event}") and (first or rng.random() < 0.4):
        event = f"{words.say(rng.choice(rng.choice((TIMES, OPENINGS))))} {event}"
    parts = dict(event=event, action=action, Action=_capital(action), aside=words.say(rng.choice(ASIDES)))
    sentences = [_capital(clause.format_map(parts))]
    if rng.random() < 0.4:
        sentences.append(words.say(rng.choice(FOLLOWING)))
    if rng.random() < 0.35:
        if rng.random() < 0.5:
            words["A"], words["B"] = words["B"], words["A"]
        sentences.append(words.say(f"{{A}} {_told(rng)}."))
    return sentences


def stories(seed: int) -> Iterator[str]:
    """Endless stories of one to five scenes; the same ones for the same seed."""
    rng = random.Random(seed)
    while True:
        scenes = [
            sentence for number in range(rng.randint(1, 5)) for sentence in _scene(rng, first=number == 0)
        ]
        yield " ".join(scenes)
