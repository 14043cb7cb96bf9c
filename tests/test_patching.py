"""Our sweeps against TransformerLens's own, patch by patch, on three models; and what they do with bad input."""

import pytest
import torch
from transformer_lens import patching as tl
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.ablation import ablate, faithfulness, head_means, keep_only
from helpers.forward import Forward
from helpers.hooks import replace_z_hooks
from helpers.models import DATA
from helpers.patching import PARTS, patch_heads, patch_mlp, patch_residual, path_patch
from helpers.statistics import bootstrap

ALL_POSITIONS = {
    "out": tl.get_act_patch_attn_head_out_all_pos,
    "q": tl.get_act_patch_attn_head_q_all_pos,
    "k": tl.get_act_patch_attn_head_k_all_pos,
    "v": tl.get_act_patch_attn_head_v_all_pos,
    "pattern": tl.get_act_patch_attn_head_pattern_all_pos,
}
BY_POSITION = {
    "out": tl.get_act_patch_attn_head_out_by_pos,
    "q": tl.get_act_patch_attn_head_q_by_pos,
    "k": tl.get_act_patch_attn_head_k_by_pos,
    "v": tl.get_act_patch_attn_head_v_by_pos,
    "pattern": lambda *given: tl.get_act_patch_attn_head_pattern_by_pos(*given).transpose(1, 2),
}


SIZES = dict(n_embd=36, n_layer=3, n_head=4, n_positions=24, vocab_size=3072, n_inner=50)  # no two alike


