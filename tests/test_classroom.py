"""A real JupyterHub: two learners answer lesson 0, each in an own folder; the course stays as it is."""

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import yaml
from traitlets.config import PyFileConfigLoader

from helpers.build.lesson_files import ROOT
from tests.classroom import LESSON, RIGHT, WRONG, Learner, classroom, needed, wait_for

UP_TO_THE_PICTURE = ("set-up", "imports", "model-name", "circuit")
EXPLORER = "voila/render/transformer-circuits/notebooks/09_circuit_explorer.ipynb"


@pytest.fixture(scope="module")
def hub():
    needed()
    with classroom() as hub:
        yield hub


@pytest.fixture(scope="module")
def learners(hub):
    """Two learners who have worked at the same time: one answered right, one wrong."""
    learners = [Learner(hub, "ada"), Learner(hub, "bob")]
    threads = [threading.Thread(target=work, args=pair) for pair in zip(learners, (RIGHT, WRONG))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return SimpleNamespace(ada=learners[0], bob=learners[1])


def work(learner, answer):
    learner.start_server()
    notebook = learner.open()
    learner.outputs = {id: learner.run_cell(notebook, id) for id in UP_TO_THE_PICTURE}
    learner.run_cell(notebook, "exercise-0-1", answer)
    learner.outputs["check"] = learner.run_cell(notebook, "check-0-1")
    learner.save(notebook)


def saved_answer(learner) -> str:
    cells = learner.api("GET", f"contents/{LESSON}")["content"]["cells"]
    return next(cell["source"] for cell in cells if cell["id"] == "exercise-0-1")


def test_each_learner_sees_the_first_picture_and_gets_an_answer(learners):
    assert all("Circuit of the text" in learner.outputs["circuit"] for learner in vars(learners).values())
    assert "0.1 Passed" in learners.ada.outputs["check"]
    assert "softmax over the query axis" in learners.bob.outputs["check"]


def test_answers_and_progress_are_kept_apart(learners):
    assert (saved_answer(learners.ada), saved_answer(learners.bob)) == (RIGHT, WRONG)
    assert learners.ada.progress()["passed"] == ["attention_pattern"]
    assert learners.bob.progress().get("passed", []) == []


def test_no_learner_changes_the_course(hub, learners):
    refused = learners.bob.run(f"open({str(hub.course / 'helpers/models.py')!r}, 'w')")
    assert refused[-1]["ename"] == "PermissionError"
    (learners.bob.home / "course").symlink_to(hub.course)
    with pytest.raises(requests.HTTPError, match="403"):
        learners.bob.save(
            learners.bob.api("GET", f"contents/{LESSON}")["content"], "course/notebooks/00_start_here.ipynb"
        )
    lesson = LESSON.removeprefix("transformer-circuits/")
    assert (hub.course / lesson).read_bytes() == (ROOT / lesson).read_bytes()


def test_a_killed_kernel_loses_no_answer(hub, learners):
    ada = learners.ada
    (kernel,) = hub.kernels("ada")
    kernel.kill()
    wait_for(lambda: hub.kernels("ada") not in ([], [kernel]))
    notebook = ada.open()
    outputs = [
        ada.run_cell(notebook, id) for id in (*UP_TO_THE_PICTURE, "exercise-0-1", "check-0-1", "progress")
    ]
    assert "0.1 Passed" in outputs[-2] and "1 of 3" in outputs[-1]


def test_a_restarted_hub_and_proxy_leave_kernels_running(hub, learners):
    learners.ada.run("kept = 1")
    hub.stop()
    hub.start()
    wait_for(lambda: learners.ada.api("GET", "kernels"))
    learners.ada.connect(learners.ada.kernel)
    assert learners.ada.run("kept")[0]["data"]["text/plain"] == "1"


def test_a_server_keeps_its_own_notes_outside_the_home(learners):
    """So that it starts when the home is full."""
    assert not (learners.ada.home / ".local/share/jupyter/runtime").exists()


def test_the_explorer_is_a_page_behind_the_hub(learners):
    page = learners.bob.hub.api("GET", f"/user/bob/{EXPLORER}").text
    assert "What to try" in page and "As a web page" not in page


def test_one_server_and_kubernetes_get_the_same():
    spawner = PyFileConfigLoader("jupyterhub_config.py", path=str(ROOT / ".hub")).load_config().Spawner
    values = yaml.safe_load((ROOT / ".hub/values.yaml").read_text(encoding="utf-8"))
    pod, image = values["singleuser"], Path("/srv/repo")
    assert pod["defaultUrl"] == spawner.default_url
    assert values["hub"]["config"]["KubeSpawner"]["http_timeout"] == spawner.http_timeout
    places = {name: Path(place).relative_to(image) for name, place in pod["extraEnv"].items()}
    assert {name: ROOT / place for name, place in places.items()} == {
        name: Path(place) for name, place in spawner.environment.items()
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = dict(re.findall(r"tljh-config set (\S+) (\S+)", readme))
    expected = {
        "limits.memory": pod["memory"]["limit"],
        "limits.cpu": str(pod["cpu"]["limit"]),
        "services.cull.timeout": str(values["cull"]["timeout"]),
        "user_environment.default_app": "jupyterlab",
    }
    assert commands.items() <= expected.items()
