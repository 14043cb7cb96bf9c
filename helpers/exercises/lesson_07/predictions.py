"""What the reveal of each prediction of lesson 7 says of its options."""

import importlib
import pkgutil

import helpers.exercises.lesson_07 as lesson

EXPLANATIONS = {}
for found in pkgutil.iter_modules(lesson.__path__):
    if found.name.startswith("predictions_"):
        EXPLANATIONS |= importlib.import_module(f"{lesson.__name__}.{found.name}").EXPLANATIONS
