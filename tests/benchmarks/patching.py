"""``python -m tests.benchmarks.patching``: our sweeps beside TransformerLens's, in one run.

Prints seconds, ratio, added memory and difference. "of bound" is the fraction of this machine's speed at large
matrix products that the sweep's arithmetic reaches. A name of a model as argument: that model alone. On
smollm2-135m TransformerLens's sweeps are timed on a sample of their patches.
"""

import itertools
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformer_lens import patching as tl
from transformer_lens.model_bridge import TransformerBridge

from helpers.ioi import corrupted, make_prompts
from helpers.models import load_model, shipped
from helpers.patching import PARTS, patch_heads, patch_residual
from helpers.run import LogitDiff
from tests.interventions import ALL_POSITIONS, BY_POSITION, GPT2_SMALL, random_gpt2

PROMPTS, LENGTH = 8, 15
SAMPLE = 40  # patches of a large model on which TransformerLens is timed


class Sweep(NamedTuple):
    """A sweep of ours, and that of TransformerLens on all its patches or on a sample of them."""

    name: str
    ours: Callable[[], torch.Tensor]
    theirs: Callable[[], torch.Tensor]
    select: Callable[[torch.Tensor], torch.Tensor] = lambda effects: effects  # theirs of ours
    sampled: float = 1.0  # fraction of the patches


def main() -> None:
    bound = flops_per_second()
    print(f"{torch.get_num_threads()} threads, {bound / 1e9:.0f} G operations per second in large products")
    print(f"{PROMPTS} prompts of {LENGTH} tokens; seconds")
    print(
        f"{'model':14}{'sweep':28}{'theirs':>9}{'ours':>9}{'ratio':>8}{'added MB':>9}{'difference':>11}{'of bound':>9}"
    )
    loaders = {name: partial(load_model, name) for name in ("attn-only-2l", "ioi-gpt2") if name in shipped()}
    loaders["GPT-2 small"] = partial(random_gpt2, std=0.02, **GPT2_SMALL)
    loaders["smollm2-135m"] = partial(load_model, "smollm2-135m")
    for name in sys.argv[1:] or loaders:
        model = loaders[name]()
        if name == "smollm2-135m":
            chosen = sweeps_of_ioi(model)
        else:
            chosen = sweeps(model, ["out"] if name == "GPT-2 small" else list(ALL_POSITIONS))
        for sweep in chosen:
            print(f"{name:14}{row(sweep, bound)}", flush=True)


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
        yield Sweep(
            f"heads, {part}", partial(patch_heads, *ours, part), partial(ALL_POSITIONS[part], *theirs)
        )
    for part in parts:
        by_position = partial(patch_heads, *ours, part, by_position=True)
        yield Sweep(f"heads × positions, {part}", by_position, partial(BY_POSITION[part], *theirs))
    yield Sweep(
        "residual × positions", partial(patch_residual, *ours), partial(tl.get_act_patch_resid_pre, *theirs)
    )


def sweeps_of_ioi(model: TransformerBridge) -> Iterator[Sweep]:
    """Sweeps on eight prompts of the IOI task; of TransformerLens, a sample."""
    clean = make_prompts(model.tokenizer, PROMPTS)
    into = corrupted(clean, "abc", model.tokenizer)
    _, cache = model.run_with_cache(clean.tokens)
    metric, tokens = LogitDiff(clean.io_token, clean.s_token), (model, into.tokens, clean.tokens)
    every = dict(layer=model.cfg.n_layers, pos=into.tokens.shape[1], head=model.cfg.n_heads)

    def sweep(name, sizes, ours, activation, setter, **fixed):
        """The sweep over all indices of ``sizes``; ``fixed``: the one index of theirs that ours lacks."""
        index = pd.DataFrame(itertools.product(*map(range, sizes.values())), columns=list(sizes))
        sample = index.sample(SAMPLE, random_state=0).reset_index(drop=True)
        theirs = partial(
            tl.generic_activation_patch,
            model, into.tokens, cache, lambda logits: metric(logits[:, -1]).mean(), setter, activation,
            index_df=sample.assign(**fixed)[[axis for axis in every if axis in {*sizes, *fixed}]],
        )  # fmt: skip
        where = tuple(torch.tensor(sample[axis]) for axis in sizes)
        return Sweep(
            name, ours, theirs, lambda effects: effects.reshape(*sizes.values())[where], SAMPLE / len(index)
        )

    heads = dict(layer=every["layer"], head=every["head"])
    key_heads = heads | dict(head=model.W_K.shape[1])  # TransformerLens patches one for all its query heads
    at_end = partial(patch_heads, *tokens, metric, by_position=[-1])
    yield sweep(
        "heads at END", heads, at_end, "z", tl.layer_pos_head_vector_patch_setter, pos=every["pos"] - 1
    )
    for part in PARTS:
        shared, setter = part in ("k", "v"), tl.layer_head_vector_patch_setter
        ours = partial(patch_heads, *tokens, metric, part, shared=shared)
        if part == "pattern":
            setter = tl.layer_head_pattern_patch_setter
        activation = "z" if part == "out" else part
        yield sweep(f"heads, {part}", key_heads if shared else heads, ours, activation, setter)
    ours = partial(patch_residual, *tokens, metric)
    yield sweep(
        "residual × positions",
        dict(layer=every["layer"], pos=every["pos"]),
        ours,
        "resid_pre",
        tl.layer_pos_patch_setter,
    )
    ours = partial(patch_heads, *tokens, metric, by_position=True)
    yield sweep("heads × positions, out", every, ours, "z", tl.layer_pos_head_vector_patch_setter)


def row(sweep: Sweep, bound: float) -> str:
    """Measure one sweep."""
    if sweep.sampled == 1:
        sweep.ours()  # warm
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    our_seconds, effects = seconds(sweep.ours)
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with FlopCounterMode(display=False) as counter:
        counted_seconds, _ = seconds(sweep.ours)
    our_seconds = min(our_seconds, counted_seconds)
    of_bound = counter.get_total_flops() / our_seconds / bound
    their_seconds, expected = seconds(sweep.theirs)
    their_seconds /= sweep.sampled
    difference = (sweep.select(effects.mean(dim=-1)) - expected).abs().max().item()
    ratio = their_seconds / our_seconds
    return f"{sweep.name:28}{their_seconds:9.2f}{our_seconds:9.3f}{ratio:8.1f}{added:9.0f}{difference:11.1e}{of_bound:9.0%}"


if __name__ == "__main__":
    main()
