"""All composition scores of a random model of GPT-2 small's shape: TransformerLens's own function beside ours, in one run.

python -m tests.benchmarks.composition
"""

import resource
import statistics
import time

import torch

from helpers.composition import composition_scores
from helpers.models import load_model
from helpers.shortformer import ShortformerModel, config, wrap


def seconds(function, times: int) -> float:
    """Median wall time of some calls after a first one."""
    function()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def peak() -> float:
    """Highest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    torch.manual_seed(0)
    sizes = dict(n_layers=12, n_heads=12, d_model=768, d_head=64, n_ctx=16, d_vocab=16)
    models = {
        "attn-only-2l": load_model(),
        "GPT-2 small's shape": wrap(ShortformerModel(config(**sizes)), None, "random"),
    }
    print(
        f"{'model':22}{'port':>5}{'TransformerLens':>17}{'ours':>9}{'ratio':>8}{'max difference':>16}{'added peak MB, ours then theirs':>33}"
    )
    for name, model in models.items():
        for port in "QKV":
            before = peak()
            ours = seconds(lambda model=model, port=port: composition_scores(model, port), 5)
            after = peak()
            theirs = seconds(lambda model=model, port=port: model.all_composition_scores(port), 2)
            found, expected = composition_scores(model, port), model.all_composition_scores(port).scores
            difference = (found - expected)[found > 0].abs().max().item()
            memory = f"{after - before:.0f} then {peak() - after:.0f}"
            print(
                f"{name:22}{port:>5}{theirs:>15.3f} s{ours:>7.3f} s{theirs / ours:>7.1f}×{difference:>16.1e}{memory:>33}"
            )


if __name__ == "__main__":
    main()
