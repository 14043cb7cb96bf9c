"""``python -m tests.benchmarks``: the course's functions beside those of TransformerLens, in one run.

python -m tests.benchmarks            # seconds of TransformerLens's functions and of ours, ratio, difference
python -m tests.benchmarks lessons    # seconds of every lesson as shipped, solved and wrong, and its slowest cells
python -m tests.benchmarks load       # seconds of every lesson: quiet, half of the cores busy, a quota of one CPU
python -m tests.benchmarks clone      # seconds from "git clone" to the first picture; needs a package registry
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import nbformat
import torch
from einops import einsum
from transformer_lens import ActivationCache
from transformer_lens import patching as tl
from transformer_lens.head_detector import detect_head

from helpers.build.lesson_files import ROOT, figures_of, lessons, read_lesson
from helpers.build.lesson_runs import STATES, execute, in_state, seconds
from helpers.circuits import copying_accuracy, full_OV
from helpers.components import PORTS, Component
from helpers.composition import composition_scores
from helpers.discovery import EdgePatching, edge_effects
from helpers.heads import previous_token_score
from helpers.ioi import corrupted, logit_diff, make_prompts
from helpers.models import load_model
from helpers.patching import patch_heads, patch_residual
from helpers.residual import head_logit_attribution
from helpers.run import LogitDiff
from tests.benchmarks.load import of_lessons_under_load
from tests.benchmarks.patching import seconds as timed

Pair = tuple[str, Callable[[], torch.Tensor], Callable[[], torch.Tensor]]  # name, ours, TransformerLens's


def weights() -> Iterator[Pair]:
    """Measures on the weights of attn-only-2l."""
    model = load_model("attn-only-2l")
    circuits = [full_OV(model, layer, head) for layer in range(2) for head in range(model.cfg.n_heads)]

    def by_whole_matrices():
        tokens = torch.arange(model.cfg.d_vocab)
        return torch.stack([(circuit.AB.argmax(dim=1) == tokens).float().mean() for circuit in circuits])

    yield (
        "K-composition, all pairs",
        lambda: composition_scores(model, "k"),
        lambda: model.all_composition_scores("K").scores,
    )
    yield (
        "copying, full OV of all heads",
        lambda: torch.stack([copying_accuracy(circuit.A, circuit.B) for circuit in circuits]),
        by_whole_matrices,
    )


def runs() -> Iterator[Pair]:
    """Measures on a run of ioi-gpt2 on 8 prompts."""
    model = load_model("ioi-gpt2")
    clean = make_prompts(model.tokenizer, 8)
    source = corrupted(clean, "abc", model.tokenizer)
    texts = [model.tokenizer.decode(row[1:]) for row in clean.tokens]
    _, clean_cache = model.run_with_cache(clean.tokens)
    _, source_cache = model.run_with_cache(source.tokens)
    n_layers, length = model.cfg.n_layers, clean.tokens.shape[1]

    def metric(logits):
        return logit_diff(logits, clean.io_token, clean.s_token)

    def detected():
        names = {f"blocks.{layer}.attn.hook_pattern" for layer in range(n_layers)}
        _, cache = model.run_with_cache(clean.tokens, names_filter=lambda name: name in names)
        patterns = torch.stack([cache[name] for name in sorted(names)])
        with_previous = (length - 1) / length  # theirs divides by all queries
        return with_previous * previous_token_score(patterns).mean(dim=1)

    def attribution():
        z = torch.stack([clean_cache[f"blocks.{layer}.attn.hook_z"][:, -1] for layer in range(n_layers)])
        outputs = einsum(z, model.W_O, "layer prompt head d, layer head d out -> layer head prompt out")
        direction = (model.W_U[:, clean.io_token] - model.W_U[:, clean.s_token]).T
        scale = clean_cache["ln_final.hook_scale"][:, -1, 0]
        return head_logit_attribution(outputs, scale, direction).flatten()

    def attribution_by_library():
        cache = ActivationCache(
            {**clean_cache.cache_dict}, model
        )  # it would keep the results for a second call
        stack = cache.stack_head_results(pos_slice=-1)  # logit_attrs applies LayerNorm
        return cache.logit_attrs(
            stack, tokens=clean.io_token, incorrect_tokens=clean.s_token, pos_slice=-1, has_batch_dim=True
        ).mean(dim=-1)

    theirs = (model, clean.tokens, source_cache, lambda logits: metric(logits[:, -1]).mean())
    ours = (model, clean.tokens, source.tokens, metric)
    yield "previous-token heads, 8 texts", detected, partial(detect_head, model, texts, "previous_token_head")
    yield "attribution of all heads", attribution, attribution_by_library
    for name, patch, library in [
        ("sweep, heads", partial(patch_heads, *ours), tl.get_act_patch_attn_head_out_all_pos),
        (
            "sweep, heads × positions",
            partial(patch_heads, *ours, by_position=True),
            tl.get_act_patch_attn_head_out_by_pos,
        ),
        ("sweep, residual × positions", partial(patch_residual, *ours), tl.get_act_patch_resid_pre),
    ]:
        yield name, lambda patch=patch: patch().mean(dim=-1), partial(library, *theirs)


def edges() -> Iterator[Pair]:
    """Effects of the edges from one head of layer 1 of ioi-gpt2 into all later queries, keys and values."""
    model = load_model("ioi-gpt2")
    clean = make_prompts(model.tokenizer, 8)
    source = corrupted(clean, "abc", model.tokenizer).tokens
    metric = LogitDiff(clean.io_token, clean.s_token)
    patching = EdgePatching(model, clean.tokens, source, metric)
    graph, sender = patching.graph, Component("head", 1, 4)
    chosen = torch.zeros_like(graph.exists)
    chosen[graph.senders.index(sender)] = torch.tensor([bool(receiver.port) for receiver in graph.receivers])
    chosen &= graph.exists

    def by_library():
        caches = [model.run_with_cache(tokens)[1] for tokens in (source, clean.tokens)]
        by_port = [
            tl.get_act_patch_direct_path(
                model,
                clean.tokens,
                *caches,
                lambda logits: metric(logits[:, -1]).mean(),
                1,
                4,
                port,
                verbose=False,
            )
            for port in PORTS
        ]
        return torch.stack(by_port, dim=1)[2:].flatten() - patching.clean_metric.mean()

    yield "edges from one head", lambda: edge_effects(patching, chosen)[chosen], by_library


def speed() -> None:
    print(f"{torch.get_num_threads()} threads; seconds")
    print(f"{'':34}{'TransformerLens':>16}{'ours':>9}{'ratio':>9}{'difference':>13}")
    for name, ours, theirs in [*weights(), *runs(), *edges()]:
        our_seconds, result = min((timed(ours) for _ in range(3)), key=lambda pair: pair[0])
        their_seconds, expected = min((timed(theirs) for _ in range(2)), key=lambda pair: pair[0])
        ratio, difference = their_seconds / our_seconds, (result - expected).abs().max().item()
        print(f"{name:34}{their_seconds:16.3f}{our_seconds:9.3f}{ratio:8.1f}×{difference:13.1e}", flush=True)


def of_lessons() -> None:
    print(f"{'':36}{'as shipped':>11}{'solved':>8}{'wrong':>8}   slowest cells as shipped")
    for path in lessons():
        wall, slowest = [], ""
        for state in STATES:
            notebook = in_state(read_lesson(path), state)
            started = time.perf_counter()
            execute(notebook)
            wall.append(time.perf_counter() - started)
            if state == "unsolved":
                code = [cell for cell in notebook.cells if cell.cell_type == "code"]
                cells = sorted(code, key=seconds, reverse=True)
                slowest = ", ".join(f"{cell.id} {seconds(cell):.1f}" for cell in cells[:3])
        print(f"{path.stem:36}{wall[0]:11.1f}{wall[1]:8.1f}{wall[2]:8.1f}   {slowest}", flush=True)


def clone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        course, started = Path(folder) / "course", time.perf_counter()
        inside = course / ".venv/bin"

        def step(name: str, *command: str, **settings) -> None:
            step_started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **settings)
            print(f"{name:40}{time.perf_counter() - step_started:7.1f}", flush=True)

        step("git clone", "git", "clone", "--quiet", f"file://{ROOT}", str(course))
        step("a virtual environment", sys.executable, "-m", "venv", str(course / ".venv"))
        step("pip install", str(inside / "pip"), "install", "--quiet", "-r", str(course / "requirements.txt"))
        notebook = read_lesson(course / "notebooks" / lessons()[0].name)
        has_figure = [bool(figures_of([cell])) for cell in notebook.cells]
        notebook.cells = notebook.cells[: has_figure.index(True) + 1]
        first = course / "notebooks/first.ipynb"
        nbformat.write(notebook, first)
        environment = {**os.environ, "PATH": f"{inside}{os.pathsep}{os.environ['PATH']}"}
        step(
            "lesson 0 up to its first picture",
            str(inside / "jupyter"),
            "execute",
            str(first),
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        print(f"{'from nothing to the first picture':40}{time.perf_counter() - started:7.1f}")


BENCHMARKS = {"speed": speed, "lessons": of_lessons, "load": of_lessons_under_load, "clone": clone}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("benchmark", nargs="?", choices=BENCHMARKS, default="speed")
    warnings.filterwarnings("ignore")
    BENCHMARKS[parser.parse_args().benchmark]()


if __name__ == "__main__":
    main()
