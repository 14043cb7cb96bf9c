"""Views of the explorer: one module per picture, with one function that returns figures and HTML.

The source of the module and a call with the values of the controls are the code that the explorer
offers to copy. So each module runs by itself in a notebook.
"""
