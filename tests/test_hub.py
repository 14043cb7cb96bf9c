"""Public models from a local hub, which may be silent, break off, or answer with something else."""

import os
import shutil
import time

import pytest
import torch

from helpers import hub as hub_module
from helpers.hub import ARENA_FILE, ARENA_SIZES, ARENA_TOKENIZER, PUBLIC
from helpers.models import DATA, ModelError, load_model
from tests.hub import in_fresh_python, save_gpt2, serve

TRY = """
from helpers.models import ModelError, load_model
try:
    load_model({name!r})
except ModelError as error:
    print(error)
"""
TRY_GPT2 = TRY.format(name="gpt2-small") + "else:\n    print('loaded')"
NOT_THE_HUB = "cannot be reached or does not answer as it should (no network? a login page?)"
PAGE = b"<html>Please log in</html>"


@pytest.fixture
def hub_folder(tmp_path):
    """A folder with a tiny random model under the name of GPT-2."""
    save_gpt2(tmp_path / "gpt2")
    return tmp_path


def test_too_little_memory_is_said_with_the_amount(monkeypatch):
    def fail(source, device):
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 154389504 bytes."
        )

    monkeypatch.setattr(hub_module, "boot", fail)
    with pytest.raises(ModelError, match="not enough memory for gpt2-small: loading takes about 1096 MB"):
        load_model("gpt2-small")


def test_without_a_network_one_sentence_names_the_shipped_model(tmp_path):
    printed = in_fresh_python(TRY.format(name="gpt2-small"), "http://127.0.0.1:9", tmp_path)
    assert "gpt2-small could not be downloaded: the Hugging Face hub cannot be reached" in printed
    assert "load_model('attn-only-2l')" in printed


def test_a_repository_that_is_not_there(tmp_path):
    with serve(tmp_path) as hub:
        printed = in_fresh_python(TRY.format(name="nobody/nothing"), hub, tmp_path / "home")
    assert "the Hugging Face hub has no public model 'nobody/nothing'" in printed


def test_gpt2_small_from_a_hub_comes_in_compatibility_mode(tmp_path):
    original = save_gpt2(tmp_path / "gpt2")
    code = """
    import torch
    from helpers.models import load_model
    model = load_model("gpt2-small")
    tokens = torch.arange(20)[None]
    torch.save([model(tokens).log_softmax(-1), model.W_E.mean(-1)], {out!r})
    """
    with serve(tmp_path) as hub:
        in_fresh_python(code.format(out=str(tmp_path / "out.pt")), hub, tmp_path / "home")
    log_probabilities, centred = torch.load(tmp_path / "out.pt", weights_only=True)
    with torch.no_grad():
        expected = original(torch.arange(20)[None]).logits.log_softmax(-1)
    torch.testing.assert_close(log_probabilities, expected, atol=1e-4, rtol=1e-4)
    assert centred.abs().max() < 1e-5  # compatibility mode centres what writes to the residual stream


def arena_state() -> dict[str, torch.Tensor]:
    """Random half-precision weights of the ARENA model's shapes, named as an old TransformerLens names them."""
    heads, d_model, d_head, n_ctx = (ARENA_SIZES[size] for size in ("n_heads", "d_model", "d_head", "n_ctx"))
    d_vocab = ARENA_SIZES["d_vocab"]
    shapes = {"embed.W_E": (d_vocab, d_model), "pos_embed.W_pos": (n_ctx, d_model)}
    shapes["unembed.W_U"] = (d_model, d_vocab)
    for layer in range(2):
        shapes |= {f"blocks.{layer}.attn.W_{x}": (heads, d_model, d_head) for x in "QKV"}
        shapes[f"blocks.{layer}.attn.W_O"] = (heads, d_head, d_model)
    generator = torch.Generator().manual_seed(0)
    state = {key: (0.02 * torch.randn(shape, generator=generator)).half() for key, shape in shapes.items()}
    state["unembed.b_U"] = torch.zeros(d_vocab).half()
    for attn in ("blocks.0.attn", "blocks.1.attn"):
        state |= {f"{attn}.b_{x}": torch.zeros(heads, d_head).half() for x in "QKV"}
        state[f"{attn}.b_O"] = torch.zeros(d_model).half()
        state[f"{attn}.mask"] = torch.ones(n_ctx, n_ctx).tril().bool()
        state[f"{attn}.IGNORE"] = torch.tensor(-1e5).half()
    return state


