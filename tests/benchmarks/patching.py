"""``python -m tests.benchmarks.patching``: our sweeps beside TransformerLens's, in one run.

Prints seconds, ratio, added memory and difference. "of bound" is the fraction of this machine's speed at large
matrix products that the sweep's arithmetic reaches.
"""

import resource
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformer_lens import patching as tl
from transformer_lens.model_bridge import TransformerBridge

from helpers.models import load_model, shipped
from helpers.patching import patch_heads, patch_residual
from tests.interventions import ALL_POSITIONS, BY_POSITION, GPT2_SMALL, random_gpt2

PROMPTS, LENGTH = 8, 15
Sweep = tuple[str, Callable[[], torch.Tensor], Callable[[], torch.Tensor]]  # name, ours, theirs


def main() -> None:
    bound = flops_per_second()
    print(f"{torch.get_num_threads()} threads, {bound / 1e9:.0f} G operations per second in large products")
    print(f"{PROMPTS} prompts of {LENGTH} tokens; seconds")
    print(
        f"{'model':14}{'sweep':28}{'theirs':>9}{'ours':>9}{'ratio':>8}{'added MB':>9}{'difference':>11}{'of bound':>9}"
    )
    models = {name: load_model(name) for name in ("attn-only-2l", "ioi-gpt2") if name in shipped()}
    models["GPT-2 small"] = random_gpt2(std=0.02, **GPT2_SMALL)
    for name, model in models.items():
        for sweep in sweeps(model, ["out"] if name == "GPT-2 small" else list(ALL_POSITIONS)):
            print(f"{name:14}{row(*sweep, bound)}", flush=True)


def flops_per_second() -> float:
    """Floating-point operations per second in a product of two large matrices."""
    A = torch.randn(2048, 2048)
    A @ A
    took, _ = seconds(lambda: [A @ A for _ in range(3)])
    return 3 * 2 * 2048**3 / took


def seconds(call: Callable) -> tuple:
    """Seconds that a call takes, and its result."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def sweeps(model: TransformerBridge, parts: list[str]) -> Iterator[Sweep]:
    """Every sweep, ready to call."""
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
        by_position = partial(patch_heads, *ours, part, by_position=True)
        yield f"heads × positions, {part}", by_position, partial(BY_POSITION[part], *theirs)
    yield "residual × positions", partial(patch_residual, *ours), partial(tl.get_act_patch_resid_pre, *theirs)


def row(name: str, ours: Callable, theirs: Callable, bound: float) -> str:
    """Measure one sweep."""
    ours()  # warm
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    our_seconds, effects = min((seconds(ours) for _ in range(2)), key=lambda pair: pair[0])
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with FlopCounterMode(display=False) as counter:
        ours()
    of_bound = counter.get_total_flops() / our_seconds / bound
    their_seconds, expected = seconds(theirs)
    difference = (effects.mean(dim=-1) - expected).abs().max().item()
    ratio = their_seconds / our_seconds
    return f"{name:28}{their_seconds:9.2f}{our_seconds:9.3f}{ratio:8.1f}{added:9.0f}{difference:11.1e}{of_bound:9.0%}"


if __name__ == "__main__":
    main()
