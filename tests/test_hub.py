"""A hub that is silent, breaks off, answers with errors or with something else: one sentence each, and the next try is a clean one."""

import shutil
import time

import pytest

from tests.hub import save_gpt2, serve
from tests.test_models import TRY, in_fresh_python

TRY_GPT2 = TRY.format(name="gpt2-small") + "else:\n    print('loaded')"
NOT_THE_HUB = "can not be reached or does not answer as it should (no network? a login page?)"
PAGE = b"<html>Please log in</html>"


@pytest.fixture
def hub_folder(tmp_path):
    """A folder with a tiny random model under the name of GPT-2."""
    save_gpt2(tmp_path / "gpt2")
    return tmp_path


def silence(path, *reply):
    time.sleep(100)
    return reply


def error_404(path, *reply):
    return 404, b"", {"Content-Length": "0"}


def error_500(path, *reply):
    return 500, b"", {"Content-Length": "0", "X-Request-Id": "b401"}


def gated(path, *reply):
    return 403, b"", {"Content-Length": "0", "X-Error-Code": "GatedRepo"}


def login_page(path, *reply):
    return 200, PAGE, {"Content-Type": "text/html", "Content-Length": str(len(PAGE))}


def half_a_file(path, status, content, headers):
    half = content[: len(content) // 2] if path.endswith("safetensors") else content
    return status, half, headers


def other_content(*names):
    def fault(path, status, content, headers):
        if path.endswith(names):
            content = PAGE * 100
        return status, content, {**headers, "Content-Length": str(len(content))}

    return fault


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (silence, NOT_THE_HUB),
        (error_404, NOT_THE_HUB),
        (error_500, NOT_THE_HUB),
        (gated, "gives 'gpt2-small' only to those who have accepted its terms"),
        (login_page, NOT_THE_HUB),
        (half_a_file, NOT_THE_HUB),
        (other_content("safetensors"), "gpt2-small could not be loaded (SafetensorError"),
        (other_content("config.json"), "gpt2-small could not be loaded (OSError: It looks like the config"),
    ],
)
def test_what_a_hub_may_do(hub_folder, fault, sentence):
    home = hub_folder / "home"
    with serve(hub_folder, fault) as hub:
        begun = time.monotonic()
        said = in_fresh_python(TRY_GPT2, hub, home)
    assert sentence in said and "load_model('attn-only-2l')" in said and said.count("\n") == 1
    assert time.monotonic() - begun < 120
    if "could not be loaded" in sentence:
        assert f"delete {home / 'hub/models--gpt2'} and call again" in said
        shutil.rmtree(home / "hub/models--gpt2")
    if "could not be loaded" in sentence or fault is half_a_file:
        with serve(hub_folder) as hub:
            assert in_fresh_python(TRY_GPT2, hub, home) == "loaded\n"


def test_a_model_that_was_downloaded_once_loads_when_the_hub_is_silent(hub_folder):
    for fault in (lambda path, *reply: reply, silence):
        with serve(hub_folder, fault) as hub:
            assert in_fresh_python(TRY_GPT2, hub, hub_folder / "home") == "loaded\n"


def test_weights_of_another_size_are_refused(hub_folder):
    save_gpt2(hub_folder / "other", n_embd=48)
    shutil.copy(hub_folder / "other/model.safetensors", hub_folder / "gpt2/model.safetensors")
    with serve(hub_folder) as hub:
        said = in_fresh_python(TRY_GPT2, hub, hub_folder / "home")
    assert "gpt2-small could not be loaded (RuntimeError" in said and "and call again" in said
