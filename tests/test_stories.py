"""The stories that ``ioi-gpt2`` was trained on."""

import re
from itertools import islice

from transformers import PreTrainedTokenizerFast

from helpers.ioi import HELD_OUT_MODULUS, NAMES
from helpers.models import DATA
from helpers.stories import EVENTS, WOMEN, stories


def test_stories_are_seeded_and_use_the_tokens_of_the_lessons():
    texts = list(islice(stories(3), 200))
    assert texts == list(islice(stories(3), 200)) != list(islice(stories(4), 200))
    text = " ".join(texts)
    assert "{" not in text and "None" not in text and "  " not in text
    assert set(NAMES) > WOMEN
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    for story in texts[:50]:
        names = [word.strip('.,;"') for word in story.split() if word.strip('.,;"') in NAMES]
        tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(story, add_special_tokens=False))
        assert len(names) == sum(token[1:] in NAMES for token in tokens if token[0] == "Ġ")


def test_held_out_pairs_of_name_and_event_never_occur():
    text = " ".join(islice(stories(1), 1500))
    for event_number, event in enumerate(EVENTS):
        words = re.escape(event).replace(r"\{A\}", "(\\w+)").replace(r"\{B\}", "(\\w+)")
        pattern = re.compile(re.sub(r"\\\{(place|object)\\\}", r"\\w+", words))
        names = {name for match in pattern.findall(text) for name in match} & set(NAMES)
        indices = {NAMES.index(name) for name in names}
        held_out = {index for index in indices if (index + event_number) % HELD_OUT_MODULUS == 0}
        assert len(indices) > 50 and not held_out, event
