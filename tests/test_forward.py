"""The forward pass without hooks computes what the model computes, from every layer and position on."""

import pytest
import torch

from helpers.exercises.inputs import small_model
from helpers.forward import Forward
from helpers.models import load_model
from helpers.planted import Layout, induction_model
from tests.families import family
from tests.interventions import INTO, MODELS, SIZES, SOURCE, metric, model_named, random_gpt2


@pytest.fixture(params=MODELS)
def model(request):
    return model_named(request.param)


def test_a_run_is_what_the_model_computes(model):
    run = Forward(model).run(INTO)
    _, cache = model.run_with_cache(INTO)
    last = model.cfg.n_layers - 1
    for layer in range(model.cfg.n_layers):
        torch.testing.assert_close(run.at((layer, "resid_pre")), cache[f"blocks.{layer}.hook_resid_pre"])
        for part in ("q", "k", "v", "z"):
            torch.testing.assert_close(getattr(run, part)[layer], cache[f"blocks.{layer}.attn.hook_{part}"])
        if hasattr(model.blocks[0], "mlp"):
            out = cache[f"blocks.{layer}.hook_mlp_out"]
            mid = cache[f"blocks.{layer}.hook_resid_{'post' if model.cfg.parallel_attn_mlp else 'mid'}"]
            torch.testing.assert_close(run.at((layer, "resid_mid")), mid, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(run.mlp_out[layer], out, atol=1e-4, rtol=1e-4)
        else:
            torch.testing.assert_close(run.resid_mid[layer], run.resid_pre[layer + 1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(run.at((last + 1, "resid_pre")), cache[f"blocks.{last}.hook_resid_post"])


def test_queries_keys_values_pattern_and_z_are_those_of_the_model(model):
    forward = Forward(model)
    run = forward.run(INTO)
    _, cache = model.run_with_cache(INTO)
    for start in (0, 3):
        normalized = forward.ln1[1](run.resid_pre[1][:, start:])
        for port in ("q", "k", "v"):
            ours, theirs = (
                forward.attention.project(normalized, 1, port, start),
                getattr(run, port)[1][:, start:],
            )
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    pattern = forward.attention.pattern(run.q[1], run.k[1], 1, run.rotary)
    torch.testing.assert_close(pattern, cache["blocks.1.attn.hook_pattern"], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        forward.attention.weighted_values(pattern, run.v[1]), run.z[1], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("start", [0, 4, 6])
def test_from_every_step_on_the_end_is_the_same(model, start):
    """Two patches in one batch: none, and the stream of other prompts from ``start`` on."""
    forward, mixed = Forward(model), torch.cat([INTO[:, :start], SOURCE[:, start:]], dim=1)
    base, other = forward.run(INTO), forward.run(mixed)
    expected = torch.stack([metric(model(tokens)[:, -1]) for tokens in (INTO, mixed)])
    assert (expected[0] - expected[1]).abs().min() > 1e-3
    for step in forward.steps:
        x = torch.cat([base.at(step)[:, start:], other.at(step)[:, start:]])
        ours = forward.finish(x, step, base, metric, start)
        torch.testing.assert_close(ours, expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("max_bytes", [1, 200_000, 500_000_000])
def test_a_sweep_keeps_the_order_of_its_patches_in_every_size_of_batch(model, max_bytes):
    forward = Forward(model, max_bytes)
    base, other = forward.run(INTO), forward.run(SOURCE)
    whole = {step: other.at(step) - base.at(step) for step in forward.steps}

    def deltas(step):
        return torch.stack([0 * whole[step], whole[step]]) if step[1] == "resid_pre" else None

    ours = forward.sweep(base, deltas, 0, metric)
    expected = torch.stack([metric(model(tokens)[:, -1]) for tokens in (INTO, SOURCE)])
    torch.testing.assert_close(ours, expected.repeat(model.cfg.n_layers + 1, 1), atol=2e-4, rtol=0)


def test_tokens_without_a_prompt_axis_are_refused():
    with pytest.raises(
        ValueError, match=r"expected tokens \[prompt, pos\], got shape \[3\]: add a prompt axis"
    ):
        Forward(small_model()).run(torch.tensor([1, 2, 3]))


def test_a_model_with_hooks_is_refused():
    model = small_model()
    model.add_hook("blocks.1.attn.hook_z", lambda z, hook: z * 0)
    with pytest.raises(ValueError, match="expected a model without hooks, found some: take them off with"):
        Forward(model)


def test_parts_that_are_not_implemented_are_refused_by_name():
    with pytest.raises(ValueError, match="got Gemma2ForCausalLM with ln1_post, ln2_post, which is not impl"):
        Forward(family("gemma2"))


def test_prompts_longer_than_the_window_of_attention_are_refused():
    model = family("mistral")
    Forward(model).run(INTO)
    with pytest.raises(ValueError, match="expected at most 9 tokens, because each position .* got 14"):
        Forward(model).run(INTO.repeat(1, 2))


@pytest.mark.parametrize("name", ["llama", "neox"])
def test_a_model_whose_norms_are_not_folded_is_the_same(name):
    Forward(family(name, folded=False)).run(INTO)


@pytest.mark.parametrize(
    ("flag", "value"), [("scale_attn_by_inverse_layer_idx", True), ("scale_attn_weights", False)]
)
def test_a_flag_that_is_not_implemented_is_refused(flag, value):
    model = random_gpt2(**SIZES, **{flag: value})
    with pytest.raises(
        ValueError, match=f"a model with {flag}={not value}, got {value}: load it with load_model"
    ):
        Forward(model)


def set_flag(model):
    model.cfg.scale_attn_by_inverse_layer_idx = True


def train(model):
    model.train()  # with dropout


def change_attention(model):
    model.blocks[1].attn.register_forward_hook(lambda module, inputs, output: (1.5 * output[0], *output[1:]))


def change_mlp(model):
    model.blocks[1].mlp.register_forward_hook(lambda module, inputs, output: 1.1 * output)


def change_unembedding(model):
    model.unembed.register_forward_hook(lambda module, inputs, output: 30 * (output / 30).tanh())


@pytest.mark.parametrize("change", [set_flag, train, change_attention, change_mlp, change_unembedding])
def test_logits_other_than_the_models_are_refused_with_the_difference(change):
    model = random_gpt2(std=1.0, **SIZES)
    forward = Forward(model)
    change(model)
    with pytest.raises(
        ValueError, match=r"logits that differ by up to \d\S* \(their standard deviation is \d"
    ):
        forward.run(INTO)


def not_a_number():
    model = small_model()
    model.blocks[0].attn.q.original_component.weight.fill_(torch.nan)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: model_named("attn-only-2l"),
        lambda: load_model("ioi-gpt2"),
        small_model,
        lambda: induction_model(Layout(d_vocab=6, n_ctx=9)),
        lambda: random_gpt2(std=0.02, **SIZES),
        lambda: random_gpt2(std=1.0, **SIZES),
        lambda: random_gpt2(std=1.0, **SIZES).to(torch.bfloat16),
        lambda: random_gpt2(std=0.0, **SIZES),  # all logits are 0
        not_a_number,
    ],
    ids=[
        "shortformer",
        "ioi-gpt2",
        "small",
        "planted",
        "small weights",
        "large weights",
        "bfloat16",
        "zeros",
        "NaN",
    ],
)
def test_rounding_is_not_refused(make):
    model = make()
    tokens = torch.arange(2 * 6).reshape(2, 6) % model.cfg.d_vocab
    Forward(model).run(tokens)


def test_logits_are_compared_in_the_first_run_only(monkeypatch):
    forward, compared = Forward(small_model()), []
    monkeypatch.setattr(forward, "_compare_logits", lambda *arguments: compared.append(arguments))
    for _ in range(3):
        forward.run(torch.tensor([[1, 2, 3]]))
    assert len(compared) == 1


def test_hooks_that_do_not_fire_are_an_error():
    model = small_model()
    forward = Forward(model)

    class Deaf:
        def run_with_cache(self, tokens, names_filter):
            return model.run_with_cache(
                tokens, names_filter=lambda name: "hook_z" not in name and names_filter(name)
            )

    forward.model = Deaf()
    with pytest.raises(ValueError, match=r"expected the hooks \['blocks.0.attn.hook_z', .* did not"):
        forward.run(torch.tensor([[1, 2, 3]]))
