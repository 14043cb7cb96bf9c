"""A classroom: a real JupyterHub behind its own proxy on this computer, and learners who work there by script."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests
import websocket
from platformdirs import user_cache_dir

from tests.lab import ROOT, free_port

LESSON = "transformer-circuits/notebooks/00_start_here.ipynb"
PROXY = "configurable-http-proxy"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
COURSE = ("helpers", "data", "notebooks", "README.md", "requirements.txt", ".hub")
HEAD = '@exercise("0.1")\ndef attention_pattern(q, k):\n    scores = einsum(q, k, "query head d, key head d -> head query key")\n'
MASK = "    mask = torch.ones(len(q), len(k)).triu(1).bool()\n"
SOFTMAX = "    return (scores / q.shape[-1] ** 0.5).masked_fill(mask, float('-inf')).softmax(-1)"
RIGHT = HEAD + MASK + SOFTMAX
WRONG = HEAD + MASK + SOFTMAX.replace("softmax(-1)", "softmax(-2)")


def needed() -> None:
    """Skip where a hub cannot run; fail where it must be able to."""
    if sys.platform != "linux":
        pytest.skip("JupyterHub is for servers: it is tested on Linux")
    missing = [name for name in ("jupyterhub", PROXY) if not shutil.which(name, path=PATH)]
    if missing and os.environ.get("CI"):
        remedy = f"pip install -r helpers/build/requirements.txt, and npm install -g {PROXY}"
        pytest.fail(f"Expected the commands jupyterhub and {PROXY}, found no {missing}. Run {remedy}.")
    if missing:
        pytest.skip(f"not installed: {missing}")


@dataclass
class Hub:
    """A hub that runs."""

    folder: Path
    url: str
    process: subprocess.Popen
    environment: dict[str, str]
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def homes(self) -> Path:
        return self.folder / "homes"

    @property
    def course(self) -> Path:
        return self.folder / "course"

    def api(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        """Ask the hub or a learner's server something; raise where the answer is an error."""
        answer = self.session.request(method, self.url + path, json=body, timeout=300)
        answer.raise_for_status()
        return answer

    def stop(self) -> None:
        """End the hub alone: servers and the proxy go on."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def start(self) -> None:
        """Start the hub, and wait until it answers."""
        log = (self.folder / "hub.log").open("ab")
        command = [shutil.which("jupyterhub", path=PATH), "-f", str(ROOT / "tests/classroom_config.py")]
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        wait_for(lambda: self.session.get(f"{self.url}/hub/health", timeout=5).ok)

    def processes(self, learner: str) -> list[psutil.Process]:
        """A learner's server and kernels."""
        return [process for process in self._all() if _environ(process).get("JUPYTERHUB_USER") == learner]

    def kernels(self, learner: str) -> list[psutil.Process]:
        """A learner's kernels."""
        return [process for process in self.processes(learner) if _is_kernel(process)]

    def own_processes(self) -> list[psutil.Process]:
        """The hub and the proxy."""
        return [process for process in self._all() if "JUPYTERHUB_USER" not in _environ(process)]

    def megabytes(self) -> float:
        """Memory of the hub and the proxy."""
        return sum(process.memory_full_info().pss for process in self.own_processes()) / 1e6

    def cpu_seconds(self) -> float:
        """CPU time of the hub and the proxy so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.own_processes())

    def proxy(self) -> psutil.Process:
        return psutil.Process(int((self.folder / "proxy.pid").read_text(encoding="utf-8")))

    def end(self) -> None:
        """End everything that belongs to the classroom."""
        for process in self._all():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(30)

    def _all(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter()
            if _environ(process).get("CLASSROOM") == str(self.folder)
        ]


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _is_kernel(process: psutil.Process) -> bool:
    return "JPY_PARENT_PID" in _environ(process)  # Jupyter tells it to a kernel


def wait_for(condition, seconds: float = 120, every: float = 0.1) -> float:
    """Wait until a condition holds, and return the seconds it took; a refused connection is a no."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        with contextlib.suppress(requests.RequestException, OSError):
            if condition():
                return time.perf_counter() - started
        time.sleep(every)
    raise TimeoutError(f"Expected {condition} to hold within {seconds} s, it did not. See hub.log.")


@contextlib.contextmanager
def classroom() -> Iterator[Hub]:
    """A hub over a read-only copy of the course."""
    with tempfile.TemporaryDirectory(prefix="classroom-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for subfolder in ("homes", "tmp"):
            (folder / subfolder).mkdir()
        _copy_course(folder / "course")
        (folder / "circuits.py").symlink_to(folder / "course/.hub/jupyterhub_config.py")
        url, hub_url, proxy_url = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        environment = os.environ | {
            "PATH": PATH,
            "CLASSROOM": name,
            "CLASSROOM_URL": url,
            "CLASSROOM_HUB_URL": hub_url,
            "CLASSROOM_PROXY_URL": proxy_url,
            "CLASSROOM_TOKEN": secrets.token_hex(16),
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16),
        }
        hub = Hub(folder, url, None, environment)
        hub.session.headers["Authorization"] = f"token {environment['CLASSROOM_TOKEN']}"
        try:
            hub.start()
            yield hub
        finally:
            hub.end()
            subprocess.run(["chmod", "-R", "u+w", folder / "course"], check=True)


