"""``python -m tests.benchmarks``: what the course computes beside what a learner would otherwise call, in one run.

python -m tests.benchmarks            # seconds of TransformerLens's functions and of ours, ratio, difference
python -m tests.benchmarks lessons    # seconds of every lesson as shipped, solved and wrong, and its slowest cells
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
from transformer_lens import patching as tl
from transformer_lens.head_detector import detect_head

from helpers.build.notebooks import PLOTLY, ROOT, execute, in_state, lessons, seconds
from helpers.circuits import copying_accuracy, full_OV
from helpers.composition import composition_scores
from helpers.heads import previous_token_score
from helpers.ioi import corrupted, logit_diff, make_prompts
from helpers.models import load_model
from helpers.patching import patch_heads, patch_residual
from helpers.residual import head_logit_attribution
from tests.benchmarks.patching import seconds as timed

Pair = tuple[str, Callable[[], torch.Tensor], Callable[[], torch.Tensor]]  # what, ours, theirs


def weights() -> Iterator[Pair]:
    """What is read off the weights of attn-only-2l."""
    model = load_model("attn-only-2l")
    circuits = [full_OV(model, layer, head) for layer in range(2) for head in range(model.cfg.n_heads)]

    def by_whole_matrices():
        tokens = torch.arange(model.cfg.d_vocab)
        return torch.stack([(circuit.AB.argmax(dim=1) == tokens).float().mean() for circuit in circuits])

    yield (
        "K-composition, all pairs",
        lambda: composition_scores(model, "K"),
        lambda: model.all_composition_scores("K").scores,
    )
    yield (
        "copying, full OV of all heads",
        lambda: torch.stack([copying_accuracy(circuit.A, circuit.B) for circuit in circuits]),
        by_whole_matrices,
    )


def runs() -> Iterator[Pair]:
    """What is measured on 8 prompts by ioi-gpt2."""
    model = load_model("ioi-gpt2")
    given = make_prompts(model.tokenizer, 8)
    other = corrupted(given, "abc", model.tokenizer)
    texts = [model.tokenizer.decode(row[1:]) for row in given.tokens]
    _, cache = model.run_with_cache(other.tokens)
    _, clean = model.run_with_cache(given.tokens)
    n_layers, length = model.cfg.n_layers, given.tokens.shape[1]

    def metric(logits):
        return logit_diff(logits, given.io_token, given.s_token)

    def detected():
        names = {f"blocks.{layer}.attn.hook_pattern" for layer in range(n_layers)}
        _, run = model.run_with_cache(given.tokens, names_filter=lambda name: name in names)
        patterns = torch.stack([run[name] for name in sorted(names)])
        share = (length - 1) / length  # theirs divides by all queries
        return share * previous_token_score(patterns).mean(dim=1)

    def attribution_patching():
        z = torch.stack([clean[f"blocks.{layer}.attn.hook_z"][:, -1] for layer in range(n_layers)])
        stores = einsum(z, model.W_O, "layer prompt head d, layer head d out -> layer head prompt out")
        direction = (model.W_U[:, given.io_token] - model.W_U[:, given.s_token]).T
        return head_logit_attribution(stores, clean["ln_final.hook_scale"][:, -1, 0], direction).flatten()

    def attributed_by_library():
        stack = clean.stack_head_results(pos_slice=-1)  # logit_attrs applies LayerNorm
        return clean.logit_attrs(
            stack, tokens=given.io_token, incorrect_tokens=given.s_token, pos_slice=-1, has_batch_dim=True
        ).mean(dim=-1)

    theirs = (model, given.tokens, cache, lambda logits: metric(logits[:, -1]).mean())
    ours = (model, given.tokens, other.tokens, metric)
    yield "previous-token heads, 8 texts", detected, partial(detect_head, model, texts, "previous_token_head")
    yield "attribution of all heads", attribution_patching, attributed_by_library
    for what, mine, library in [
        ("sweep, heads", partial(patch_heads, *ours), tl.get_act_patch_attn_head_out_all_pos),
        (
            "sweep, heads × positions",
            partial(patch_heads, *ours, by_position=True),
            tl.get_act_patch_attn_head_out_by_pos,
        ),
        ("sweep, residual × positions", partial(patch_residual, *ours), tl.get_act_patch_resid_pre),
    ]:
        yield what, lambda mine=mine: mine().mean(dim=-1), partial(library, *theirs)


def speed() -> None:
    print(f"{torch.get_num_threads()} threads; seconds")
    print(f"{'':34}{'TransformerLens':>16}{'ours':>9}{'ratio':>9}{'difference':>13}")
    for what, ours, theirs in [*weights(), *runs()]:
        mine, found = min((timed(ours) for _ in range(3)), key=lambda pair: pair[0])
        other, expected = min((timed(theirs) for _ in range(2)), key=lambda pair: pair[0])
        difference = (found - expected).abs().max().item()
        print(f"{what:34}{other:16.3f}{mine:9.3f}{other / mine:8.1f}×{difference:13.1e}", flush=True)


def of_lessons() -> None:
    print(f"{'':36}{'as shipped':>11}{'solved':>8}{'wrong':>8}   slowest cells as shipped")
    for path in lessons():
        wall, slowest = [], ""
        for state in ("unsolved", "solved", "wrong"):
            notebook = in_state(nbformat.read(path, as_version=4), state)
            started = time.perf_counter()
            execute(notebook)
            wall.append(time.perf_counter() - started)
            if state == "unsolved":
                cells = sorted(
                    (cell for cell in notebook.cells if cell.cell_type == "code"), key=seconds, reverse=True
                )
                slowest = ", ".join(f"{cell.id} {seconds(cell):.1f}" for cell in cells[:3])
        print(f"{path.stem:36}{wall[0]:11.1f}{wall[1]:8.1f}{wall[2]:8.1f}   {slowest}", flush=True)


def clone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        course, started = Path(folder) / "course", time.perf_counter()
        inside = course / ".venv/bin"

        def step(what: str, *command: str, **settings) -> None:
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **settings)
            print(f"{what:40}{time.perf_counter() - begun:7.1f}", flush=True)

        step("git clone", "git", "clone", "--quiet", f"file://{ROOT}", str(course))
        step("a virtual environment", sys.executable, "-m", "venv", str(course / ".venv"))
        step("pip install", str(inside / "pip"), "install", "--quiet", "-r", str(course / "requirements.txt"))
        notebook = nbformat.read(course / "notebooks" / lessons()[0].name, as_version=4)
        shown = [
            any(PLOTLY in output.get("data", {}) for output in cell.get("outputs", []))
            for cell in notebook.cells
        ]
        notebook.cells = notebook.cells[: shown.index(True) + 1]
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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["speed", "lessons", "clone"], default="speed")
    warnings.filterwarnings("ignore")
    {"speed": speed, "lessons": of_lessons, "clone": clone}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
