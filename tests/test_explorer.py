"""The explorer without a page: every panel draws, its code does what it shows, and what cannot be used becomes a sentence."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.notebooks import ROOT, execute
from helpers.explorer import Explorer
from helpers.hooks import patch_hooks
from helpers.patching import patch_heads, patch_residual

PANELS = ["attention", "line", "memory", "logit lens", "heads off", "patching", "steering"]


@pytest.fixture(scope="module")
def explorer():
    return Explorer()


@pytest.fixture(autouse=True)
def as_at_the_start(explorer):
    start = {name: field.value for name, field in explorer.fields.items()}
    yield
    for name, value in start.items():
        explorer.fields[name].value = value


def panel(explorer, name):
    explorer.tab.selected_index = PANELS.index(name)
    return explorer.panels[PANELS.index(name)]


def shown(panel):
    """The HTML of what a panel shows, without the numbers of its elements."""
    return [
        re.sub(r"view-\w+-\d+", "view", output["data"].get("text/html", "")) for output in panel.place.outputs
    ]


def test_every_panel_shows_something(explorer):
    assert [panel.title for panel in explorer.panels] == PANELS
    for name in PANELS:
        drawn = panel(explorer, name)
        assert drawn.said.value == "" and drawn.place.outputs
    assert "<code> Mary</code>" in explorer.summary.value


def test_the_code_of_a_panel_shows_what_the_panel_shows(explorer):
    """All codes as cells of one notebook, run by a kernel."""
    off, patching = panel(explorer, "heads off"), panel(explorer, "patching")
    off.controls["heads"].value = ((1, 4), (2, 2))
    off.controls["kind"].value = "mean"
    patching.click(2, 4)
    panels = [panel(explorer, name) for name in PANELS]
    notebook = execute(new_notebook(cells=[new_code_cell(panel.copy.value) for panel in panels]), ROOT)
    results = [cell.outputs for cell in notebook.cells]
    html = [
        [re.sub(r"view-\w+-\d+", "view", o.data.get("text/html", "")) for o in r if "data" in o]
        for r in results
    ]
    text = ["".join(o.get("text", "") or o.data.get("text/plain", "") for o in r) for r in results]
    assert same(html[0][-1], shown(panels[0])[0]) and same(html[1][-1], shown(panels[1])[0])
    assert "L5H7" in text[2] and "plotly" in str(results[2]) and "plotly" in str(results[3])
    difference = float(re.search(r"tensor\((.*?)\)", text[4])[1])
    assert f"<b>{difference:+.2f}</b>" in shown(off)[0].split("without")[1]
    assert text[6].strip()[:80] in shown(panels[6])[0].replace("&#x27;", "'")
    untitled = [re.sub(r'"title":"[^"]*"', "", one) for one in (html[5][-1], shown(patching)[1])]
    assert same(*untitled)


def same(first, second):
    """Whether two views hold the same data; the first of a notebook carries the bundle, too."""
    data = [re.findall(r'\{"(?:attention|layer)":.*', html) or html for html in (first, second)]
    return data[0] == data[1] and len(data[0]) > 0


def test_a_click_makes_the_swap_that_the_grid_measured(explorer):
    patching, subject = panel(explorer, "patching"), explorer.subject
    given = (subject.model, subject.tokens, subject.other_tokens, subject.logit_diff)
    for part, place in (("resid", 11), ("q", 2), ("k", 2), ("v", 4), ("out", 4)):
        effects = patch_residual(*given) if part == "resid" else patch_heads(*given, part=part)
        for layer in (1, 2):
            hooks = patch_hooks(subject.model, subject.other_tokens, layer, part, place)
            assert subject.logit_diff(subject.logits(hooks)).item() == pytest.approx(
                effects[layer, place, 0].item(), abs=1e-3
            )
    patching.controls["part"].value = "resid"
    patching.click(1, 11)
    assert "swapped" in shown(patching)[0] and shown(patching)[1].count('"thoughts"') == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "", "the text is empty"),
        ("prompt", " \n", "the text is empty"),
        ("prompt", "a " * 10_000, "longer than the 40 tokens"),
        ("right", "", "the word is empty"),
        ("right", "Nebuchadnezzar", "expected a word that is one token"),
        ("other", "too short", "as long as the first"),
    ],
)
def test_a_field_that_cannot_be_used_is_answered_and_nothing_is_lost(explorer, field, value, sentence):
    before = explorer.summary.value
    explorer.fields[field].value = value
    assert sentence in explorer.beside[field].value and explorer.summary.value == before
    assert all(beside.value == "" for name, beside in explorer.beside.items() if name != field)


@pytest.mark.parametrize("text", ["😀 日本語", "שלום עולם", "\x00\x07\x1b[31m", "<b>&lt;</b> $x$ </script>"])
def test_any_text_can_be_looked_at(explorer, text):
    explorer.fields["prompt"].value = text
    for name in ("attention", "line", "memory", "logit lens", "heads off", "steering"):
        drawn = panel(explorer, name)
        assert drawn.said.value == "" and not drawn.stale


@pytest.mark.parametrize(
    ("control", "value", "sentence"),
    [
        ("strength", float("nan"), "expected a strength that is a finite number"),
        ("positive", "", "expected 1 to 8 texts"),
        ("negative", "x\n" * 9, "expected 1 to 8 texts"),
        ("negative", "He was happy and\nIt was a good day and", "leave no difference"),
        ("positive", "a " * 100, "longer than the 40 tokens"),
    ],
)
def test_a_control_that_cannot_be_used_is_answered(explorer, control, value, sentence):
    steering = panel(explorer, "steering")
    kept, before = steering.controls[control].value, steering.place.outputs
    steering.controls[control].value = value
    assert sentence in steering.said.value and steering.place.outputs == before
    steering.controls[control].value = kept
    assert steering.said.value == ""


def test_what_is_shown_of_another_text_does_not_stay(explorer):
    patching = panel(explorer, "patching")
    assert patching.grid.children and patching.place.outputs
    explorer.fields["prompt"].value = "Hi"
    assert "as long as the first" in patching.said.value
    assert patching.grid.children == () and patching.place.outputs == ()


def test_another_model_brings_its_own_heads_and_layers(explorer):
    panel(explorer, "steering")
    explorer.fields["name"].value = "attn-only-2l"
    assert explorer.subject.model.cfg.n_layers == 2
    assert PANELS[explorer.tab.selected_index] == "steering"
    for name in PANELS:
        assert panel(explorer, name).said.value == ""
    assert panel(explorer, "attention").controls["layer"].max == 1


def test_a_model_that_does_not_load_leaves_the_one_before(explorer):
    explorer.fields["name"].options = [*explorer.fields["name"].options, "no-such-model"]
    kept = explorer.subject.name
    explorer.fields["name"].value = "no-such-model"
    assert "no model" in explorer.beside["name"].value and explorer.subject.name == kept


def test_the_committed_notebook_keeps_no_widget():
    notebook = nbformat.read(ROOT / "notebooks/07_circuit_explorer.ipynb", as_version=4)
    assert "widget-view" not in str(notebook) and "widgets" not in notebook.metadata
