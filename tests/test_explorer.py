"""The explorer without a page: what shares the selection, what each panel shows, its code, and errors as sentences."""

import json
import re

import nbformat
import plotly.io
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.lesson_files import PLOTLY, ROOT
from helpers.build.lesson_runs import execute
from helpers.circuit_graph import read_circuit
from helpers.explorer import Explorer
from helpers.explorer.subject import tokens_of
from helpers.explorer.views.circuit import read_strongest
from helpers.explorer.views.patching import logit_difference, show_effects
from helpers.explorer.views.predictions import head_effects
from helpers.hooks import patch_hooks
from helpers.models import load_model

PANELS = ["attention", "circuit", "memory", "logit lens", "patching", "steering"]
FOLLOWING = PANELS[:4]  # panels that show the chosen token, layer or head
PALE = "explorer-stale"


@pytest.fixture(scope="module")
def shared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotly.io.renderers, "default", "plotly_mimetype")  # as in a notebook
        yield Explorer()


@pytest.fixture
def explorer(shared):
    fields = {"name": shared.name, "prompt": shared.prompt} | shared.fields
    start = {name: field.value for name, field in fields.items()}
    state = shared.ablated, shared.position.value, shared.layer.value, shared.head.value
    yield shared
    for name, value in start.items():
        fields[name].value = value
    shared.ablate(state[0])
    shared.choose(position=state[1], layer=state[2], head=state[3])


def panel(explorer, name):
    explorer.tabs.value = PANELS.index(name)
    return explorer.panel


def contents(outputs):
    """HTML and figures of outputs, without the ids of views."""
    data = [output["data"] for output in outputs if "data" in output]
    return [
        item.get(PLOTLY) or re.sub(r"view-\w+-\d+", "view", item["text/html"])
        for item in data
        if item.keys() & {PLOTLY, "text/html"}
    ]


def is_pale(explorer):
    return [PALE in box._dom_classes for box in (explorer.predictions, explorer.grid.box, explorer.place)]


def test_the_first_state_shows_the_head_with_the_strongest_effect(explorer):
    subject, ((layer, head),) = explorer.subject, explorer.ablated
    effects = head_effects(subject.model, subject.tokens, 14)
    assert effects[layer, head] == effects.abs().max() > 0.1
    assert (explorer.layer.value, explorer.head.value) == (layer, head)
    assert "Mary" in explorer.predictions.value and f"without {layer}.{head}" in explorer.predictions.value
    assert explorer.grid.buttons[layer][head].description == f"{layer}.{head} ✕"
    plain, steered = re.findall(
        r"pre-wrap'>([^<]*)</td>", contents(panel(explorer, "steering").output.outputs)[0]
    )
    assert plain != steered


@pytest.mark.parametrize("model", ["ioi-gpt2", "attn-only-2l"])
def test_effects_of_single_heads_are_those_of_the_circuit_view(model):
    model = load_model(model)
    tokens = model.to_tokens("the cat sat on the mat. the cat sat")
    position = tokens.shape[1] - 2
    circuit = read_circuit(model, tokens)
    probabilities = (circuit.without[:, position, 0] / circuit.probabilities[position, 0]).view(
        model.cfg.n_layers, -1
    )
    torch.testing.assert_close(
        (-head_effects(model, tokens, position)).exp(), probabilities, atol=1e-4, rtol=1e-3
    )


def test_every_panel_shows_something_and_says_of_which_run(explorer):
    for name in PANELS:
        drawn = panel(explorer, name)
        assert explorer.message.value == drawn.message.value == "" and drawn.output.outputs
        assert ("without 1.4" in drawn.note.value) == (name in FOLLOWING)
    assert explorer.status.value == explorer.message.value == "" and not any(is_pale(explorer))


