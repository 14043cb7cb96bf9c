"""What a learner's Jupyter server does on a hub, where JUPYTER_CONFIG_PATH names this folder."""

import logging
import runpy
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(COURSE))

from helpers.build.learner_folder import prepare  # noqa: E402 - after the course is on the path

c = get_config()  # noqa: F821 - Jupyter defines it

# the learner's copies of the lessons; a server starts without them, too, for example to delete files
try:
    prepare(Path.home() / "transformer-circuits")
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
