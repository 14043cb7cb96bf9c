"""Exercises of lesson 4, one module each; their references are the measures of ``helpers``."""
