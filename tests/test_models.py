"""Models by name: the shipped ones offline, public ones from a local hub, and every refusal in one sentence."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import torch

from helpers import models
from helpers.models import DATA, ModelError, checkpoints, list_models, load_model, shipped
from helpers.sequences import repeated_tokens, second_copy_gain
from tests.hub import save_gpt2, serve


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
    words = [
        word for group in models.json.loads((DATA / "words.json").read_text()).values() for word in group
    ]
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
        "gpt2-small",
        "attn-only-2l-arena",
    }
    assert {row["from"] for row in rows} == {"shipped", "download"}
    assert sum(row["megabytes"] for row in rows if row["from"] == "shipped") < 64


def test_checkpoints_show_the_induction_head_forming():
    seen = checkpoints("attn-only-2l")
    assert len(seen) == 3
    gains = []
    for tokens in seen:
        model = load_model("attn-only-2l", checkpoint=tokens)
        gains.append(second_copy_gain(model, repeated_tokens(model, seed=404)).item())
    assert gains[0] < 0.5 and gains[-1] > 1.5
    with pytest.raises(ModelError, match=r"attn-only-2l has no checkpoint 7; it has \[40"):
        load_model("attn-only-2l", checkpoint=7)


def test_a_wrong_name_gets_the_nearest_ones():
    with pytest.raises(ModelError, match="there is no model 'atn-only-2'. The nearest names: .*attn-only-2l"):
        load_model("atn-only-2")
    with pytest.raises(ModelError, match="there is no model 'None'. The nearest names: "):
        load_model(None)


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


def test_too_little_memory_is_said_with_the_amount(monkeypatch):
    def fail(name, device):
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 154389504 bytes."
        )

    monkeypatch.setattr(models, "download", fail)
    with pytest.raises(ModelError, match="not enough memory for gpt2-small: loading takes about 1096 MB"):
        load_model("gpt2-small")


def test_a_notebook_shows_only_the_sentence():
    assert ModelError("a sentence")._render_traceback_() == ["ModelError: a sentence"]


def in_fresh_python(code: str, hub: str, home) -> str:
    """What ``code`` prints in a new Python whose hub is ``hub``."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


TRY = """
from helpers.models import ModelError, load_model
try:
    load_model({name!r})
except ModelError as error:
    print(error)
"""


def test_without_a_network_one_sentence_names_the_shipped_model(tmp_path):
    said = in_fresh_python(TRY.format(name="gpt2-small"), "http://127.0.0.1:9", tmp_path)
    assert "gpt2-small could not be downloaded: the Hugging Face hub can not be reached" in said
    assert "load_model('attn-only-2l')" in said


def test_a_repository_that_is_not_there(tmp_path):
    with serve(tmp_path) as hub:
        said = in_fresh_python(TRY.format(name="nobody/nothing"), hub, tmp_path / "home")
    assert "the Hugging Face hub has no public model 'nobody/nothing'" in said


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


def test_the_arena_checkpoint_loads_from_a_hub_without_unpickling_code(tmp_path):
    """Random half-precision weights of exactly that model's shape, as an old TransformerLens ``.pth``."""
    d_model, heads, d_head, d_vocab, n_ctx = 768, 12, 64, 50278, 2048
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "embed.W_E": (d_vocab, d_model),
        "pos_embed.W_pos": (n_ctx, d_model),
        "unembed.W_U": (d_model, d_vocab),
    }
    for layer in range(2):
        attn = f"blocks.{layer}.attn."
        shapes |= {f"{attn}W_{x}": (heads, d_model, d_head) for x in "QKV"} | {
            f"{attn}W_O": (heads, d_head, d_model)
        }
    state = {key: (0.02 * torch.randn(shape, generator=generator)).half() for key, shape in shapes.items()}
    state["unembed.b_U"] = torch.zeros(d_vocab).half()
    for layer in range(2):
        attn = f"blocks.{layer}.attn."
        state |= {f"{attn}b_{x}": torch.zeros(heads, d_head).half() for x in "QKV"} | {
            f"{attn}b_O": torch.zeros(d_model).half()
        }
        state |= {
            f"{attn}mask": torch.ones(n_ctx, n_ctx).tril().bool(),
            f"{attn}IGNORE": torch.tensor(-1e5).half(),
        }
    repo = tmp_path / "callummcdougall/attn_only_2L_half"
    repo.mkdir(parents=True)
    torch.save(state, repo / "attn_only_2L_half.pth")
    shutil.copytree(DATA / "tokenizer", tmp_path / "EleutherAI/gpt-neox-20b")
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
    torch.testing.assert_close(
        W_Q, torch.stack([state[f"blocks.{layer}.attn.W_Q"] for layer in range(2)]).float()
    )
    torch.testing.assert_close(
        W_O, torch.stack([state[f"blocks.{layer}.attn.W_O"] for layer in range(2)]).float()
    )
    torch.testing.assert_close(W_pos, state["pos_embed.W_pos"].float())
    torch.testing.assert_close(resid_pre[0], state["embed.W_E"][:9].float())
    assert logits.shape == (1, 9, d_vocab) and logits.isfinite().all()


def test_code_in_a_checkpoint_is_refused(tmp_path):
    """A pickle that would run a command is not run: the weights are read with weights_only."""

    class Harmful:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/harm",)

    repo = tmp_path / "callummcdougall/attn_only_2L_half"
    repo.mkdir(parents=True)
    torch.save({"embed.W_E": Harmful()}, repo / "attn_only_2L_half.pth")
    with serve(tmp_path) as hub:
        said = in_fresh_python(TRY.format(name="attn-only-2l-arena"), hub, tmp_path / "home")
    assert "attn-only-2l-arena could not be loaded" in said
    assert not (tmp_path / "harm").exists()
