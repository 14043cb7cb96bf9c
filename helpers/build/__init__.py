"""Maintainers' tools: lesson files, training of the shipped models, their cards.

``python -m helpers.build.train NAME --corpus DIR`` makes the model ``data/NAME``.
"""
