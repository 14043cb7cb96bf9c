"""Exercises of lesson 5, one module each; references that lessons share are the measures of ``helpers``."""
