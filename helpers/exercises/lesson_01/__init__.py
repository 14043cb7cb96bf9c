"""Exercises of lesson 1: references are in ``helpers.residual`` and ``helpers.principal``."""
