"""Models and prompts that the tests of hooks, forward, patching and ablation share, and the oracles of the sweeps."""

import functools
import tempfile

import torch
from transformer_lens import patching as tl
from transformer_lens.model_bridge import TransformerBridge

from helpers.models import load_model
from tests.families import SUPPORTED, family
from tests.hub import save_gpt2

MODELS = ("attn-only-2l", "gpt2", "gpt2 folded", *SUPPORTED)
SIZES = dict(n_embd=36, n_layer=3, n_head=4, n_positions=24, vocab_size=3072, n_inner=50)  # no two alike
GPT2_SMALL = dict(n_embd=768, n_layer=12, n_head=12, n_positions=1024, vocab_size=50257)

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
    "pattern": lambda *arguments: tl.get_act_patch_attn_head_pattern_by_pos(*arguments).transpose(1, 2),
}

INTO, SOURCE = torch.randint(1, 3072, (2, 3, 7), generator=torch.Generator().manual_seed(1))
SOURCE[:, :2] = INTO[:, :2]


def metric(logits):
    return logits[:, 17] - logits[:, 30]


def random_gpt2(std: float = 0.3, **sizes) -> TransformerBridge:
    """A GPT-2 with random weights, large enough that every patch changes the logits."""
    with tempfile.TemporaryDirectory() as folder:
        model = save_gpt2(folder, **sizes)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=std)
        model.save_pretrained(folder)
        return TransformerBridge.boot_transformers(folder).eval().requires_grad_(False)


@functools.cache
def model_named(name: str) -> TransformerBridge:
    """One of ``MODELS``: a shipped shortformer, and a random GPT-2 as it is and with LayerNorm folded."""
    if name == "attn-only-2l":
        return load_model(name)
    if name in SUPPORTED:
        return family(name)
    model = random_gpt2(**SIZES)
    if name == "gpt2 folded":
        model.enable_compatibility_mode()
    return model
