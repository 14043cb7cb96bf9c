"""Answers that learners of lesson 4 may well give, in groups of exercises."""

from tests.answers.lesson_04 import circuits, sequences, training

WRONG = sequences.WRONG | circuits.WRONG | training.WRONG
RIGHT = sequences.RIGHT | circuits.RIGHT | training.RIGHT
