"""``python -m tests.benchmarks.discovery``: methods of circuit discovery, graded on six models.

Where edges are planted, the true edges are known. For attn-only-2l and ioi-gpt2 the tenth of the
edges with the largest exact effects stands for them. Each line is the mean over three seeds of
prompts, with the least and the largest value. The circuit holds up to a tenth of all edges; edges
whose score is 0 are left out, and pruning's circuit is what it kept. Names of models as arguments:
those alone.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from helpers.discovery import EdgePatching, attribution, edge_effects, prune
from helpers.edges import strongest
from helpers.grading import average_precision, circuit_faithfulness, precision_at, score_sizes
from helpers.ioi import corrupted, equal_length_templates, make_prompts
from helpers.models import load_model
from helpers.planted import Layout, distinct_repeated, induction_model
from helpers.planted_ioi import NAME_TOKENS, IoiLayout, ioi_model, ioi_prompts
from helpers.planted_logic import LAYOUT, NO_SIGNAL, SIGNAL, logic_prompts, or_model
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff
from helpers.sequences import repeated_tokens

SEEDS, THRESHOLDS, FRACTION = 3, {"planted": 0.01, "trained": 0.1}, 0.1
Case = tuple[EdgePatching, Tensor | None]  # and the true edges, where they are known


def induction(seed: int) -> Case:
    """The planted induction model."""
    layout, generator = Layout(d_vocab=12, n_ctx=19), torch.Generator().manual_seed(seed)
    pair = [distinct_repeated(layout, 8, 8, generator) for _ in range(2)]
    model, answers = induction_model(layout), LogitDiff(*(tokens[:, 5] for tokens in pair))
    patching = EdgePatching(model, *(tokens[:, :13] for tokens in pair), answers)
    return patching, true_edges(model, range(1, layout.d_vocab))


def planted_ioi(sharpness: float, seed: int) -> Case:
    """The planted IOI model."""
    prompts, model = ioi_prompts(8, seed), ioi_model(IoiLayout(sharpness=sharpness))
    patching = EdgePatching(model, prompts.tokens, prompts.corrupted, LogitDiff(prompts.io, prompts.s))
    return patching, true_edges(model, NAME_TOKENS)


def logical_or(sharpness: float, seed: int) -> Case:
    """The OR model, on its one prompt."""
    prompts, model = logic_prompts(), or_model(Layout(LAYOUT.d_vocab, LAYOUT.n_ctx, sharpness))
    metric = LogitDiff(prompts.right, prompts.wrong)
    return EdgePatching(model, prompts.tokens, prompts.corrupted, metric), true_edges(
        model, (SIGNAL, NO_SIGNAL)
    )


def trained_induction(seed: int) -> Case:
    """The attention-only model on repeated tokens."""
    model = load_model("attn-only-2l")
    pair = [repeated_tokens(model, 8, 8, seed=s) for s in (seed, seed + 1000)]
    answers = LogitDiff(*(tokens[:, 5] for tokens in pair))
    return EdgePatching(model, *(tokens[:, :13] for tokens in pair), answers), None


def trained_ioi(seed: int) -> Case:
    """The IOI model on half of its templates."""
    model = load_model("ioi-gpt2")
    clean = make_prompts(model.tokenizer, 8, seed, equal_length_templates(model.tokenizer)[:4])
    source = corrupted(clean, "abc", model.tokenizer).tokens
    return EdgePatching(model, clean.tokens, source, LogitDiff(clean.io_token, clean.s_token)), None


CASES: dict[str, Callable[[int], Case]] = {
    "induction": induction,
    **{f"IOI {sharpness}": partial(planted_ioi, float(sharpness)) for sharpness in (6, 12, 100)},
    **{f"OR {sharpness}": partial(logical_or, float(sharpness)) for sharpness in (20, 100)},
    "attn-only-2l": trained_induction,
    "ioi-gpt2": trained_ioi,
}


def main() -> None:
    print(f"{torch.get_num_threads()} threads; {SEEDS} seeds, mean (least to largest)")
    print(
        f"{'model':14}{'edges':>6}{'true':>6}  {'method':18}{'precision = recall':>23}{'average precision':>23}"
        f"{'faithfulness':>23}{'of edges':>10}{'seconds':>9}"
    )
    for name in sys.argv[1:] or CASES:
        for method, line in lines(name):
            print(f"{name:14}{line['size']:6.0f}{line['true']:6.0f}  {method:18}{line['text']}", flush=True)


def lines(name: str) -> Iterator[tuple[str, dict]]:
    """Grades of every method on a model."""
    cases = [CASES[name](seed) for seed in range(SEEDS)]
    exact = [timed(edge_effects, patching) for patching, _ in cases]
    truths = [
        strongest(scores, tenth(patching)) if truth is None else truth
        for (patching, truth), (scores, _) in zip(cases, exact)
    ]
    threshold = THRESHOLDS["planted" if cases[0][1] is not None else "trained"]
    methods = {"EAP": attribution}
    methods |= {f"EAP-IG, {steps} steps": partial(attribution, steps=steps) for steps in (5, 10, 50)}
    methods[f"pruning, {threshold}"] = partial(pruned, threshold=threshold)
    found = {"exact effects": exact}
    for method, function in methods.items():
        found[method] = [timed(function, patching) for patching, _ in cases]
    found["random"] = [(random_scores(patching, seed), 0.0) for seed, (patching, _) in enumerate(cases)]
    for method, of_seeds in found.items():
        grades = [grade(case[0], truth, *scored) for case, truth, scored in zip(cases, truths, of_seeds)]
        precision, average, faithful, size, seconds = torch.tensor(grades).T
        columns = "".join(f"{spread(column):>23}" for column in (precision, average, faithful))
        text = f"{columns}{size.mean():10.0f}{seconds.mean():9.2f}"
        yield method, dict(size=cases[0][0].graph.exists.sum(), true=truths[0].sum(), text=text)


def tenth(patching: EdgePatching) -> int:
    """A tenth of the number of edges."""
    return max(1, round(FRACTION * int(patching.graph.exists.sum())))


def timed(method: Callable, patching: EdgePatching) -> tuple[Tensor, float]:
    """Scores of a method, and its seconds."""
    started = time.perf_counter()
    scores = method(patching)
    return scores, time.perf_counter() - started


def pruned(patching: EdgePatching, threshold: float) -> Tensor:
    """1 for the edges that pruning keeps, 0 for the others."""
    return prune(patching, threshold).float().masked_fill(~patching.graph.exists, torch.nan)


def random_scores(patching: EdgePatching, seed: int) -> Tensor:
    """A random number for every edge."""
    exists = patching.graph.exists
    return torch.rand(exists.shape, generator=torch.Generator().manual_seed(seed)).masked_fill(
        ~exists, torch.nan
    )


def grade(patching: EdgePatching, truth: Tensor, scores: Tensor, seconds: float) -> list[float]:
    """Precision = recall, average precision, faithfulness and size of the circuit, seconds."""
    circuit, is_mask = score_sizes(scores) > 0, scores[scores.isfinite()].unique().tolist() == [0, 1]
    if not is_mask:  # a ranking
        circuit &= strongest(scores, tenth(patching))
    return [
        precision_at(scores, truth, int(truth.sum())).item(),
        average_precision(scores, truth).item(),
        circuit_faithfulness(patching, circuit).item(),
        float(circuit.sum()),
        seconds,
    ]


def spread(values: Tensor) -> str:
    """Mean of some values, with the least and the largest."""
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


if __name__ == "__main__":
    main()
