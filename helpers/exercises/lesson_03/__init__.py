"""Exercises of lesson 3, one module each; their references are the measures of ``helpers.composition``."""