def _copy_course(folder: Path) -> None:
    folder.mkdir()
    for name in COURSE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    cache = folder / ".cache/transformer-circuits"  # of SmolLM2, if it is on this computer
    cache.parent.mkdir()
    cache.symlink_to(os.environ.get("CIRCUITS_CACHE") or user_cache_dir("transformer-circuits"))
    subprocess.run(["chmod", "-R", "a-w,a+rX", folder], check=True)


class Learner:
    """Somebody who works on a hub by its APIs, as JupyterLab does."""

    def __init__(self, hub: Hub, name: str):
        self.hub, self.name, self.home = hub, name, hub.homes / name
        self.socket = None

    def api(self, method: str, path: str, body: dict | None = None) -> dict:
        answer = self.hub.api(method, f"/user/{self.name}/api/{path}", body)
        return answer.json() if answer.content else {}

    def start_server(self) -> None:
        """Log in for the first time: the hub starts a server."""
        self.hub.api("POST", f"/hub/api/users/{self.name}")
        self.hub.api("POST", f"/hub/api/users/{self.name}/server")
        self.wait_for_server()

    def wait_for_server(self) -> None:
        wait_for(lambda: not self._state()["pending"], 300, every=0.5)
        if not self._state()["server"]:
            log = (self.hub.folder / "hub.log").read_text(encoding="utf-8")
            raise RuntimeError(f"The server of {self.name} did not start: {log[-3000:]}")

    def _state(self) -> dict:
        return self.hub.api("GET", f"/hub/api/users/{self.name}").json()

    def open(self, path: str = LESSON) -> dict:
        """Open a notebook with a kernel; return its content."""
        body = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        session = self.api("POST", "sessions", body)
        self.connect(session["kernel"]["id"])
        return self.api("GET", f"contents/{path}")["content"]

    def connect(self, kernel: str) -> None:
        """Talk to a kernel."""
        self.kernel = kernel
        address = f"{self.hub.url.replace('http', 'ws')}/user/{self.name}/api/kernels/{kernel}/channels"
        header = {"Authorization": self.hub.session.headers["Authorization"]}
        self.socket = websocket.create_connection(address, header=header, timeout=300)

    def save(self, notebook: dict, path: str = LESSON) -> None:
        body = {"type": "notebook", "format": "json", "content": notebook}
        self.api("PUT", f"contents/{path}", body)

    def run(self, code: str) -> list[dict]:
        """Run code, and return its outputs."""
        id = uuid.uuid4().hex
        header = {
            "msg_id": id,
            "msg_type": "execute_request",
            "session": id,
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        self.socket.send(json.dumps(message | {"buffers": []}))
        outputs = []
        while True:
            reply = json.loads(self.socket.recv())
            if reply["parent_header"].get("msg_id") != id:
                continue
            kind, content = reply["header"]["msg_type"], reply["content"]
            if kind in ("stream", "display_data", "execute_result", "error"):
                outputs.append({"output_type": kind, **content})
            if kind == "status" and content["execution_state"] == "idle":
                return outputs

    def run_cell(self, notebook: dict, id: str, source: str | None = None) -> str:
        """Run a cell, with another source where one is given; return its outputs as text."""
        cell = next(cell for cell in notebook["cells"] if cell["id"] == id)
        cell["source"] = source or cell["source"]
        outputs = self.run(cell["source"])
        cell["outputs"] = [{k: v for k, v in output.items() if k != "transient"} for output in outputs]
        return json.dumps(outputs)

    def progress(self) -> dict:
        """What the learner's progress file holds."""
        file = self.home / ".local/share/transformer-circuits-course/progress.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def cpu_seconds(self) -> float:
        """CPU time of the server and the kernels so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.hub.processes(self.name))

    def megabytes(self) -> dict[str, float]:
        """Memory of the server and of the kernels, each process's part of shared pages (PSS).

        "peak": what the kernels had at most, with all shared pages (resident set).
        """
        sizes = {"server": 0.0, "kernel": 0.0, "peak": 0.0}
        for process in self.hub.processes(self.name):
            kind = "kernel" if _is_kernel(process) else "server"
            sizes[kind] += process.memory_full_info().pss / 1e6
            if kind == "kernel":
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
                sizes["peak"] += int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024 / 1e6
        return sizes
