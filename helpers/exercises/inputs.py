"""Inputs for checks: seeded generators, and random models whose axes all differ in length."""

import copy
import functools

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.models import DATA
from helpers.shortformer import ShortformerModel, config, wrap


def generator(seed: int) -> torch.Generator:
    """Return a random generator with a seed.

    >>> torch.equal(torch.rand(3, generator=generator(0)), torch.rand(3, generator=generator(0)))
    True
    """
    return torch.Generator().manual_seed(seed)


def small_model() -> TransformerBridge:
    """Return a random attention-only model: the same weights at each call, in an object of its own.

    >>> list(small_model().W_O.shape)  # layer, head, d_head, d_model
    [2, 3, 5, 20]
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ShortformerModel(config(n_layers=2, n_heads=3, d_model=20, d_head=5, n_ctx=16, d_vocab=11))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.4)
    return wrap(model, None, "small random model")


def small_gpt2() -> TransformerBridge:
    """Return a random GPT-2 with the course's tokenizer, LayerNorm folded as by ``load_model``.

    It has MLPs, biases, and the hook names of the models of lessons 5 and 6. The weights are the
    same at each call, in an object of its own.

    >>> list(small_gpt2().W_O.shape)  # layer, head, d_head, d_model
    [3, 5, 7, 35]
    """
    return copy.deepcopy(_gpt2())


@functools.cache
def _gpt2() -> TransformerBridge:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    sizes = dict(n_layer=3, n_head=5, n_embd=35, n_inner=44, n_positions=32, vocab_size=len(tokenizer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0, **sizes))
        for name, parameter in model.named_parameters():
            is_gain = "ln_" in name and name.endswith("weight")
            torch.nn.init.normal_(parameter, mean=float(is_gain), std=0.4)
    bridge = build_bridge_from_module(
        model, architecture="GPT2LMHeadModel", hf_config=model.config, tokenizer=tokenizer
    )
    bridge.enable_compatibility_mode()
    return bridge.train(False).requires_grad_(False)