def test_one_selection_holds_for_all_panels(explorer):
    shown = {name: contents(panel(explorer, name).output.outputs) for name in FOLLOWING}
    explorer.toggle(2, 3)
    explorer.choose(position=10)
    assert explorer.ablated == ((1, 4), (2, 3)) and explorer.head.value == 3
    assert "without 1.4, 2.3" in explorer.predictions.value and "position 10" in explorer.predictions.value
    for name in FOLLOWING:
        changed = contents(panel(explorer, name).output.outputs) != shown[name]
        assert changed == (name != "circuit")  # its view is told
    assert json.loads(explorer.selection.value) | {"at": 0} == dict(
        position=10, head="2.3", ablated=None, measure=0, at=0
    )
    explorer.all_on.click()
    assert explorer.ablated == () and "without" not in explorer.predictions.value


def choose(explorer, **choice):
    """As the script of the circuit view does."""
    explorer.choice.value = json.dumps(json.loads(explorer.selection.value) | dict(measure=0) | choice)
    return json.loads(explorer.selection.value)


def test_a_choice_in_the_circuit_view_holds_for_all_panels(explorer):
    circuit = panel(explorer, "circuit")
    drawn = circuit.output.outputs
    answer = choose(explorer, position=9, head="2.3", ablated="2.3", at=1)
    assert (explorer.position.value, explorer.layer.value, explorer.head.value) == (9, 2, 3)
    assert explorer.ablated == ((2, 3),) and "without 2.3" in explorer.predictions.value
    assert answer == dict(position=9, head="2.3", ablated="2.3", measure=0, at=1)
    assert "without 2.3." in circuit.note.value
    explorer.toggle(1, 4)  # two heads: the view shows all heads on
    answer = choose(explorer, position=7, at=2)
    assert answer == dict(position=7, head="1.4", ablated=None, measure=0, at=2) and explorer.ablated == (
        (1, 4),
        (2, 3),
    )
    assert "The bars do not show several ablated heads." in circuit.note.value
    answer = choose(explorer, head=None, at=3)  # all heads in the view, the last one elsewhere
    assert answer["head"] is None and (explorer.layer.value, explorer.head.value) == (1, 4)
    explorer.choose(head=3)
    assert json.loads(explorer.selection.value)["head"] in ("1.3", None)
    choose(explorer, head="2.3", ablated="2.3", at=4)
    choose(explorer, ablated=None, at=5)
    assert explorer.ablated == () and circuit.output.outputs == drawn  # the view is never drawn again
    choose(explorer, measure=2, at=6)
    assert circuit.output.outputs != drawn and circuit.message.value == ""
    assert '"measure":2' in contents(circuit.output.outputs)[0]
    explorer.toggle(2, 3)
    assert json.loads(explorer.selection.value)["measure"] == 2  # the width stays
    circuit.measure = "attention"


def test_a_click_on_an_arc_chooses_a_token_and_a_head(explorer):
    panel(explorer, "attention")
    for choice in (dict(position=3, head="4.5", at=1), dict(position=4, head=None, at=2)):
        explorer.choice.value = json.dumps(choice)
        assert explorer.position.value == choice["position"]
        assert (explorer.layer.value, explorer.head.value) == (4, 5)
    assert explorer.ablated == ((1, 4),)


def test_a_click_on_an_effect_chooses_that_patch(explorer):
    patching, subject = panel(explorer, "patching"), explorer.subject
    model, metric = subject.model, logit_difference(subject.model, "Mary", "John")
    source = explorer.fields["source"].value
    for part, index in (("resid", 10), ("q", 2), ("k", 2), ("v", 4), ("out", 4)):
        patching.controls["part"].value = part
        effects = show_effects(model, subject.tokens, source, "Mary", "John", part)
        for layer in (1, 2):
            with model.hooks(fwd_hooks=patch_hooks(model, tokens_of(model, source), layer, part, index)):
                patched = metric(model(subject.tokens)[:, -1]).item()
            assert patched == pytest.approx(effects[layer, index].item(), abs=1e-3)
            patching.grid.buttons[layer][index].click()
            chosen = explorer.position if part == "resid" else explorer.head
            assert (explorer.layer.value, chosen.value) == (layer, index)
            assert f"{patched:+.2f}" in contents(patching.output.outputs)[0]
    patching.controls["part"].value = "resid"