def random_gpt2(folder, std: float = 0.3, **sizes) -> TransformerBridge:
    """A random GPT-2 (of GPT-2 small's shape without ``sizes``), booted from its folder."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=std)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer").save_pretrained(folder)
    return TransformerBridge.boot_transformers(str(folder)).eval().requires_grad_(False)


@pytest.fixture(scope="module", params=["attn-only-2l", "gpt2", "gpt2 folded"])
def model(request, shipped_model, tmp_path_factory):
    if request.param == "attn-only-2l":
        return shipped_model("attn-only-2l")
    bridge = random_gpt2(tmp_path_factory.mktemp("gpt2"), **SIZES)
    if request.param == "gpt2 folded":
        bridge.enable_compatibility_mode()
    return bridge


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(1)
    into, source = torch.randint(1, 3072, (2, 3, 7), generator=generator)
    source[:, :2] = into[:, :2]
    return into, source


def metric(logits):
    return logits[:, 17] - logits[:, 30]


def mean_at_the_end(logits):
    return metric(logits[:, -1]).mean()


def same(ours, theirs):
    assert (theirs - theirs.flatten()[0]).abs().max() > 1e-3  # patches do something here
    torch.testing.assert_close(ours.mean(dim=-1), theirs, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def caches(model, prompts):
    return [model.run_with_cache(tokens)[1] for tokens in prompts]


def test_residual_and_mlp(model, prompts, caches):
    into, source = prompts
    ours = patch_residual(model, into, source, metric)
    assert ours.shape == (model.cfg.n_layers, 7, 3)
    same(ours, tl.get_act_patch_resid_pre(model, into, caches[1], mean_at_the_end))
    if hasattr(model.blocks[0], "mlp"):
        ours = patch_mlp(model, into, source, metric)
        same(ours, tl.get_act_patch_mlp_out(model, into, caches[1], mean_at_the_end))
    else:
        with pytest.raises(ValueError, match="no MLPs"):
            patch_mlp(model, into, source, metric)


@pytest.mark.parametrize("part", PARTS)
def test_heads(model, prompts, caches, part):
    into, source = prompts
    ours = patch_heads(model, into, source, metric, part)
    assert ours.shape == (model.cfg.n_layers, model.cfg.n_heads, 3)
    same(ours, ALL_POSITIONS[part](model, into, caches[1], mean_at_the_end))
    ours = patch_heads(model, into, source, metric, part, by_position=True)
    assert ours.shape == (model.cfg.n_layers, 7, model.cfg.n_heads, 3)
    same(ours, BY_POSITION[part](model, into, caches[1], mean_at_the_end))


@pytest.mark.parametrize("memory", [1, 2e6])
def test_small_batches_change_nothing(model, prompts, memory):
    into, source = prompts
    whole = patch_heads(model, into, source, metric)
    torch.testing.assert_close(
        patch_heads(model, into, source, metric, memory=memory), whole, atol=1e-5, rtol=1e-5
    )


def direct_paths(model, prompts, caches, part):
    """Oracle: the metric with the path from head 0.1 into each head of later layers patched, ``[layer head]``."""
    into, source = prompts
    if hasattr(model.blocks[0], "mlp"):
        return tl.get_act_patch_direct_path(
            model, into, caches[1], caches[0], mean_at_the_end, 0, 1, part, verbose=False
        )
    # TransformerLens refuses split inputs on native models; without LayerNorm the edit of a query is a product
    stored = (caches[1]["blocks.0.attn.hook_z"] - caches[0]["blocks.0.attn.hook_z"])[:, :, 1] @ model.W_O[
        0, 1
    ]
    W, found = getattr(model, f"W_{part.upper()}"), torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for head in range(model.cfg.n_heads):

        def add(activation, hook, head=head):
            activation[:, :, head] += stored @ W[1, head]
            return activation

        logits = model.run_with_hooks(into, fwd_hooks=[(f"blocks.1.attn.hook_{part}", add)])
        found[1, head] = mean_at_the_end(logits)
    return found


@pytest.mark.parametrize("part", ["q", "k", "v"])
def test_direct_paths(model, prompts, caches, part):
    into, source = prompts
    theirs = direct_paths(model, prompts, caches, part)
    for layer in range(1, model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            ours = path_patch(model, into, source, metric, [(0, 1)], [(layer, head, part)])[0].mean()
            torch.testing.assert_close(ours, theirs[layer, head], atol=1e-4, rtol=0)


def test_paths_to_the_logits_and_through_mlps(model, prompts):
    """The paths of a last-layer head to the logits are direct, or go through one MLP: with it, they are the whole effect."""
    into, source = prompts
    last = model.cfg.n_layers - 1
    senders = [(last, head) for head in range(model.cfg.n_heads)]
    whole = patch_heads(model, into, source, metric)[last]
    through = path_patch(model, into, source, metric, senders, "logits", via="mlps")
    torch.testing.assert_close(through, whole, atol=1e-4, rtol=0)
    direct = path_patch(model, into, source, metric, senders, "logits")
    assert torch.allclose(direct, whole, atol=1e-4) == (not hasattr(model.blocks[0], "mlp"))


def test_patching_nothing_and_everything(model, prompts):
    """A patch from the run itself changes nothing; the stream at every position of layer 0 is the whole other run."""
    into, source = prompts
    plain = metric(model(into)[:, -1])
    for part in PARTS:
        found = patch_heads(model, into, into, metric, part)
        torch.testing.assert_close(found, plain.expand_as(found), atol=1e-4, rtol=0)
    one_position = source.clone()
    one_position[:, :-1] = into[:, :-1]
    found = patch_residual(model, into, one_position, metric)[:, -1]
    torch.testing.assert_close(found, metric(model(one_position)[:, -1]).expand_as(found), atol=1e-4, rtol=0)


def with_hooks(model, tokens, heads, values):
    """Oracle: the metric with z of some heads replaced by hooks."""

    def edit(z, hook):
        layer = int(hook.name.split(".")[1])
        for at, head in heads:
            if at == layer:
                z[:, :, head] = values(layer)[:, :, head]
        return z

    hooks = [(f"blocks.{layer}.attn.hook_z", edit) for layer in range(model.cfg.n_layers)]
    return metric(model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1])


def test_ablation_of_four_kinds(model, prompts, caches):
    into, source = prompts
    heads = [(0, 1), (1, 0), (1, 3)]
    groups = torch.tensor([0, 1, 0])

    def z(layer):
        return caches[1][f"blocks.{layer}.attn.hook_z"]

    def by_group(layer):
        return torch.stack([z(layer)[groups == group].mean(dim=0) for group in groups])

    kinds = {
        "zero": lambda layer: 0 * z(layer),
        "mean": lambda layer: z(layer).mean(dim=0, keepdim=True).expand(3, -1, -1, -1),
        "resample": z,
        "by template": by_group,
    }
    for kind, values in kinds.items():
        ours = ablate(model, into, heads, metric, kind, other=source, groups=groups)
        torch.testing.assert_close(ours, with_hooks(model, into, heads, values), atol=1e-4, rtol=0)


def test_heads_off_by_hooks_as_by_ablation(model, prompts):
    into, source = prompts
    heads = [(0, 1), (model.cfg.n_layers - 1, 2)]
    hooks = replace_z_hooks(heads, Forward(model).run(source).z)
    by_hooks = metric(model.run_with_hooks(into, fwd_hooks=hooks)[:, -1])
    torch.testing.assert_close(
        by_hooks, ablate(model, into, heads, metric, "resample", source), atol=1e-4, rtol=0
    )


def test_faithfulness_is_1_for_everything_and_0_for_nothing(model, prompts):
    into, source = prompts
    means = head_means(model, source)
    keep = torch.ones(model.cfg.n_layers, model.cfg.n_heads, *into.shape, dtype=torch.bool)
    assert faithfulness(model, into, keep, means, metric) == 1
    assert faithfulness(model, into, ~keep, means, metric) == 0
    torch.testing.assert_close(
        keep_only(model, into, keep, means, metric), metric(model(into)[:, -1]), atol=1e-4, rtol=0
    )
    keep[1, 2] = False
    ours = keep_only(model, into, keep, means, metric)
    torch.testing.assert_close(
        ours, ablate(model, into, [(1, 2)], metric, "mean", other=source), atol=1e-5, rtol=0
    )


def test_a_circuit_keeps_positions_prompt_by_prompt(model, prompts):
    into, source = prompts
    means = head_means(model, source)
    keep = torch.zeros(model.cfg.n_layers, model.cfg.n_heads, *into.shape, dtype=torch.bool)
    keep[:, :, torch.arange(3), torch.tensor([2, 4, 6])] = True
    union = keep.any(dim=2, keepdim=True).expand_as(keep)
    assert not torch.allclose(
        *(keep_only(model, into, kept, means, metric) for kept in (keep, union)), atol=1e-3
    )
    for prompt in range(3):  # a prompt's result depends on its own positions only
        alone = keep_only(
            model, into[[prompt]], keep[:, :, [prompt]], [mean[[prompt]] for mean in means], metric
        )
        torch.testing.assert_close(
            alone[0], keep_only(model, into, keep, means, metric)[prompt], atol=1e-4, rtol=0
        )


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    hits = 0
    for seed in range(200):
        low, high = bootstrap(torch.randn(60, generator=generator) + 3, samples=500, seed=seed)
        hits += low < 3 < high
    assert 180 <= hits <= 199
    assert bootstrap(torch.arange(50.0), seed=1) == bootstrap(torch.arange(50.0), seed=1)


def test_an_interrupted_sweep_leaves_no_hook_on_the_model(model, prompts):
    into, source = prompts

    def impatient(logits):
        raise KeyboardInterrupt

    before = model(into)
    with pytest.raises(KeyboardInterrupt):
        patch_heads(model, into, source, impatient, by_position=True)
    assert not any(point.fwd_hooks for point in model.hook_dict.values())
    torch.testing.assert_close(model(into), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, a, b: patch_heads(m, a, b[:, :5], metric), "prompts of one shape"),
        (lambda m, a, b: patch_heads(m, a[0], b[0], metric), "add a prompt axis"),
        (
            lambda m, a, b: patch_heads(m, a, b, metric, "attention"),
            "expected a part among out, q, k, v, pattern",
        ),
        (lambda m, a, b: path_patch(m, a, b, metric, [(0, 9)], "logits"), "there is no head 0.9"),
        (lambda m, a, b: path_patch(m, a, b, metric, [(0, 1)], [(7, 0, "q")]), "there is no head 7.0"),
        (lambda m, a, b: path_patch(m, a, b, metric, [(1, 1)], [(1, 0, "q")]), "1.1 can not send to 1.0"),
        (
            lambda m, a, b: path_patch(m, a, b, metric, [(0, 1)], [(1, 0, "z")]),
            'expected a port "q", "k" or "v"',
        ),
        (lambda m, a, b: path_patch(m, a, b, metric, [(0, 1)], "logits", via="attention"), "expected via"),
        (lambda m, a, b: path_patch(m, a, b, metric, [(0, 1)], []), "expected receivers"),
        (lambda m, a, b: path_patch(m, a, b, metric, [(0, 1)], "logit"), "expected receivers"),
        (lambda m, a, b: ablate(m, a, [(0, 1)], metric, "median"), "expected a kind"),
        (lambda m, a, b: ablate(m, a, [(0, 1)], metric, "resample"), "expected other"),
        (lambda m, a, b: ablate(m, a, [(0, 1)], metric, "by template"), "expected groups"),
        (lambda m, a, b: keep_only(m, a, torch.ones(2, 2, dtype=torch.bool), [], metric), "expected keep"),
    ],
)
def test_a_bad_argument_is_met_with_a_sentence(model, prompts, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, *prompts)


def test_another_architecture_is_refused(tmp_path):
    model = random_gpt2(tmp_path, **SIZES)
    model.cfg.architecture = "GPTNeoForCausalLM"
    with pytest.raises(ValueError, match="expected a GPT-2 or a shortformer model, got GPTNeoForCausalLM"):
        Forward(model)


def test_hooks_that_do_not_fire_are_an_error(model, prompts):
    forward = Forward(model)
    forward.n_layers = 2
    missing = {name: point for name, point in model.hook_dict.items() if not name.endswith("hook_z")}
    original = model.run_with_cache

    class Deaf:
        cfg = model.cfg

        def run_with_cache(self, tokens, names_filter):
            return original(tokens, names_filter=lambda name: name in missing and names_filter(name))

    forward.model = Deaf()
    with pytest.raises(ValueError, match="did not"):
        forward.run(prompts[0])