def save_arena(folder, state) -> None:
    repo = folder / PUBLIC["attn-only-2l-arena"].repo
    repo.mkdir(parents=True)
    torch.save(state, repo / ARENA_FILE)


def test_the_arena_checkpoint_loads_from_a_hub_without_unpickling_code(tmp_path):
    state = arena_state()
    save_arena(tmp_path, state)
    shutil.copytree(DATA / "tokenizer", tmp_path / ARENA_TOKENIZER)
    code = """
    import torch
    from helpers.models import load_model
    model = load_model("attn-only-2l-arena")
    logits, cache = model.run_with_cache(torch.arange(9)[None])
    torch.save([model.W_Q, model.W_O, model.W_pos, logits, cache["blocks.0.hook_resid_pre"]], {out!r})
    """
    with serve(tmp_path) as hub:
        in_fresh_python(code.format(out=str(tmp_path / "out.pt")), hub, tmp_path / "home")
    W_Q, W_O, W_pos, logits, resid_pre = torch.load(tmp_path / "out.pt", weights_only=True)
    for name, weight in (("W_Q", W_Q), ("W_O", W_O)):
        expected = torch.stack([state[f"blocks.{layer}.attn.{name}"] for layer in range(2)])
        torch.testing.assert_close(weight, expected.float())
    torch.testing.assert_close(W_pos, state["pos_embed.W_pos"].float())
    torch.testing.assert_close(resid_pre[0], state["embed.W_E"][:9].float())
    assert logits.shape == (1, 9, ARENA_SIZES["d_vocab"]) and logits.isfinite().all()


def test_code_in_a_checkpoint_is_refused(tmp_path):
    """A pickle that would run a command is not run: the weights are read with weights_only."""

    class Harmful:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/harm",)

    save_arena(tmp_path, {"embed.W_E": Harmful()})
    with serve(tmp_path) as hub:
        printed = in_fresh_python(TRY.format(name="attn-only-2l-arena"), hub, tmp_path / "home")
    assert "attn-only-2l-arena could not be loaded" in printed
    assert not (tmp_path / "harm").exists()


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


def wrong_content(*names):
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
        (wrong_content("safetensors"), "gpt2-small could not be loaded (SafetensorError"),
        (wrong_content("config.json"), "gpt2-small could not be loaded (OSError: It looks like the config"),
    ],
)
def test_a_fault_of_the_hub_gets_one_sentence_and_the_next_try_is_clean(hub_folder, fault, sentence):
    home = hub_folder / "home"
    with serve(hub_folder, fault) as hub:
        started = time.monotonic()
        printed = in_fresh_python(TRY_GPT2, hub, home)
    assert sentence in printed and "load_model('attn-only-2l')" in printed and printed.count("\n") == 1
    assert time.monotonic() - started < 120
    if "could not be loaded" in sentence:
        assert f"delete {home / 'hub/models--gpt2'} and call again" in printed
        shutil.rmtree(home / "hub/models--gpt2")
    if "could not be loaded" in sentence or fault is half_a_file:
        with serve(hub_folder) as hub:
            assert in_fresh_python(TRY_GPT2, hub, home) == "loaded\n"


def test_a_model_that_was_downloaded_once_loads_when_the_hub_is_silent(hub_folder):
    for fault in (lambda path, *reply: reply, silence):
        with serve(hub_folder, fault) as hub:
            assert in_fresh_python(TRY_GPT2, hub, hub_folder / "home") == "loaded\n"


def test_weights_of_another_size_are_refused(hub_folder):
    save_gpt2(hub_folder / "wide", n_embd=48)
    shutil.copy(hub_folder / "wide/model.safetensors", hub_folder / "gpt2/model.safetensors")
    with serve(hub_folder) as hub:
        printed = in_fresh_python(TRY_GPT2, hub, hub_folder / "home")
    assert "gpt2-small could not be loaded (RuntimeError" in printed and "and call again" in printed
