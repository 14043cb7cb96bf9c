"""Random models of today's kinds, small, with sizes of which no two are alike."""

import functools

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES = dict(
    vocab_size=3072, hidden_size=36, num_hidden_layers=3, num_attention_heads=6, intermediate_size=50, max_position_embeddings=24
)  # fmt: skip
SHARED = dict(num_key_value_heads=2)
FAMILIES = {
    "llama": (
        LlamaForCausalLM,
        LlamaConfig(**SIZES, **SHARED, head_dim=10, attention_bias=True, mlp_bias=True),
    ),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZES, **SHARED, head_dim=10, sliding_window=9)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, **SHARED)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZES, **SHARED, head_dim=10)),
    "neox": (GPTNeoXForCausalLM, GPTNeoXConfig(**SIZES, rotary_pct=1 / 3)),
    "neox in sequence": (GPTNeoXForCausalLM, GPTNeoXConfig(**SIZES, use_parallel_residual=False)),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config(**SIZES, **SHARED, head_dim=10)),
}
SUPPORTED = tuple(name for name in FAMILIES if name != "gemma2")


@functools.cache
def family(name: str, folded: bool = True) -> TransformerBridge:
    """A random model of a family, its norms folded into its weights as ``load_model`` does."""
    kind, config = FAMILIES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config).eval()
        for parameter_name, parameter in model.named_parameters():
            is_gain = "norm" in parameter_name and parameter_name.endswith("weight")
            torch.nn.init.normal_(parameter, mean=float(is_gain), std=0.3)
    bridge = build_bridge_from_module(model, architecture=kind.__name__, hf_config=config, tokenizer=None)
    if folded:
        bridge.enable_compatibility_mode()
    return bridge.train(False).requires_grad_(False)