def test_equal_texts_and_equal_answers_are_named_and_noise_has_no_colour(explorer):
    patching = panel(explorer, "patching")
    explorer.fields["source"].value = explorer.prompt.value
    assert "Both texts are the same" in patching.note.value
    colours = {cell.style.button_color for row in patching.grid.buttons for cell in row}
    assert {colour[-2:] for colour in colours} == {"00"}
    explorer.fields["wrong"].value = "Mary "
    assert "Both answers are the same token" in patching.note.value


def test_a_text_of_another_length_is_offered_as_second_text(explorer):
    patching = panel(explorer, "patching")
    explorer.prompt.value = "Mary and John went to the park."
    assert explorer.fields["source"].value == explorer.prompt.value and patching.message.value == ""


def test_many_ablated_heads_are_counted_and_the_colours_have_a_scale(explorer):
    explorer.ablate(tuple((0, head) for head in range(7)))
    lens = panel(explorer, "logit lens")
    for text in (explorer.predictions.value, lens.note.value):
        assert '<span title="0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6">without 7 heads</span>' in text
    effects = head_effects(explorer.subject.model, explorer.subject.tokens, 14)
    least, most = (-effects.max()).exp(), (-effects.min()).exp()
    assert re.sub("<[^>]+>", "", explorer.grid.legend.value).endswith(f"from × {least:.2f} to × {most:.2f}.")


def test_the_circuit_view_of_many_heads_has_some_of_each_layer(explorer):
    circuit = panel(explorer, "circuit")
    assert "shows the 24 of 48 heads" in circuit.note.value
    shown = read_strongest(explorer.subject.model, explorer.subject.tokens, False).heads
    assert len(shown) == 24 and {name[0] for name in shown} == set("012345")
    explorer.name.value = "attn-only-2l"
    assert "heads whose" not in circuit.note.value


def test_tokens_of_spaces_are_not_blank(explorer):
    explorer.prompt.value = "a   b"
    assert any(name.strip().endswith("␣") for name, _ in explorer.position.options)


def test_the_code_shows_what_the_explorer_shows(explorer):
    """All codes as cells of one notebook, run by a kernel."""
    explorer.code.selected_index = 0
    explorer.toggle(2, 3)
    codes, expected = [], []
    for name in PANELS:
        panel(explorer, name).shown = None  # the circuit view is not drawn again for a selection
        explorer.draw_panel()
        expected.append(contents(explorer.panel.output.outputs))
        codes.append(explorer.code.children[0].value)
    explorer.code.selected_index = None
    notebook = execute(new_notebook(cells=[new_code_cell(code) for code in codes]), ROOT)
    for name, cell, drawn in zip(PANELS, notebook.cells, expected):
        predictions, *outputs = contents(cell.outputs)
        assert predictions == explorer.predictions.value
        assert outputs[-len(drawn) :] == drawn, name


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "", "expected a text, got none"),
        ("prompt", " \n", "expected a text, got none"),
        ("prompt", "a " * 50, "at most 40 tokens, got 52"),
        ("prompt", "a " * 10_000, "at most 40 tokens, got more than 1"),
        ("name", "no-such-model", "no model"),
        ("name", "attn-only-0l", "attention layers"),
    ],
)
def test_a_field_that_cannot_be_used_is_answered_and_old_numbers_are_pale(explorer, field, value, sentence):
    widget = getattr(explorer, field)
    kept = widget.value
    if field == "name":
        widget.options = [*widget.options, value]
        widget.value = kept
    panel(explorer, "attention")
    before = explorer.predictions.value
    widget.value = value
    state = explorer.ablated, explorer.position.value
    explorer.choose(position=3)  # nothing changes until the field can be used
    explorer.grid.buttons[0][0].click()
    explorer.all_on.click()
    assert (explorer.ablated, explorer.position.value) == state
    assert sentence in explorer.message.value and explorer.predictions.value == before
    assert all(is_pale(explorer)) and explorer.status.value == ""
    controls = explorer.position, explorer.head, explorer.grid.buttons[0][0]
    assert all(control.disabled for control in controls)
    assert panel(explorer, "logit lens").output.outputs == ()  # not that of an older text
    widget.value = kept
    assert explorer.panel.output.outputs and not any(control.disabled for control in controls)
    assert explorer.message.value == "" and not any(is_pale(explorer))


