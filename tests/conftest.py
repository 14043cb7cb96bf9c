"""Shared by all tests: no network, no learner's progress touched, shipped models loaded once."""

import functools
import os
import runpy
from pathlib import Path

import pytest

# Threads of several workers get in each other's way; read when torch is loaded, here and in the processes that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

collect_ignore = ["classroom_config.py"]  # JupyterHub runs it

OFFLINE = Path(__file__).parent / "offline"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
os.environ["PYTHONPATH"] = f"{OFFLINE}{os.pathsep}{OFFLINE.parents[1]}"


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCUITS_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(scope="session")
def shipped_model():
    from helpers.models import load_model

    return functools.cache(load_model)


@pytest.fixture(scope="module")
def page():
    """A page of a browser without a network."""
    from tests.lab import browser

    with browser(1100, 900) as page:
        yield page


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """A tiny random GPT-2 in compatibility mode: LayerNorm folded, biases, MLPs, positions in the stream."""
    from transformer_lens.model_bridge import TransformerBridge

    from tests.hub import save_gpt2

    folder = tmp_path_factory.mktemp("gpt2")
    save_gpt2(folder)
    model = TransformerBridge.boot_transformers(str(folder), device="cpu")
    model.enable_compatibility_mode()
    return model.eval().requires_grad_(False)


def pytest_terminal_summary(terminalreporter):
    tried = [
        number
        for report in terminalreporter.getreports("passed")
        for name, number in report.user_properties
        if name == "wrong functions"
    ]
    if tried:
        terminalreporter.write_line(f"wrong functions rejected: {sum(tried)}, in {len(tried)} tests")
