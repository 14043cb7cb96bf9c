"""A real JupyterLab, driven through headless Chromium, cut off from every other machine."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHOTS = os.environ.get("CIRCUITS_SHOTS")  # a folder, to keep the screenshots for a look
DARK = {"@jupyterlab/apputils-extension/themes": '{"theme": "JupyterLab Dark"}'}
QUIET = {"@jupyterlab/apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}'}


def course(folder: Path) -> Path:
    """A copy of the course whose notebooks may be changed."""
    ignored = shutil.ignore_patterns("conftest.py", "__pycache__")
    for name in ("helpers", "data", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "requirements.txt", folder)
    return folder


@contextlib.contextmanager
def jupyterlab(folder: Path, home: Path, settings: dict[str, str] | None = None):
    """A JupyterLab over ``folder`` with settings of its own; yields its address with the token."""
    for name, text in {**QUIET, **(settings or {})}.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    port, token = free_port(), secrets.token_hex(16)
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = {**os.environ, **{name: str(home / value) for name, value in folders.items()}}
    environment["CIRCUITS_PROGRESS"] = str(home / "progress.json")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with server(command, f"{address}/api/status?token={token}", home / "server.log", environment):
        yield address, token


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], url: str, log: Path, environment: dict[str, str], folder: Path = ROOT):
    """A process that serves; waits until it answers at ``url``, and ends it with all its children."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                with contextlib.suppress(urllib.error.HTTPError):  # an answer, too
                    urllib.request.urlopen(url, timeout=60).read()
                break
            if process.poll() is not None:
                raise RuntimeError("the server ended: " + log.read_text(encoding="utf-8")[-2000:])
            time.sleep(0.25)
        else:
            raise RuntimeError("the server did not answer: " + log.read_text(encoding="utf-8")[-2000:])
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
            for child in psutil.Process(process.pid).children(recursive=True):
                child.terminate()
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def browser(width: int = 1280, height: int = 1600):
    """A page whose requests to other machines are refused and listed in ``page.refused``; errors in ``page.errors``."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    which = {"executable_path": executable} if executable else {"channel": "chrome"}  # Windows, macOS
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**which, args=CHROMIUM_FLAGS)
        page = chromium.new_context(viewport={"width": width, "height": height}).new_page()
        page.set_default_timeout(120_000)  # a busy machine is slow, and no test is about that
        page.refused, page.errors = [], []

        def gate(route):
            if route.request.url.startswith(("http://127.0.0.1", "file:", "data:", "blob:")):
                return route.continue_()
            page.refused.append(route.request.url)
            return route.abort()

        page.context.route("**/*", gate)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        try:
            yield page
        finally:
            chromium.close()


def open_notebook(page: Page, address: str, token: str, path: str) -> None:
    """Open a notebook and wait until its kernel is idle."""
    page.goto(f"{address}/lab/tree/{path}?reset&token={token}", wait_until="domcontentloaded")
    wait_for_notebook(page, path)


def wait_for_notebook(page: Page, path: str) -> None:
    """Wait until a notebook that is being opened is there, and its kernel is idle."""
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
    page.wait_for_function(
        """async path => {
            const panel = window.jupyterapp.shell.currentWidget;
            if (!panel || !panel.context || panel.context.path !== path) return false;
            await panel.context.ready;
            await panel.sessionContext.ready;
            const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
            return !!kernel && kernel.status === 'idle';
        }""",
        arg=path,
    )


def command(page: Page, name: str, seconds: int = 900) -> None:
    """Run a command of JupyterLab to its end."""
    page.evaluate(
        """([name, seconds]) => Promise.race([window.jupyterapp.commands.execute(name),
            new Promise((_, no) => setTimeout(() => no(new Error(name + ' took too long')), 1000 * seconds))])""",
        [name, seconds],
    )


def errors(page: Page) -> list:
    """Cell id and text of every error among the outputs."""
    return page.evaluate(
        """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
            .filter(cell => cell.type === 'code')
            .flatMap(cell => cell.toJSON().outputs
                .filter(output => output.output_type === 'error')
                .map(output => [cell.id, output.evalue]))"""
    )


def select(page: Page, cell_id: str):
    """Make a cell the active one, scroll to it, and return its element."""
    index = page.evaluate(
        """id => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const index = [...notebook.model.cells].findIndex(cell => cell.id === id);
            notebook.activeCellIndex = index;
            return notebook.scrollToItem(index).then(() => index);
        }""",
        cell_id,
    )
    return page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")


def fill(page: Page, cell_id: str, source: str) -> None:
    """Replace a cell's text the way a person does: click into it, select all, put in the text."""
    cell = select(page, cell_id)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)


def run_cell(page: Page, cell_id: str) -> str:
    """Run one cell; the text of its outputs."""
    cell = select(page, cell_id)
    command(page, "notebook:run-cell")
    page.wait_for_timeout(300)
    output = cell.locator(".jp-OutputArea-output")
    return "\n".join(output.nth(i).text_content() for i in range(output.count()))


def shot(page: Page, name: str) -> None:
    """Keep a screenshot, where CIRCUITS_SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
