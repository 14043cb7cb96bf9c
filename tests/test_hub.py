"""Public models from a local hub, which may be silent, break off, refuse, or answer with something else."""

import collections
import json
import os
import shutil
import time

import pytest
import torch
from transformers import (
    GPT2LMHeadModel,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    PhiConfig,
)

from helpers import hub as hub_module
from helpers.circuits import attention_scores
from helpers.forward import Forward
from helpers.hub import ARENA_FILE, ARENA_SIZES, ARENA_TOKENIZER, PUBLIC, boot
from helpers.models import DATA, ModelError, load_model
from helpers.trace import component_sizes
from tests.hub import (
    TRY,
    gpt2_tokenizer,
    in_fresh_python,
    save_gpt2,
    save_random,
    serve,
    word_tokenizer,
)

TRY_GPT2 = TRY.format(name="gpt2-small") + "else:\n    print('loaded')"
TRY_EACH = """
from helpers.models import ModelError, load_model
for name in {names!r}:
    try:
        print(name, load_model(name).to_tokens("the cat").tolist())
    except ModelError as error:
        print(name, error)
"""
NOT_THE_HUB = "cannot be reached or does not answer as it should (no network? a login page?)"
PAGE = b"<html>Please log in</html>"


@pytest.fixture
def hub_folder(tmp_path):
    """A folder with a tiny random model under the name of GPT-2."""
    save_gpt2(tmp_path / "gpt2")
    return tmp_path


def test_too_little_memory_is_said_with_the_amount(monkeypatch):
    def fail(*arguments):
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 154389504 bytes."
        )

    monkeypatch.setattr(hub_module, "boot", fail)
    monkeypatch.setattr(hub_module, "get_hf_file_metadata", lambda *arguments, **options: None)
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


