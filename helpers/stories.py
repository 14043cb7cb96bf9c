"""Stories that hold indirect object identification among much else: training text of ``ioi-gpt2``.

A story has one to five scenes, each with its own people. In some scenes the last name is the one
not yet repeated (Wang et al. 2022). In others it is the repeated one, the owner of a thing, or the
person whom a pronoun or a trade leaves. No rule shorter than "find the person this sentence is
about and copy the name" is right everywhere.
"""

import random
from collections.abc import Iterator

from helpers.ioi import HELD_OUT_MODULUS, NAMES, OBJECTS, PLACES


def stories(seed: int) -> Iterator[str]:
    """Yield endless stories of one to five scenes, the same ones for the same seed.

    >>> next(stories(seed=2))[:66]
    'It is said that Caroline and Joseph had a long talk in the harbour'
    """
    rng = random.Random(seed)
    while True:
        scenes = [
            sentence for number in range(rng.randint(1, 5)) for sentence in _scene(rng, first=number == 0)
        ]
        yield " ".join(scenes)


class Scene(dict):
    """Words of one scene: people ``A B C D``, trades, a place, objects, a thing that happened."""

    def __init__(self, people: list[str], rng: random.Random):
        super().__init__(zip("ABCD", people))
        self["object"], self["other"] = rng.sample(OBJECTS, 2)
        self["place"] = rng.choice(PLACES)
        self["trade"], self["other_trade"] = rng.sample(TRADES, 2)
        self["thing"], self["happened"] = rng.choice(THINGS), rng.choice(HAPPENED)

    def say(self, form: str) -> str:
        return form.format_map(self)

    def swap(self, first: str, second: str) -> None:
        self[first], self[second] = self[second], self[first]


# How often the last name of a scene can be found in each way, in percent.
KINDS = {"name": 25, "order": 20, "trade": 15, "pronoun": 10, "owner": 10, "repeated": 10, "three": 10}


def _scene(rng: random.Random, first: bool) -> list[str]:
    """Sentences of one scene. ``first`` keeps a name from being the first word of the text."""
    number = rng.randrange(len(EVENTS))
    allowed = [name for index, name in enumerate(NAMES) if (index + number) % HELD_OUT_MODULUS]
    scene = Scene(rng.sample(allowed, 4), rng)
    event = EVENTS[number] if rng.random() < 0.6 else _composed_event(rng)
    kind = rng.choices(list(KINDS), KINDS.values())[0]
    if kind == "owner":
        return _owner_scene(scene, rng)
    if kind == "pronoun":
        women = [name for name in allowed if name in WOMEN]
        men = [name for name in allowed if name not in WOMEN]
        scene["A"], scene["B"] = rng.sample([rng.choice(women), rng.choice(men)], 2)
    second_acts = rng.random() < 0.5
    event = scene.say(_with_people_of(kind, event))
    if second_acts:
        scene.swap("A", "B")
        scene.swap("trade", "other_trade")
    if kind == "three" and rng.random() < 0.5:
        scene.swap("A", "C")
    action = _action(scene, kind, second_acts, rng)
    return [_sentence(scene, event, action, first, rng), *_afterwards(scene, rng)]


def _owner_scene(scene: Scene, rng: random.Random) -> list[str]:
    """Two people own a thing each, and one of the things goes back to its owner."""
    opening = scene.say(rng.choice(OWNERS))
    if rng.random() < 0.5:
        scene.swap("A", "B")
        scene.swap("object", "other")
    return [opening, scene.say(rng.choice(RETURNS))]


def _with_people_of(kind: str, event: str) -> str:
    """The form of an event with a third person, or with everybody's trade."""
    if kind == "three":
        return event.replace("{A} and {B}", "{A}, {B} and {C}")
    if kind == "trade":
        event = event.replace("{A}", "{A}, the {trade},", 1).replace("{B}", "{B}, the {other_trade},", 1)
        return event.removesuffix(",")
    return event


def _action(scene: Scene, kind: str, second_acts: bool, rng: random.Random) -> str:
    """A clause in which A, called as the kind of scene demands, does something that concerns B."""
    orders = rng.choice([("the former", "the latter"), ("the first of them", "the second of them")])
    actors = {
        "order": orders[second_acts],
        "trade": "the {trade}",
        "pronoun": "she" if scene["A"] in WOMEN else "he",
    }
    if kind == "repeated":
        return scene.say(rng.choice(REPEATED).rstrip("."))
    return scene.say(f"{actors.get(kind, '{A}')} {_any_action(rng)}")


