"""Every measure, intervention, view and picture on a second device: a real one where there is one, and an imitation."""

import re

import plotly.graph_objects as go
import pytest
import torch
from IPython.display import HTML
from nbformat.v4 import new_code_cell
from torch.utils._pytree import tree_leaves, tree_map
from transformers import LlamaConfig

from helpers import heatmaps, plots
from helpers.attention_view import attention_heads, attention_pattern, colored_tokens
from helpers.build.lesson_files import lessons, read_lesson
from helpers.build.lesson_runs import execute
from helpers.clouds import clouds
from helpers.line_view import Line, line_view
from helpers.models import load_model
from helpers.statistics import bootstrap
from tests.hub import LARGE_MODEL, on_model, save_gpt2, save_llama, save_random
from tests.measures import MEASURES, WITH_MLPS, Case
from tests.second_device import DEVICE, OnDevice, SecondDevice, moved

LLAMA = LlamaConfig(
    vocab_size=3072, hidden_size=36, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
    intermediate_size=50, max_position_embeddings=48,
)  # fmt: skip
REAL = str(torch.accelerator.current_accelerator()) if torch.accelerator.is_available() else None


@pytest.fixture(scope="module", params=["attn-only-2l", "gpt2", "llama"])
def name(request, tmp_path_factory):
    """A shipped shortformer, and folders with random models of other kinds."""
    if request.param == "attn-only-2l":
        return request.param
    folder = tmp_path_factory.mktemp(request.param)
    save_random(folder, LLAMA) if request.param == "llama" else save_gpt2(folder)
    return str(folder)


def comparable(value):
    """A view without its id, and without what the first view of a page brings; a tensor on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, HTML):
        return re.sub(r"view-\w+-\d+", "", value.data)[-300:]
    return value.to_json() if isinstance(value, go.Figure) else value


@torch.no_grad()
def results(model):
    """The result of each measure, or what went wrong."""
    case, found = Case(model), {}
    for key, measure in (MEASURES | (WITH_MLPS if case.has_mlps else {})).items():
        try:
            found[key] = tree_map(comparable, measure(case))
        except Exception as error:
            found[key] = f"{type(error).__name__}: {error}"
    return found


def faults(on_device, expected, tolerance):
    """The results that differ, and the errors; numbers in a text may be rounded otherwise."""

    def differ(actual, wanted):
        if not isinstance(wanted, torch.Tensor | float):
            return type(actual) is not type(wanted)
        pair = [torch.as_tensor(value, dtype=torch.float) for value in (actual, wanted)]
        return not torch.allclose(*pair, rtol=tolerance, atol=tolerance)

    wrong = {
        key: result
        for key, result in on_device.items()
        if "Error: " in str(result) or any(map(differ, tree_leaves(result), tree_leaves(expected[key])))
    }
    return {key: str(result)[:300] for key, result in wrong.items()}


def test_on_an_imitated_device_every_result_is_that_of_the_cpu(name):
    expected = results(load_model(name))
    with SecondDevice():
        on_device = results(moved(load_model(name)))
    assert faults(expected, expected, 0) == {} and faults(on_device, expected, 1e-4) == {}


@pytest.mark.skipif(REAL is None, reason="this machine has no second device")
def test_on_a_real_device_every_result_is_close_to_that_of_the_cpu(name):
    expected, on_device = results(load_model(name)), results(load_model(name, REAL))
    assert faults(on_device, expected, 1e-2) == {}


MATRIX = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
WORDS = ["a", "b"]
TOP = [[[["a", "b", "c"]] * 2]]


@pytest.mark.parametrize(
    "draw",
    [
        lambda matrix: heatmaps.attention(matrix, WORDS, "title"),
        lambda matrix: heatmaps.heatmap(matrix, WORDS, WORDS, "title", "query", "key", diverging=True),
        lambda matrix: heatmaps.heatmaps({"q": matrix}, WORDS, WORDS, "title", "query", "key"),
        lambda matrix: heatmaps.memory_map(matrix, WORDS, WORDS, "title", {"k": (0, 0)}),
        lambda matrix: plots.bars(matrix[0], WORDS, "title", "x", "y"),
        lambda matrix: plots.dots({"q": matrix[0]}, WORDS, "title", "x", "y"),
        lambda matrix: plots.lines({"loss": matrix[1]}, "title", "x", "y"),
        lambda matrix: plots.scatter(matrix[0], matrix[1], WORDS, "title", "x", "y"),
        lambda matrix: plots.arrows({"plane": matrix}, WORDS, "title"),
        lambda matrix: clouds({"plane": matrix}, WORDS, WORDS, "title", {"plane": "xy"}),
        lambda matrix: attention_heads(matrix[None], WORDS),
        lambda matrix: attention_pattern(matrix, WORDS),
        lambda matrix: colored_tokens(WORDS, matrix[1]),
        lambda matrix: line_view(Line("title", WORDS, matrix[None, None], [[("a", 0.5)] * 2] * 2, TOP)),
        lambda matrix: bootstrap(matrix[1]),
    ],
)
def test_a_picture_of_what_is_on_another_device_is_the_same(draw):
    expected = draw(MATRIX)
    with SecondDevice():
        drawn = draw(MATRIX.to(DEVICE))
    assert comparable(expected) == comparable(drawn)


TO_DEVICE = f"""\
from tests.second_device import SecondDevice, moved