def answer(status, **headers):
    """A fault: the hub answers every request like this."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda path, *reply: (status, b"", {"Content-Length": "0", **headers})


error_404 = answer(404)
error_500 = answer(500, X_Request_Id="b401")
gated = answer(403, X_Error_Code="GatedRepo")
rate_limit = answer(429, RateLimit='"resolvers";r=0;t=71')


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


def try_each(folder, faults, home, **settings):
    """What is printed for each model when the hub answers for it with its fault, and the number of requests."""
    requests = collections.Counter()

    def fault(path, *reply):
        name = next((name for name in faults if f"{name}/" in f"{path}/"), None)
        requests[name] += 1
        return faults[name](path, *reply) if name else reply

    with serve(folder, fault) as hub:
        printed = in_fresh_python(TRY_EACH.format(names=list(faults)), hub, home, **settings)
    return dict(line.split(" ", 1) for line in printed.splitlines()), requests


def works(path, *reply):
    return reply


def test_a_refusal_of_the_hub_gets_one_sentence_after_one_request(tmp_path):
    token = "refused the access token of this computer, which has expired or is not valid: log in with"
    limit = "limits the number of requests, and this network has reached the limit: wait {} and call again"
    refusals = {
        "me/invalid": (answer(401, X_Error_Message="Invalid credentials in Authorization header"), token),
        "me/expired": (answer(401, X_Error_Message='User Access Token "x" is expired'), token),
        "me/private": (answer(401, X_Error_Code="RepoNotFound"), "has no public model 'me/private': check"),
        "me/gated": (answer(401, X_Error_Code="GatedRepo"), "only to those who have accepted its terms"),
        "me/limit": (rate_limit, limit.format("71 seconds")),
        "me/later": (answer(429, Retry_After="9"), limit.format("9 seconds")),
        "me/date": (answer(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), limit.format("a few minutes")),
    }
    faults = {name: fault for name, (fault, _) in refusals.items()}
    printed, requests = try_each(tmp_path, faults, tmp_path / "home", HF_TOKEN="hf_course")
    for name, (_, sentence) in refusals.items():
        assert sentence in printed[name] and requests[name] == 1, (name, printed[name], requests[name])


def test_without_a_token_no_token_is_blamed(tmp_path):
    printed, _ = try_each(tmp_path, {"me/model": answer(401)}, tmp_path / "home")
    assert NOT_THE_HUB in printed["me/model"]


def test_a_rate_limit_in_the_middle_of_a_download_is_not_waited_out(tmp_path):
    def weights_limited(path, *reply):
        return rate_limit(path) if path.endswith("safetensors") else reply

    save_gpt2(tmp_path / "me/model")
    printed, requests = try_each(tmp_path, {"me/model": weights_limited}, tmp_path / "home")
    assert "wait 71 seconds and call again" in printed["me/model"] and requests["me/model"] < 12


def save_with_vocabulary_and_merges(folder):
    """A GPT-2 with the tokenizer files that the first ones had: no tokenizer.json."""
    tokenizer = word_tokenizer()
    save_gpt2(folder, tokenizer)
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")


def test_complete_downloads_load_without_a_request_and_incomplete_ones_are_completed(tmp_path):
    incomplete = {
        "me/no-config": "config.json",
        "me/no-weights": "model.safetensors",
        "me/no-tokenizer": "tokenizer.json",
        "me/no-tokenizer-config": "tokenizer_config.json",
        "me/no-shard": "model-00002-of-00004.safetensors",
    }
    complete = ["me/complete", "me/old"]
    for name in (*incomplete, "me/complete"):
        save_gpt2(tmp_path / name)
    sharded = GPT2LMHeadModel.from_pretrained(tmp_path / "me/no-shard")
    (tmp_path / "me/no-shard/model.safetensors").unlink()
    sharded.save_pretrained(tmp_path / "me/no-shard", max_shard_size="30KB")
    assert (tmp_path / "me/no-shard" / incomplete["me/no-shard"]).exists()
    save_with_vocabulary_and_merges(tmp_path / "me/old")
    home = tmp_path / "home"
    faults = dict.fromkeys([*incomplete, *complete], works)
    expected, _ = try_each(tmp_path, faults, home)
    assert all(tokens.startswith("[[0, ") for tokens in expected.values()), expected
    for name, file in incomplete.items():
        (snapshot,) = (home / "hub" / f"models--{name.replace('/', '--')}" / "snapshots").iterdir()
        (snapshot / file).resolve().unlink()
        (snapshot / file).unlink()

    printed, _ = try_each(tmp_path, faults | {"me/never": works}, home, HF_HUB_OFFLINE="1")
    assert {name: printed[name] for name in complete} == {name: expected[name] for name in complete}
    for name in (*incomplete, "me/never"):
        assert f"expected the files of {name} on this computer, because HF_HUB_OFFLINE" in printed[name]

    limits = dict.fromkeys(complete, rate_limit)
    printed, requests = try_each(tmp_path, faults | limits, home)
    assert printed == expected
    assert [requests[name] for name in complete] == [0, 0]
    assert all(requests[name] > 0 for name in incomplete)


def test_a_model_without_a_tokenizer_is_refused_unless_one_is_named(tmp_path):
    sentence = "expected a model with a tokenizer, got .*, which has no tokenizer files: name the model whose"
    bare, whole = tmp_path / "bare", tmp_path / "whole"
    for folder in (bare, whole):
        save_gpt2(folder)
    (bare / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=sentence):  # transformers cannot build one
        load_model(str(bare))
    (bare / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match=sentence):  # transformers builds an empty one
        load_model(str(bare))
    for tokenizer, sentence in [
        ("no/body", "could not be downloaded: the Hugging Face hub"),
        (str(bare), f"a tokenizer, got {bare}, which"),
    ]:
        with pytest.raises(ModelError, match=sentence):
            load_model(str(whole), tokenizer=tokenizer)
    model = load_model(str(bare), tokenizer=str(whole))
    assert torch.equal(model.to_tokens("the cat sat"), load_model(str(whole)).to_tokens("the cat sat"))


CONFIGURATIONS = {
    "as GPT-2": {},
    "scores divided by the layer": dict(scale_attn_by_inverse_layer_idx=True),
    "unscaled scores": dict(scale_attn_weights=False),
    "unscaled, divided by the layer": dict(scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True),
    "upcast": dict(reorder_and_upcast_attn=True),
    "cross attention": dict(add_cross_attention=True),
    "relu": dict(activation_function="relu"),
    "gelu": dict(activation_function="gelu"),
    "large epsilon": dict(layer_norm_epsilon=0.1),
    "narrow MLP": dict(n_inner=50),
    "untied embeddings": dict(tie_word_embeddings=False),
    "vocabulary larger than the tokenizer's": dict(vocab_size=3100),
    "float16": dict(dtype=torch.float16),
    "bfloat16": dict(dtype=torch.bfloat16),
}
TOKENS = torch.randint(1, 3072, (2, 9), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_gpt2_of_any_configuration_computes_what_transformers_does(tmp_path, configuration):
    sizes = dict(CONFIGURATIONS[configuration], n_layer=3)
    dtype = sizes.pop("dtype", torch.float32)
    original = save_gpt2(tmp_path, **sizes)
    for name, parameter in original.named_parameters():
        if "bias" not in name:
            torch.nn.init.normal_(parameter, std=0.5)
    original.to(dtype).save_pretrained(tmp_path)
    expected = GPT2LMHeadModel.from_pretrained(tmp_path, dtype=torch.float32)(TOKENS).logits
    model = boot(str(tmp_path), "cpu")
    logits, cache = model.run_with_cache(TOKENS)
    torch.testing.assert_close(logits.log_softmax(-1), expected.log_softmax(-1), atol=1e-4, rtol=1e-4)
    forward = Forward(model)
    run = forward.run(TOKENS)
    for layer, (pre, q, k) in enumerate(zip(run.resid_pre, run.q, run.k)):
        name = f"blocks.{layer}.attn.hook_pattern"
        pattern = forward.attention.pattern(q, k, layer, run.rotary)
        torch.testing.assert_close(pattern, cache[name], atol=1e-5, rtol=0)
        x = model.blocks[layer].ln1(pre)[0]
        scores = attention_scores(x, x, model.W_Q[layer], model.W_K[layer])  # biases are 0
        future = torch.ones(9, 9, dtype=torch.bool).triu(1)
        from_weights = scores.masked_fill(future, -torch.inf).softmax(-1)
        torch.testing.assert_close(from_weights, cache[name][0], atol=1e-5, rtol=0)


SMALL = dict(vocab_size=3072, hidden_size=24, num_hidden_layers=2, num_attention_heads=4)
MLP = dict(intermediate_size=40, max_position_embeddings=32)
LOCAL = dict(attention_types=[[["global", "local"], 1]], window_size=4, max_position_embeddings=32)
GPT_NEO = GPTNeoConfig(vocab_size=3072, hidden_size=24, num_layers=2, num_heads=4, **LOCAL)


@torch.no_grad()
@pytest.mark.parametrize("config", [GPT_NEO, LlamaConfig(**SMALL, **MLP)], ids=["GPT-Neo", "Llama"])
def test_in_every_architecture_components_sum_to_the_logit(tmp_path, config):
    """LayerNorm (and RMSNorm) is folded: with its gain left over, sums were off by whole logits."""
    expected = save_random(tmp_path, config)(TOKENS).logits.log_softmax(-1)
    model = boot(str(tmp_path), "cpu")
    logits = model(TOKENS[:1])
    torch.testing.assert_close(logits.log_softmax(-1), expected[:1], atol=1e-4, rtol=1e-4)
    sizes, _ = component_sizes(model, TOKENS[:1], model.W_U[:, 7] - model.W_U[:, 9])
    difference = logits[0, :, 7] - logits[0, :, 9] - (model.b_U[7] - model.b_U[9])
    torch.testing.assert_close(sizes.sum(dim=1), difference, atol=1e-4, rtol=1e-4)


def test_an_architecture_without_compatibility_mode_is_refused(tmp_path):
    save_random(tmp_path, PhiConfig(**SMALL, **MLP, num_key_value_heads=2))
    with pytest.raises(ModelError, match=r"whose LayerNorm can be folded .* \(PhiForCausalLM\), for which"):
        load_model(str(tmp_path))


WITH_THE_REAL_VOCABULARY = """
import torch
from helpers import ioi
from helpers.models import load_model
for name in ("gpt2-small", "pythia-14m"):
    model = load_model(name)
    prompts = ioi.make_prompts(model.tokenizer, 40)
    text = model.tokenizer.decode(prompts.tokens[0, 1:])
    assert torch.equal(model.to_tokens(text), prompts.tokens[:1])  # with beginning-of-text, also for Pythia
    names = ioi.single_token_words(model.tokenizer, ioi.NAMES)
    print(model.cfg.d_vocab, prompts.tokens[0, :3].tolist(), len(names), prompts.template.unique().tolist())
