"""Indirect object identification (Wang et al. 2022, https://arxiv.org/abs/2211.00593): prompts and what is measured on them.

"When Mary and John went to the store, John gave a drink to" is followed by the name that has stood only once.
"""

import json
from pathlib import Path

WORDS = json.loads((Path(__file__).parents[1] / "data/words.json").read_text())
NAMES, PLACES, OBJECTS = WORDS["names"], WORDS["places"], WORDS["objects"]
HELD_OUT = 4  # opening number n is never told in training of the names whose index + n is a multiple of this

OPENERS = (
    "When {A} and {B} went to the {place},",
    "Then {A} and {B} went to the {place}.",
    "After {A} and {B} had been at the {place} for an hour,",
    "While {A} and {B} were working at the {place},",
    "One day {A} and {B} found a {object} in the {place}.",
    "Last week {A} and {B} had a long talk in the {place}.",
    "Because {A} and {B} were old friends,",
    "In the morning {A} and {B} came to the {place}.",
    "{A} and {B} were walking to the {place}.",
    "As soon as {A} and {B} reached the {place},",
    "There were only {A} and {B} in the {place}.",
    "Once upon a time {A} and {B} lived near the {place}.",
    "{A} saw {B} in the {place}.",
    "While {A} was at the {place}, {B} came in.",
    "In the {place}, {A} sat down beside {B}.",
    "At noon {A} came to the {place} and called {B}.",
)
ACTIONS = (
    "{A} gave a {object} to {B}.",
    "{A} gave the {object} to {B}.",
    "{A} handed the {object} to {B}.",
    "{A} wanted to give a {object} to {B}.",
    "{A} said something to {B}.",
    "{A} decided to write to {B}.",
    "{A} had a present for {B}.",
    "{A} took the {object} away from {B}.",
    "{A} looked up and smiled at {B}.",
    "{A} brought a {object} and a {other} for {B}.",
    "{A} had never been so angry with {B}.",
    "{A} would have liked to dance with {B}.",
    "{A} told a story, and nobody laughed but {B}.",
    "{A} ran away as fast as possible, followed by {B}.",
    "{A} opened the {object} and showed it to {B}.",
    "{A} sold the {object} and the {other} to {B}.",
)
