"""The small package behind the lessons: measures, figures and exercises on transformer circuits."""

__version__ = "1.0.0"
__repository__ = "https://github.com/OWNER/transformer-circuits"
