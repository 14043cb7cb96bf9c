"""Answers that learners of lesson 5 may well give, in groups of exercises."""

from tests.answers.lesson_05 import attribution, circuit, patching

WRONG = attribution.WRONG | patching.WRONG | circuit.WRONG
RIGHT = attribution.RIGHT | patching.RIGHT | circuit.RIGHT
