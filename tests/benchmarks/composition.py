"""``python -m tests.benchmarks.composition``: all composition scores, ours beside TransformerLens's.

On attn-only-2l and on a random model of GPT-2 small's shape, in one run.
"""

import resource
import statistics
import time
from collections.abc import Callable

import torch

from helpers.components import PORTS
from helpers.composition import composition_scores
from helpers.models import load_model
from helpers.shortformer import ShortformerModel, config, wrap


def main() -> None:
    torch.manual_seed(0)
    sizes = dict(n_layers=12, n_heads=12, d_model=768, d_head=64, n_ctx=16, d_vocab=16)
    models = {
        "attn-only-2l": load_model("attn-only-2l"),
        "GPT-2 small's shape": wrap(ShortformerModel(config(**sizes)), None, "random"),
    }
    print(
        f"{'model':22}{'port':>5}{'TransformerLens':>17}{'ours':>9}{'ratio':>8}{'max difference':>16}"
        f"{'added peak MB, ours then theirs':>33}"
    )
    for name, model in models.items():
        for port in PORTS:
            print(f"{name:22}{port:>5}{row(model, port)}")


def row(model, port: str) -> str:
    """Seconds of both, their ratio, the largest difference of a score, and the memory each added."""
    before = peak_megabytes()
    our_seconds, ours = timed(lambda: composition_scores(model, port), 5)
    between = peak_megabytes()
    their_seconds, theirs = timed(lambda: model.all_composition_scores(port.upper()).scores, 2)
    difference = (ours - theirs)[ours > 0].abs().max().item()
    memory = f"{between - before:.0f} then {peak_megabytes() - between:.0f}"
    return (
        f"{their_seconds:>15.3f} s{our_seconds:>7.3f} s{their_seconds / our_seconds:>7.1f}×"
        f"{difference:>16.1e}{memory:>33}"
    )


def timed(function: Callable, times: int) -> tuple[float, torch.Tensor]:
    """Median seconds of some calls after a first one, and the result."""
    result = function()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken), result


def peak_megabytes() -> float:
    """Highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