def _sentence(scene: Scene, event: str, action: str, first: bool, rng: random.Random) -> str:
    """Event and action in one clause, in some cases after a time or an opening."""
    clause = rng.choice(CLAUSES)
    if clause.startswith("{event}") and (first or rng.random() < 0.4):
        event = f"{scene.say(rng.choice(rng.choice((TIMES, OPENINGS))))} {event}"
    aside = scene.say(rng.choice(ASIDES))
    return _capital(clause.format(event=event, action=action, Action=_capital(action), aside=aside))


def _afterwards(scene: Scene, rng: random.Random) -> list[str]:
    """Up to two more sentences about the same people."""
    sentences = []
    if rng.random() < 0.4:
        sentences.append(scene.say(rng.choice(FOLLOWING)))
    if rng.random() < 0.35:
        if rng.random() < 0.5:
            scene.swap("A", "B")
        sentences.append(scene.say(f"{{A}} {_any_action(rng)}."))
    return sentences


def _any_action(rng: random.Random) -> str:
    """One of ``ACTIONS``, or a composed one."""
    return rng.choice(ACTIONS) if rng.random() < 0.6 else _composed_action(rng)


def _composed_action(rng: random.Random) -> str:
    """An action of A that concerns B: a verb and, in some cases, an adverb and a thing."""
    kind = rng.choice(list(VERBS))
    words = [rng.choice(VERBS[kind])]
    if rng.random() < 0.3:
        words.insert(0, rng.choice(ADVERBS))
    if kind != "alone":
        thing = [rng.choice(["the", "a"]), rng.choice(ADJECTIVES), "{object}"]
        words += [*(thing if rng.random() < 0.5 else thing[::2]), kind.rstrip("_")]
    return " ".join([*words, "{B}"])


def _composed_event(rng: random.Random) -> str:
    """An event of A and B at a place."""
    return f"{{A}} and {{B}} {rng.choice(STAYED)} {rng.choice(PREPOSITIONS)} the {{place}}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


