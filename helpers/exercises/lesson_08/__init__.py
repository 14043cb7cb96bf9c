"""Exercises of lesson 8, one module each; references that are measures live in ``helpers``."""
