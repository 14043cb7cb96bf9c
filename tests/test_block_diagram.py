"""The block diagram: where parts read and write, and where positions enter in each kind of model."""

import pytest

from helpers.block_diagram import block_diagram
from helpers.build.static_images import alternative_text
from helpers.components import Part, block_parts
from helpers.exercises.inputs import small_gpt2, small_model
from helpers.theme import BLUE, ORANGE, WIDTH
from tests.families import family


@pytest.fixture
def parts():
    models = {"shortformer": small_model(), "gpt2": small_gpt2(), "llama": family("llama")}
    return {name: block_parts(model) for name, model in models.items()}


def notes(figure):
    return [note for note in figure.layout.annotations if note.text]


def test_every_part_beside_the_stream_reads_it_and_adds_to_it():
    layer = [
        Part("attention", ["2 heads"], "LayerNorm", layers=3),
        Part("MLP", ["d_mlp 8"], "LayerNorm", layers=3),
    ]
    figure = block_diagram({"toy": [Part("embedding", []), *layer, Part("unembedding", [])]}, "A block")
    arrows = [note for note in figure.layout.annotations if note.arrowcolor == BLUE]
    reads, writes = arrows[::2], arrows[1::2]
    assert [read.x > read.ax for read in reads] == [write.x < write.ax for write in writes] == [True, True]
    assert [note.text for note in notes(figure)].count("+") == 2
    assert "3 layers" in [note.text for note in notes(figure)]
    assert "LayerNorm" in alternative_text(figure.to_plotly_json())


def test_positions_enter_where_the_model_takes_them(parts):
    said = {name: [part.position for part in column if part.position] for name, column in parts.items()}
    assert said["shortformer"] == ["q, k: x + W_pos"]
    assert said["gpt2"] == ["W_pos is added"]
    assert said["llama"] == ["q, k are rotated"]


def test_columns_of_several_models_stay_in_the_figure(parts):
    figure = block_diagram(parts, "Three models")
    assert max(shape.x1 for shape in figure.layout.shapes) <= WIDTH
    colours = [note.bordercolor for note in notes(figure)]
    assert colours.count(ORANGE) == 3


def test_names_are_shown_verbatim_and_no_model_is_refused():
    figure = block_diagram({"<b>": [Part("<i>", []), Part("x", [])]}, "Text")
    assert notes(figure)[0].text == "<b>&lt;b&gt;</b>"
    with pytest.raises(ValueError, match="expected one model or more"):
        block_diagram({}, "None")
