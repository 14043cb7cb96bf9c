"""Exercises of lesson 2, one module each; their references are the measures of ``helpers.circuits``."""
