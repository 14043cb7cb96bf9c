"""The course's configuration of a hub, with what a test adds: ports, a folder, learners who need no account."""

import os
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

c = get_config()  # noqa: F821 - JupyterHub defines it
folder = Path(os.environ["CLASSROOM"])
load_subconfig(str(folder / "circuits.py"))  # noqa: F821 - a link, as on The Littlest JupyterHub

c.Spawner.environment["CLASSROOM"] = str(folder)  # by which the test finds the processes
c.Spawner.environment["TMPDIR"] = str(folder / "tmp")
c.JupyterHub.bind_url = os.environ["CLASSROOM_URL"]
c.JupyterHub.hub_bind_url = os.environ["CLASSROOM_HUB_URL"]
c.ConfigurableHTTPProxy.api_url = os.environ["CLASSROOM_PROXY_URL"]
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"
c.JupyterHub.cleanup_servers = c.JupyterHub.cleanup_proxy = False  # as on hubs in use
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/homes/{{username}}"
c.Spawner.cmd = ["jupyterhub-singleuser"]
if os.geteuid() == 0:  # root may write to read-only files, learners may not
    c.Spawner.cmd = ["setpriv", "--bounding-set=-dac_override", *c.Spawner.cmd]
c.Spawner.args = ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--allow-root"]
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}  # as on Kubernetes: answer at once
c.JupyterHub.services = [{"name": "script", "api_token": os.environ["CLASSROOM_TOKEN"]}]
c.JupyterHub.load_roles = [
    {"name": "script", "services": ["script"], "scopes": ["admin:users", "admin:servers", "access:servers"]}
]
