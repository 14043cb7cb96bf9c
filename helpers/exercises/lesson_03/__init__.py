"""Exercises of lesson 3, one module each. Their references are measures in ``helpers``."""
