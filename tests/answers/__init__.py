"""Answers that learners may well give, one module per lesson, or per section of lesson 7: ``WRONG`` and ``RIGHT``, by exercise.

``WRONG`` maps exercise id → diagnosis → answer (or a list of answers), each written in another way than the mistakes
of the exercise. ``RIGHT`` maps exercise id → answer (or a list of answers), each written in another way than the
reference.
"""
