"""Exercises of lesson 6, one module each; references that lessons share are the measures of ``helpers``."""
