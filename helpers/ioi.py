"""Indirect object identification (Wang et al. 2022, https://arxiv.org/abs/2211.00593): prompts and what is measured on them.

"When Mary and John went to the store, John gave a drink to" is followed by the name that has stood only once.
"""

import json
from pathlib import Path

WORDS = json.loads((Path(__file__).parents[1] / "data/words.json").read_text())
NAMES, PLACES, OBJECTS = WORDS["names"], WORDS["places"], WORDS["objects"]
HELD_OUT = 4  # event number n is never told in training of the names whose index + n is a multiple of this

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
)
