"""Measures of a model whose query heads share keys and values are those of one in which each has its own copy."""

import functools

import pytest
import torch
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import LlamaConfig, LlamaForCausalLM

from helpers.ablation import ablate, score_with_path_cut
from helpers.circuits import full_OV
from helpers.components import head_weights
from helpers.composition import composition_scores
from helpers.patching import patch_heads, path_patch
from helpers.residual import components_read, decompose
from helpers.trace import subspace_scores
from tests.families import family
from tests.interventions import INTO, SOURCE, metric


@functools.cache
def expanded():
    """The random Llama with a copy of the shared keys and values for every query head."""
    config = family("llama").original_model.config
    other = LlamaConfig(**{**config.to_dict(), "num_key_value_heads": config.num_attention_heads})
    source = family_module()
    target = LlamaForCausalLM(other).eval()
    state = source.state_dict()
    for name, tensor in state.items():
        if ".k_proj." in name or ".v_proj." in name:
            heads = tensor.unflatten(0, (config.num_key_value_heads, -1))
            state[name] = heads.repeat_interleave(3, dim=0).flatten(0, 1)
    target.load_state_dict(state)
    return bridge_of(target)


def family_module():
    """The same model at each call; a bridge changes the one that it gets."""
    config = LlamaConfig(**family("llama").original_model.config.to_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = LlamaForCausalLM(config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def bridge_of(model):
    bridge = build_bridge_from_module(
        model, architecture="LlamaForCausalLM", hf_config=model.config, tokenizer=None
    )
    bridge.enable_compatibility_mode()
    return bridge.train(False).requires_grad_(False)


@functools.cache
def shared():
    return bridge_of(family_module())


MEASURES = {
    "weights": lambda model: torch.cat([W.flatten() for W in head_weights(model)]),
    "full OV": lambda model: full_OV(model, 1, 4).AB[:50],
    "q composition": lambda model: composition_scores(model, "q"),
    "k composition": lambda model: composition_scores(model, "k"),
    "v composition": lambda model: composition_scores(model, "v"),
    "ports": lambda model: torch.cat([scores.flatten() for _, scores in subspace_scores(model)]),
    "decomposition": lambda model: decompose(model, model.run_with_cache(INTO[:1])[1])[0],
    "read": lambda model: components_read(model, model.run_with_cache(INTO[:1])[1], 2)[0],
    "patched keys": lambda model: patch_heads(model, INTO, SOURCE, metric, "k"),
    "patched values": lambda model: patch_heads(model, INTO, SOURCE, metric, "v", by_position=True),
    "path": lambda model: path_patch(model, INTO, SOURCE, metric, [(0, 4)], [(1, 5, "k"), (1, 1, "v")]),
    "ablation": lambda model: ablate(model, INTO, [(1, 4), (2, 0)], metric),
    "query path cut": lambda model: torch.tensor(
        score_with_path_cut(model, INTO, (0, 4), (1, 5), "q", torch.mean)
    ),
}


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_means_query_heads(name):
    measure = MEASURES[name]
    assert shared().W_K.shape[1] == 2 and expanded().W_K.shape[1] == 6
    torch.testing.assert_close(measure(shared()), measure(expanded()), atol=1e-4, rtol=1e-4)


def test_cutting_the_path_to_a_shared_key_cuts_it_for_all_heads_that_share_it():
    scores = [
        score_with_path_cut(shared(), INTO, (0, 1), (1, receiver), "k", lambda p: p[:, -1, 0].mean())
        for receiver in range(6)
    ]
    whole = [
        shared().run_with_cache(INTO)[1]["blocks.1.attn.hook_pattern"][:, head, -1, 0].mean()
        for head in range(6)
    ]
    assert all(abs(cut - score) > 1e-4 for cut, score in zip(scores, whole))
