"""``python -m tests.benchmarks.patching``: our sweeps beside TransformerLens's, in one run: seconds, ratio, memory, difference.

"of the bound" is the share of this machine's speed at large matrix products that the sweep's arithmetic reaches.
"""

import resource
import tempfile
import time
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformer_lens import patching as tl
from transformer_lens.model_bridge import TransformerBridge

from helpers.models import load_model, shipped
from helpers.patching import patch_heads, patch_residual
from tests.test_patching import ALL_POSITIONS, BY_POSITION, random_gpt2

PROMPTS, LENGTH = 8, 15


def speed_of_products() -> float:
    """Floating-point operations a second in a product of two large matrices."""
    A = torch.randn(2048, 2048)
    A @ A
    started = time.perf_counter()
    for _ in range(3):
        A @ A
    return 3 * 2 * 2048**3 / (time.perf_counter() - started)


def seconds(call) -> tuple[float, torch.Tensor]:
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


def row(name: str, what: str, ours, theirs, bound: float) -> None:
    ours()  # warm
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mine, found = min((seconds(ours) for _ in range(2)), key=lambda pair: pair[0])
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with FlopCounterMode(display=False) as counter:
        ours()
    share = counter.get_total_flops() / mine / bound
    other, expected = seconds(theirs)
    difference = (found.mean(dim=-1) - expected).abs().max().item()
    print(
        f"{name:14}{what:28}{other:9.2f}{mine:9.3f}{other / mine:8.1f}{added:9.0f}{difference:11.1e}{share:9.0%}",
        flush=True,
    )


def sweeps(model: TransformerBridge, parts: list[str]):
    """(what, ours, theirs) for every sweep, ready to call."""
    generator = torch.Generator().manual_seed(0)
    into, source = torch.randint(1, model.cfg.d_vocab, (2, PROMPTS, LENGTH), generator=generator)
    source[:, :3] = into[:, :3]
    _, cache = model.run_with_cache(source)

    def metric(logits):
        return logits[:, 5] - logits[:, 7]

    def mean_at_the_end(logits):
        return metric(logits[:, -1]).mean()

    ours, theirs = (model, into, source, metric), (model, into, cache, mean_at_the_end)
    for part in parts:
        yield f"heads, {part}", partial(patch_heads, *ours, part), partial(ALL_POSITIONS[part], *theirs)
    for part in parts:
        mine = partial(patch_heads, *ours, part, by_position=True)
        yield f"heads × positions, {part}", mine, partial(BY_POSITION[part], *theirs)
    yield "residual × positions", partial(patch_residual, *ours), partial(tl.get_act_patch_resid_pre, *theirs)


def main() -> None:
    bound = speed_of_products()
    print(f"{torch.get_num_threads()} threads, {bound / 1e9:.0f} G operations a second in large products")
    print(f"{PROMPTS} prompts of {LENGTH} tokens; seconds")
    print(
        f"{'model':14}{'sweep':28}{'theirs':>9}{'ours':>9}{'ratio':>8}{'added MB':>9}{'difference':>11}{'of bound':>9}"
    )
    models = {name: load_model(name) for name in ("attn-only-2l", "ioi-gpt2") if name in shipped()}
    with tempfile.TemporaryDirectory() as folder:
        models["GPT-2 small"] = random_gpt2(folder, std=0.02)
    for name, model in models.items():
        for what, ours, theirs in sweeps(model, ["out"] if name == "GPT-2 small" else list(ALL_POSITIONS)):
            row(name, what, ours, theirs, bound)


if __name__ == "__main__":
    main()