@pytest.mark.parametrize(
    ("name", "field", "value", "sentence"),
    [
        ("patching", "source", "too short", "as long as the first"),
        ("patching", "right", "", "expected a word, got none"),
        ("patching", "wrong", "Nebuchadnezzar", "expected a word that is one token"),
        ("steering", "strength", float("nan"), "expected a strength that is a finite number"),
        ("steering", "positive", "", "expected 1 to 8 texts"),
        ("steering", "negative", "x\n" * 9, "expected 1 to 8 texts"),
        ("steering", "negative", "He was happy and\nIt was a good day and", "write other texts"),
        ("steering", "positive", "a " * 100, "at most 40 tokens, got 101"),
    ],
)
def test_a_control_that_cannot_be_used_is_answered(explorer, name, field, value, sentence):
    drawn = panel(explorer, name)
    widget = explorer.fields.get(field) or drawn.controls[field]
    kept, before = widget.value, contents(drawn.output.outputs)
    widget.value = value
    assert sentence in drawn.message.value and drawn.output.outputs == ()
    widget.value = kept
    assert drawn.message.value == "" and contents(drawn.output.outputs) == before


@pytest.mark.parametrize("text", ["😀 日本語", "שלום עולם", "\x00\x07\x1b[31m", "<b>&lt;</b> $x$ </script>"])
def test_any_text_can_be_looked_at(explorer, text):
    explorer.prompt.value = text
    for name in (*FOLLOWING, "steering"):
        drawn = panel(explorer, name)
        if drawn.button.layout.display is None:  # a long text
            drawn.button.click()
        assert drawn.message.value == "" and drawn.output.outputs
    assert "<b>" not in explorer.predictions.value


def test_another_model_keeps_what_it_has_of_the_selection(explorer):
    steering = panel(explorer, "steering")
    steering.controls["strength"].value = 1.2
    explorer.toggle(5, 7)
    explorer.name.value = "attn-only-2l"
    assert explorer.ablated == ((1, 4),) and (explorer.layer.value, explorer.head.value) == (1, 5)
    assert explorer.panel is steering and steering.controls["strength"].value == 1.2
    assert [len(row) for row in explorer.grid.buttons] == [6, 6]
    for name in PANELS:
        assert panel(explorer, name).message.value == ""
    explorer.prompt.value = "Hi"
    assert explorer.ablated == ((1, 4),) and explorer.position.value == explorer.subject.tokens.shape[1] - 1
    steering.controls["strength"].value = 0.8


def test_what_takes_long_is_computed_on_request(explorer, monkeypatch):
    monkeypatch.setattr("helpers.explorer.panel.MOST_OPERATIONS", 0)
    monkeypatch.setattr("helpers.explorer.MOST_OPERATIONS", 0)
    explorer.prompt.value = "Mary and John went to the park."
    assert "measure all heads" in explorer.measure.description and explorer.measure.layout.display is None
    explorer.measure.click()
    assert explorer.measure.layout.display == "none"
    for name in ("circuit", "steering"):
        drawn = panel(explorer, name)
        assert "at most" in drawn.button.description and drawn.output.outputs == ()
        drawn.button.click()
        assert drawn.button.layout.display == "none" and drawn.output.outputs
    explorer.choose(position=3)  # the circuit of this text is known
    assert panel(explorer, "circuit").output.outputs


def test_the_committed_notebook_keeps_no_widget():
    notebook = nbformat.read(ROOT / "notebooks/09_circuit_explorer.ipynb", as_version=4)
    assert "widget-view" not in str(notebook) and "widgets" not in notebook.metadata
