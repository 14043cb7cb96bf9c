"""``python -m helpers.explorer``: the explorer as a web page on this computer, by Voilà.

Each visitor gets a kernel, which ends ten minutes after they have gone. The page asks no other
machine for anything. Options go to Voilà, for example ``--no-browser`` or ``--port=8900``.
"""

import re
import sys
from pathlib import Path

from nbformat import NotebookNode
from traitlets.config import Config
from voila.app import Voila

from helpers import __repository__, __version__

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "09_circuit_explorer.ipynb"
LESSONS = f"{__repository__}/blob/v{__version__}/notebooks/"
CELLS = {"set-up", "imports", "model-name", "explorer", "what-to-try"}  # of the notebook, by id
CHECK_SECONDS = 60
IDLE_SECONDS = 600
# Voilà's page names stylesheets on another machine; by this policy browsers fetch only from here.
POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' ws: wss: data:"


def main() -> None:
    """Serve the explorer until the process is stopped."""
    settings = {
        "VoilaConfiguration": {"prelaunch_hook": page_for_visitors},
        "Voila": {"tornado_settings": {"headers": {"Content-Security-Policy": POLICY}}},
        "MappingKernelManager": {"cull_interval": CHECK_SECONDS, "cull_idle_timeout": IDLE_SECONDS},
    }
    Voila.launch_instance([str(NOTEBOOK), *sys.argv[1:]], config=Config(settings))


def page_for_visitors(request: object, notebook: NotebookNode, cwd: str) -> NotebookNode:
    """Return the notebook as a page: it starts with the explorer and ends with what to try.

    Links to the lessons lead to the web, because Voilà serves this notebook alone.

    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> cell = new_markdown_cell("[index](index.md), [one](https://example.org)", id="what-to-try")
    >>> page = page_for_visitors(None, new_notebook(cells=[new_markdown_cell("title"), cell]), "")
    >>> [cell.source.replace(LESSONS, "ADDRESS/") for cell in page.cells]
    ['[index](ADDRESS/index.md), [one](https://example.org)']
    """
    notebook.cells = [cell for cell in notebook.cells if cell.id in CELLS]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((?!https?:|#)", f"]({LESSONS}", cell.source)
    return notebook


if __name__ == "__main__":
    main()
