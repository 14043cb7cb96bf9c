"""The small package behind the lessons: measures, figures and exercises on transformer circuits."""

import sys

__version__ = "1.0.0"
__repository__ = "https://github.com/OWNER/transformer-circuits"
PYTHON_VERSIONS = ((3, 11), (3, 14))  # oldest and newest; torch has no wheels for newer ones

# Before any other import, and in syntax that old Pythons read: the rest of the package is not.
if not PYTHON_VERSIONS[0] <= sys.version_info[:2] <= PYTHON_VERSIONS[1]:
    raise ImportError(
        "This course needs Python {}.{} to {}.{}; this is Python {}.{}, {}. Choose the kernel of the "
        "course's .venv. If that is the one, delete .venv and make it with another Python: "
        "the README's section Start says how.".format(
            *PYTHON_VERSIONS[0], *PYTHON_VERSIONS[1], *sys.version_info[:2], sys.executable
        )
    )

from helpers.environment import set_thread_defaults  # noqa: E402 - after the check of the version
from helpers.late_imports import LateImportsFinder  # noqa: E402
from helpers.moved import MovedNamesFinder  # noqa: E402

set_thread_defaults()
sys.meta_path[:0] = [MovedNamesFinder(), LateImportsFinder()]