"""


def test_prompts_in_the_vocabulary_of_gpt2(tmp_path):
    """The models are random; Pythia's architecture stands with GPT-2's vocabulary, too."""
    tokenizer = gpt2_tokenizer()
    assert tokenizer("Hello world").input_ids == [15496, 995] and len(tokenizer) == 50257
    save_gpt2(tmp_path / "gpt2", tokenizer)
    sizes = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40)
    pythia = GPTNeoXConfig(vocab_size=50304, max_position_embeddings=32, bos_token_id=50256, **sizes)
    save_random(tmp_path / "EleutherAI/pythia-14m", pythia, tokenizer)
    with serve(tmp_path) as hub:
        printed = in_fresh_python(WITH_THE_REAL_VOCABULARY, hub, tmp_path / "home")
    when_tom = tokenizer("<|endoftext|>When Tom").input_ids
    facts = f"{when_tom} 109 [0, 1, 2, 3, 4]"  # of 112 names, and five templates of one length
    assert printed == f"50257 {facts}\n50304 {facts}\n"


def test_weights_of_another_size_are_refused(hub_folder):
    save_gpt2(hub_folder / "wide", n_embd=48)
    shutil.copy(hub_folder / "wide/model.safetensors", hub_folder / "gpt2/model.safetensors")
    with serve(hub_folder) as hub:
        printed = in_fresh_python(TRY_GPT2, hub, hub_folder / "home")
    assert "gpt2-small could not be loaded (RuntimeError" in printed and "and call again" in printed