# The words. They are part of the training recipe: another word or order gives other stories.
# fmt: off
EVENTS = (  # what two people did; the number of an event decides which names are held out of it
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
ACTIONS = (  # what A did that concerns B
    "gave a {object} to {B}", "gave the {object} to {B}", "handed the {object} to {B}",
    "wanted to give a {object} to {B}", "decided to give the {object} to {B}", "said something to {B}",
    "decided to write to {B}", "sent a {object} to {B}", "brought the {object} to {B}",
    "sold the {object} and the {other} to {B}", "opened the {object} and showed it to {B}", "ran to {B}",
    "had a present for {B}", "brought a {object} and a {other} for {B}", "took the {object} away from {B}",
    "looked up and smiled at {B}", "had never been so angry with {B}", "would have liked to dance with {B}",
    "told a story, and nobody laughed but {B}", "ran away as fast as possible, followed by {B}",
    "lent a {object} to {B}", "offered the {object} to {B}", "passed the old {object} to {B}",
    "returned the {object} to {B}", "gave a very good {object} to {B}", "told a long story to {B}",
    "wrote a short letter to {B}", "whispered a few words to {B}", "said good morning to {B}",
    "spoke to {B}", "came up to {B}", "went over to {B}", "gave up the {object} to {B}", "listened to {B}",
    "bowed to {B}", "carried the {object} to {B}", "made a {object} for {B}", "bought the {object} for {B}",
    "kept the {object} for {B}", "was waiting for {B}", "looked at {B}", "shook hands with {B}",
    "shared the {object} with {B}", "walked away with {B}", "got the {object} from {B}",
    "had a letter from {B}",
)
VERBS = dict(  # an action is one of ACTIONS, or composed of these
    to=[
        "gave", "handed", "sent", "brought", "passed", "offered", "sold", "lent", "showed", "returned",
        "carried", "promised", "pushed", "rolled", "pulled", "took",
    ],
    for_=[
        "bought", "made", "found", "built", "chose", "saved", "fetched", "cut", "held", "mended", "painted",
        "cooked", "kept",
    ],
    from_=["took", "got", "bought", "hid", "stole", "received", "borrowed"],
    alone=[
        "smiled at", "waved to", "listened to", "bowed to", "talked with", "fought with", "walked with",
        "danced with", "sat with", "waited for", "looked for", "cared for", "cried for", "ran after",
        "walked after", "shouted at", "laughed at", "sang to", "called to", "went back to", "came closer to",
        "stayed with", "agreed with", "sat behind", "hid from", "wrote to", "thought of", "asked about",
        "knocked at the door of", "paid for", "was afraid of", "was kind to", "was angry with",
        "had nothing to say to", "fell in love with", "spent the day with", "made friends with",
        "shared a meal with", "kept a secret from",
    ],
)
ADVERBS = [
    "quickly", "slowly", "quietly", "suddenly", "gladly", "soon", "often", "again", "secretly",
]
ADJECTIVES = [
    "new", "red", "small", "heavy", "strange", "pretty", "broken", "golden", "empty", "white", "cold",
    "best", "last", "other", "big",
]
STAYED = [
    "stayed", "slept", "rested", "hid", "sang", "danced", "ate", "stopped", "arrived", "appeared", "sat",
    "lay", "talked", "waited", "walked",
]
PREPOSITIONS = ["at", "in", "near", "behind", "outside", "inside", "by", "beside"]
TRADES = [
    "baker", "sailor", "teacher", "doctor", "farmer", "soldier", "cook", "painter", "gardener", "hunter",
    "singer", "miller",
]
THINGS = [
    "bell", "bird", "candle", "cat", "dog", "fire", "horse", "lamp", "music", "rain", "river", "snow", "sun",
    "train", "wind",
]
HAPPENED = [
    "appeared", "came", "came back", "died", "fell", "grew quiet", "made a noise", "passed", "rose", "shook",
    "turned red", "was gone",
]
WOMEN = {
    "Agnes", "Alice", "Amy", "Anna", "Anne", "Betty", "Caroline", "Catherine", "Charlotte", "Clara", "Diana",
    "Dorothy", "Edith", "Eleanor", "Elizabeth", "Ellen", "Emily", "Emma", "Esther", "Eva", "Fanny",
    "Florence", "Frances", "Grace", "Hannah", "Harriet", "Helen", "Isabel", "Jane", "Jenny", "Joan", "Julia",
    "Kate", "Laura", "Lily", "Louise", "Lucy", "Margaret", "Maria", "Martha", "Mary", "Molly", "Nancy",
    "Nora", "Polly", "Rachel", "Rose", "Ruth", "Sarah", "Sophia", "Susan",
}
TIMES = (
    "One day", "Yesterday", "In the morning", "Last week", "At noon", "Once", "On Monday", "In the evening",
    "Then", "Now",
)
OPENINGS = (
    "When the {thing} {happened},", "As the {thing} {happened},", "Long before the {thing} {happened},",
    "Just after the {thing} {happened},", "Before they went home,", "As they had nothing to do,",
    "While nobody looked,", "Though it was cold,",
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
    "{A} fell ill that day, and {B} called a doctor for {A}.", "{A} was late, so {B} had to wait for {A}.",
    "{A} hid behind the {object}, and {B} could not find {A}.", "{A} sang a song, and {B} listened to {A}.",
    "{B} looked at {A}, and everybody else looked at {A}.", "{A} had won, and {B} shook hands with {A}.",
)
CLAUSES = (
    "When {event}, {action}.", "While {event}, {action}.", "After {event}, {action}.",
    "As soon as {event}, {action}.", "Because {event}, {action}.", "{event}, and {action}.",
    "{event}. Then {action}.", "{event}. After a while {action}.", "{event}. Later {action}.",
    "{event}. {aside} {Action}.", "{event}. {Action}.", "{event}, when {action}.",
    "{event}. At last {action}.", "{event}. Without a word {action}.", "Although {event}, {action}.",
    "{event}; {action}.", "It is said that {event}, and that {action}.", "{event}, where {action}.",
)
FOLLOWING = (
    "{B} was very glad.", "{B} put the {object} into the {other}.", "Then they both went home.",
    "They laughed about it for a long time.", "It was a good day for {A} and {B}.", '"Thank you," said {B}.',
    '"What a fine {object}," said {B} to {A}.', "Nobody else was in the {place}.",
    "The {object} was never seen again.", "{A} said nothing.",
)
ASIDES = (
    "It was raining outside.", "The {place} was full of people.", "An old {other} stood by the door.",
    "It was late in the evening.", "The bell of the church rang.",
)
# fmt: on
