"""Exercises of lesson 7, one module each; references that are measures live in ``helpers``."""
