"""Exercises of lesson 1, one module each; their references are the measures of ``helpers.residual``."""
