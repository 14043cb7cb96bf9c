"""Exercises of lesson 2; their references are the measures of ``helpers.circuits``."""
