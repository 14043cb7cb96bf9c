"""Exercises of lesson 0, one module each."""
