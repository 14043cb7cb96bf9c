"""What a learner's Jupyter server does on a hub, where JUPYTER_CONFIG_PATH names this folder."""

import atexit
import logging
import os
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

COURSE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(COURSE))

from helpers.build.learner_folder import prepare  # noqa: E402 - after the course is on the path

c = get_config()  # noqa: F821 - Jupyter defines it

# outside the home, so that a server starts and kernels run although the home is full
os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="jupyter-runtime-")
atexit.register(shutil.rmtree, os.environ["JUPYTER_RUNTIME_DIR"], ignore_errors=True)

# copies of the lessons; without room for them the server starts, so that files can be deleted
try:
    for lesson in prepare(Path.home() / "transformer-circuits")[:1]:
        NotebookNotary().sign(nbformat.read(lesson, as_version=4))  # its picture answers clicks at once
except OSError as error:
    logging.getLogger("circuits").warning(
        "Expected room for the lessons in %s, got: %s. Free some and restart.", Path.home(), error
    )

# kernels that nobody has open end after half an hour: an explorer page that was left, a closed tab
c.MappingKernelManager.cull_idle_timeout = 1800
c.MappingKernelManager.cull_interval = 60

# the explorer without code: …/voila/render/transformer-circuits/notebooks/09_circuit_explorer.ipynb
page = runpy.run_path(str(COURSE / "helpers/explorer/__main__.py"))  # the package would import torch
c.VoilaConfiguration.prelaunch_hook = page["page_for_visitors"]
