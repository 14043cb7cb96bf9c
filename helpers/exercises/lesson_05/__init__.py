"""Exercises of lesson 5, one module each; references that are measures live in ``helpers``."""
