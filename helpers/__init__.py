"""The small package behind the lessons: measures, figures and exercises on transformer circuits."""

import sys

from helpers.moved import MovedNamesFinder

__version__ = "1.0.0"
__repository__ = "https://github.com/OWNER/transformer-circuits"

sys.meta_path.insert(0, MovedNamesFinder())
