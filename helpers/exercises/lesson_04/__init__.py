"""Exercises of lesson 4, one module each. Most references are measures in ``helpers``.

``heads_by_hand`` holds what exercises 4.9 and 4.10 share.
"""