load_on_cpu = load_model
if {REAL!r}:
    load_model = lambda *names, **named: load_on_cpu(*names, device={REAL!r}, **named)
else:
    SecondDevice().__enter__()
    load_model = lambda *names, **named: moved(load_on_cpu(*names, **named))
"""


@pytest.mark.parametrize("path", lessons()[:-1], ids=lambda path: path.stem)
def test_a_lesson_runs_on_a_second_device(path, tmp_path):
    notebook = read_lesson(path)
    if path.stem.startswith(LARGE_MODEL):
        on_model(notebook, save_llama(tmp_path))
    place = next(i for i, cell in enumerate(notebook.cells) if "= load_model(MODEL)" in cell.source)
    notebook.cells.insert(place, new_code_cell(TO_DEVICE))
    if REAL is None:  # the imitation has no gradients: lessons 5, 7 and 8 end where they take them
        taken = re.compile(r"requires_grad_\(True\)|\battribution\(|\.gradient\(")
        with_gradients = (i for i, cell in enumerate(notebook.cells) if taken.search(cell.source))
        notebook.cells = notebook.cells[: next(with_gradients, None)]
    execute(notebook)


CPU, OTHER = torch.ones(3), torch.tensor([0, 2])


@pytest.mark.parametrize(
    "mix",
    [
        lambda: CPU.to(DEVICE) + CPU,
        lambda: torch.stack([CPU, CPU.to(DEVICE)]),
        lambda: CPU[OTHER.to(DEVICE)],
        lambda: CPU.to(DEVICE).gather(0, OTHER),
        lambda: CPU.to(DEVICE).index_add_(0, OTHER.to(DEVICE), CPU[:2]),
        lambda: torch.einsum("i,i->", CPU, torch.ones(3, device=DEVICE)),
        lambda: CPU.to(DEVICE).__setitem__(OTHER, CPU[:2]),
        lambda: torch.randn(3, generator=torch.Generator(), device=DEVICE),
        lambda: CPU.to(DEVICE).double(),
    ],
)
def test_the_imitation_refuses_what_a_second_device_does(mix):
    with SecondDevice(), pytest.raises((RuntimeError, TypeError), match=DEVICE):
        mix()


def test_the_imitation_allows_what_a_second_device_does():
    with SecondDevice():
        there = CPU.to(DEVICE)
        assert (
            isinstance(there, OnDevice) and there.device.type == DEVICE and there.cpu().device.type == "cpu"
        )
        there[1:] = CPU[1:]
        assert (there[OTHER] * torch.tensor(2.0)).tolist() == [2, 2]
        assert torch.zeros_like(there).device.type == "mps" and (CPU + there.cpu()).sum() == 6
