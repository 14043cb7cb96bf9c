"""What a JupyterHub on one computer needs to know of the course; the README says where it goes."""

from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]

c = get_config()  # noqa: F821 - JupyterHub defines it

c.Spawner.environment = {
    "JUPYTER_CONFIG_PATH": str(COURSE / ".hub"),
    "CIRCUITS_CACHE": str(COURSE / ".cache/transformer-circuits"),  # SmolLM2, once for all learners
}
c.Spawner.default_url = "/lab/tree/transformer-circuits/notebooks/00_start_here.ipynb"
c.Spawner.http_timeout = 120  # when a class starts at once, servers take longer than the usual 30 seconds
