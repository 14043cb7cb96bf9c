"""Exercises of lesson 6, one module each; references that are measures live in ``helpers``."""
