"""Exercises of lesson 1; their references are the measures of ``helpers.residual``."""
