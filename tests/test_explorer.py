"""The explorer without a page: every panel draws, its code shows the same, and an error becomes a sentence."""

import re

import nbformat
import plotly.io
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.attention_view import loader
from helpers.build.lesson_files import PLOTLY, ROOT
from helpers.build.lesson_runs import execute
from helpers.explorer import Explorer
from helpers.explorer.subject import logit_diff, tokens_of
from helpers.explorer.views.patching import show_effects
from helpers.hooks import patch_hooks

PANELS = ["attention", "line", "memory", "logit lens", "heads off", "patching", "steering"]


@pytest.fixture(scope="module")
def explorer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotly.io.renderers, "default", "plotly_mimetype")  # as in a notebook
        yield Explorer()


@pytest.fixture(autouse=True)
def as_at_the_start(explorer):
    start = {name: field.value for name, field in explorer.fields.items()}
    yield
    for name, value in start.items():
        explorer.fields[name].value = value


def panel(explorer, name):
    explorer.tab.selected_index = PANELS.index(name)
    return explorer.panels[PANELS.index(name)]


def contents(outputs):
    """HTML and figures of outputs, without the ids of views and the bundle that the first view carries."""
    data = [output["data"] for output in outputs if "data" in output]
    return [
        item.get(PLOTLY) or re.sub(r"view-\w+-\d+", "view", item["text/html"].removeprefix(loader()))
        for item in data
    ]


def test_every_panel_shows_something(explorer):
    assert [panel.title for panel in explorer.panels] == PANELS
    for name in PANELS:
        drawn = panel(explorer, name)
        assert drawn.message.value == "" and drawn.output.outputs
    assert "<code> Mary</code>" in explorer.summary.value


def test_the_code_of_a_panel_shows_what_the_panel_shows(explorer):
    """All codes as cells of one notebook, run by a kernel."""
    off, patching = panel(explorer, "heads off"), panel(explorer, "patching")
    effects_code = patching.code_box.value
    off.controls["heads"].value = ((1, 4), (2, 2))
    off.controls["kind"].value = "mean"
    patching.click(2, 4)
    panels = [panel(explorer, name) for name in PANELS]
    codes = [drawn.code_box.value for drawn in panels] + [effects_code]
    notebook = execute(new_notebook(cells=[new_code_cell(code) for code in codes]), ROOT)
    *results, effects = [cell.outputs for cell in notebook.cells]
    for drawn, outputs in zip(panels, results):
        assert contents(outputs) == contents(drawn.output.outputs), drawn.title
    assert effects[0]["data"]["text/plain"].startswith("tensor([[")


def test_a_click_makes_the_patch_that_the_grid_measured(explorer):
    patching, subject = panel(explorer, "patching"), explorer.subject
    model, right, wrong = subject.model, subject.right, subject.wrong
    source_tokens = tokens_of(model, subject.source)
    for part, index in (("resid", 11), ("q", 2), ("k", 2), ("v", 4), ("out", 4)):
        (effects,) = show_effects(model, subject.tokens, subject.source, right, wrong, part)
        for layer in (1, 2):
            with model.hooks(fwd_hooks=patch_hooks(model, source_tokens, layer, part, index)):
                patched = logit_diff(model, model(subject.tokens)[0, -1], right, wrong)
            assert patched.item() == pytest.approx(effects[layer, index].item(), abs=1e-3)
    patching.controls["part"].value = "resid"
    patching.click(1, 11)
    prediction, lines = contents(patching.output.outputs)
    assert "patched" in prediction and lines.count('"logit_lens"') == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "", "expected a text, got an empty field"),
        ("prompt", " \n", "expected a text, got an empty field"),
        ("prompt", "a " * 10_000, "at most 40 tokens, got a longer one"),
        ("right", "", "expected a word, got an empty field"),
        ("right", "Nebuchadnezzar", "expected a word that is one token"),
        ("source", "too short", "as long as the first"),
    ],
)
def test_a_field_that_cannot_be_used_is_answered_and_nothing_is_lost(explorer, field, value, sentence):
    before = explorer.summary.value
    explorer.fields[field].value = value
    assert sentence in explorer.messages[field].value and explorer.summary.value == before
    assert all(message.value == "" for name, message in explorer.messages.items() if name != field)


@pytest.mark.parametrize("text", ["😀 日本語", "שלום עולם", "\x00\x07\x1b[31m", "<b>&lt;</b> $x$ </script>"])
def test_any_text_can_be_looked_at(explorer, text):
    explorer.fields["prompt"].value = text
    for name in ("attention", "line", "memory", "logit lens", "heads off", "steering"):
        drawn = panel(explorer, name)
        assert drawn.message.value == "" and not drawn.stale


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        ("strength", float("nan"), "expected a strength that is a finite number"),
        ("positive", "", "expected 1 to 8 texts"),
        ("negative", "x\n" * 9, "expected 1 to 8 texts"),
        ("negative", "He was happy and\nIt was a good day and", "got no difference"),
        ("positive", "a " * 100, "at most 40 tokens, got a longer one"),
    ],
)
def test_a_control_that_cannot_be_used_is_answered(explorer, control, value, sentence):
    steering = panel(explorer, "steering")
    kept, before = steering.controls[control].value, steering.output.outputs
    steering.controls[control].value = value
    assert sentence in steering.message.value and steering.output.outputs == before
    steering.controls[control].value = kept
    assert steering.message.value == ""


def test_only_resampling_needs_a_second_text_of_the_same_length(explorer):
    off = panel(explorer, "heads off")
    off.controls["heads"].value = ((1, 4),)
    explorer.fields["source"].value = "too short"
    for kind, sentence in (("zero", ""), ("mean", ""), ("resample", "as long as the first")):
        off.controls["kind"].value = kind
        assert sentence in off.message.value and (sentence or off.message.value == "")
    off.controls["kind"].value = "zero"


def test_what_is_shown_of_another_text_does_not_stay(explorer):
    patching = panel(explorer, "patching")
    assert patching.grid.children and patching.output.outputs
    explorer.fields["prompt"].value = "Hi"
    assert "as long as the first" in patching.message.value
    assert patching.grid.children == () and patching.output.outputs == ()


def test_another_model_brings_its_own_heads_and_layers(explorer):
    panel(explorer, "steering")
    explorer.fields["name"].value = "attn-only-2l"
    assert explorer.subject.model.cfg.n_layers == 2
    assert PANELS[explorer.tab.selected_index] == "steering"
    for name in PANELS:
        assert panel(explorer, name).message.value == ""
    assert panel(explorer, "attention").controls["layer"].max == 1


def test_a_model_that_does_not_load_leaves_the_one_before(explorer):
    explorer.fields["name"].options = [*explorer.fields["name"].options, "no-such-model"]
    kept = explorer.subject.name
    explorer.fields["name"].value = "no-such-model"
    assert "no model" in explorer.messages["name"].value and explorer.subject.name == kept


def test_the_committed_notebook_keeps_no_widget():
    notebook = nbformat.read(ROOT / "notebooks/07_circuit_explorer.ipynb", as_version=4)
    assert "widget-view" not in str(notebook) and "widgets" not in notebook.metadata
