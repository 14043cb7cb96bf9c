"""Models by name: the shipped ones offline, and every refusal in one sentence."""

import json
import os
import re
import shutil

import pytest
import torch

from helpers import models
from helpers.models import DATA, ModelError, checkpoints, list_models, load_model, shipped
from helpers.sequences import repeated_tokens, second_copy_gain


@pytest.mark.parametrize("name", list(shipped()))
def test_a_shipped_model_loads_ready_to_read(name):
    model = load_model(name)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert str(model.W_E.device) == "cpu"
    tokens = model.to_tokens("the cat sat on the mat")
    assert (
        tokens[0, 0] == model.tokenizer.bos_token_id and (tokens == model.tokenizer.bos_token_id).sum() == 1
    )
    assert model(tokens).shape == (1, 7, model.cfg.d_vocab)


def test_the_tokenizer_keeps_text_whole_and_the_lessons_words_single(shipped_model):
    tokenizer = shipped_model("attn-only-2l").tokenizer
    text = 'Wörter, 日本 & "emoji" 🙂\n\tthe end'
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    groups = json.loads((DATA / "words.json").read_text(encoding="utf-8")).values()
    words = [word for group in groups for word in group]
    assert len(words) > 180
    assert [
        word for word in words if len(tokenizer(f" {word}", add_special_tokens=False).input_ids) != 1
    ] == []


def test_the_table_lists_every_model():
    rows = list_models()
    assert {row["name"] for row in rows} == {
        "attn-only-0l",
        "attn-only-1l",
        "attn-only-2l",
        "ioi-gpt2",
        "smollm2-135m",
        "gpt2-small",
        "attn-only-2l-arena",
    }
    assert {row["from"] for row in rows} == {"shipped", "download"}
    assert sum(row["megabytes"] for row in rows if row["from"] == "shipped") < 64


def test_checkpoints_show_the_induction_head_forming():
    kept = checkpoints("attn-only-2l")
    assert len(kept) == 3
    gains = []
    for tokens in kept:
        model = load_model("attn-only-2l", checkpoint=tokens)
        gains.append(second_copy_gain(model, repeated_tokens(model, seed=404)).item())
    assert gains[0] < 0.5 and gains[-1] > 1.5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["atn-only-2"], "there is no model 'atn-only-2'. The nearest names: .*attn-only-2l"),
        ([None], "there is no model 'None'. The nearest names: "),
        ([""], "there is no model ''. The nearest names: "),
        (["attn-only-2l", None, 7], r"attn-only-2l has no checkpoint 7: choose one of \[40"),
        (["gpt2-small", None, 7], "gpt2-small has no checkpoint 7: leave checkpoint out"),
        (["attn-only-2l", None, None, "gpt2"], "expected no tokenizer for attn-only-2l, which has its own"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(arguments, sentence):
    with pytest.raises(ModelError, match=sentence):
        load_model(*arguments)


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu"), "cpu:0"])
def test_the_cpu_has_many_names(device):
    assert load_model("attn-only-0l", device).W_E.device.type == "cpu"


@pytest.mark.parametrize(
    "device",
    ["cuda", torch.device("cuda"), "cuda:7", "mps", "auto", "gpu", "CPU", "", "meta", 0, 3, -1, True],
)
def test_a_missing_device_is_refused_with_those_of_the_machine(device, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 0)
    sentence = f"expected a device of this machine (cpu), got {device!r}: leave device out to use the CPU."
    with pytest.raises(ModelError, match=re.escape(sentence)):
        load_model("attn-only-1l", device)


@pytest.mark.parametrize(
    ("kind", "count", "fitting", "others"),
    [
        ("cuda", 2, ["cpu", "cuda", "cuda:1", torch.device("cuda", 0)], ["cuda:2", "mps", "auto"]),
        ("mps", 1, ["cpu", "mps", "mps:0", torch.device("mps")], ["mps:1", "cuda", "gpu"]),
    ],
)
def test_the_devices_of_an_accelerator_fit(monkeypatch, kind, count, fitting, others):
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device(kind))
    load, devices = models._load_shipped, []
    monkeypatch.setattr(
        models, "_load_shipped", lambda name, device, _: devices.append(device) or load(name, "cpu", None)
    )
    for device in fitting:
        load_model("attn-only-0l", device)
    assert devices == [str(device) for device in fitting]
    names = ", ".join(["cpu", *(f"{kind}:{index}" for index in range(count))])
    for device in others:
        with pytest.raises(
            ModelError, match=re.escape(f"a device of this machine ({names}), got {device!r}")
        ):
            load_model("attn-only-1l", device)


def test_float64_is_made_on_the_cpu_only():
    """In all of helpers but checks of exercises, whose inputs are on the CPU, and the tools that build the course."""
    lines = [
        f"{path.name}: {line.strip()}"
        for path in (DATA.parent / "helpers").rglob("*.py")
        if not {"exercises", "build"} & set(path.parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\.double\(|float64|\.numpy\(", re.sub(r"\.cpu\(\)\.double\(\)|#.*", "", line))
    ]
    assert lines == []


def truncated(file):
    file.write_bytes(file.read_bytes()[:1000])


def one_byte_off(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "word"), [(truncated, "damaged"), (one_byte_off, "damaged"), (os.remove, "missing")]
)
def test_damaged_weights_are_refused_with_the_command_that_restores_them(tmp_path, monkeypatch, damage, word):
    shutil.copytree(DATA, tmp_path / "data")
    monkeypatch.setattr(models, "DATA", tmp_path / "data")
    damage(tmp_path / "data/attn-only-1l/model.safetensors")
    with pytest.raises(ModelError, match=f"{word}.*git checkout -- data/attn-only-1l"):
        load_model("attn-only-1l")


def test_a_notebook_shows_only_the_sentence():
    assert ModelError("a sentence")._render_traceback_() == ["ModelError: a sentence"]
