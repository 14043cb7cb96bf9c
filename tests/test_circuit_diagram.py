"""The circuit diagram: places without an answer, arrows with widths, and the pairs of a learner's own answer."""

import pytest

from helpers.build.static_images import alternative_text
from helpers.circuit_diagram import ANSWER, Arrow, Role, answered_pairs, circuit_diagram
from helpers.exercises import exercise
from helpers.exercises.lesson_05.e01_attention_hypotheses import attention_hypotheses as solution
from helpers.theme import BLUE, GREY, ORANGE

PLACES = ["IO", "S1", "S1+1", "S2", "END"]
ROLES = {
    "duplicate token": Role("S2", 0, ["0.1"]),
    "induction": Role("S2", 0, ["0.2"]),
    "S-inhibition": Role("END", 1, ["1.4"]),
    "name mover": Role("END", 2, ["2.0", "2.1", "2.2", "2.3"]),
}
ARROWS = [
    Arrow("S1", "duplicate token", 0.1, "0.10", unsupported=True),
    Arrow("S2", "S-inhibition", 0.9, "0.90"),
    Arrow("IO", "name mover", 0.4, "0.40"),
    Arrow("S-inhibition", "name mover", 1.0, "Q 2.6"),
    Arrow("S-inhibition", ANSWER, 0.5, "2.0"),
    Arrow("name mover", ANSWER, 0.2, "1.0"),
]


@pytest.fixture
def figure():
    return circuit_diagram(PLACES, ROLES, ARROWS, "A circuit")


def traces(figure):
    return {trace.meta: trace for trace in figure.data if trace.meta}


def test_width_and_colour_of_an_arrow_say_what_was_measured(figure):
    drawn = traces(figure)
    assert list(drawn) == [f"{arrow.start} → {arrow.end}" for arrow in ARROWS]
    widths = [trace.line.width for trace in drawn.values()]
    assert [widths.index(width) for width in sorted(widths)] == [0, 5, 2, 4, 1, 3]
    assert [trace.line.color for trace in drawn.values()] == [GREY, BLUE, BLUE, ORANGE, ORANGE, ORANGE]
    assert [trace.line.dash for trace in drawn.values()] == ["dash", *["solid"] * 5]
    assert "(not shown by the measures)" in drawn["S1 → duplicate token"].hovertemplate


def boxes(figure):
    return {
        note.text.split("<br>")[0]: (note.x, note.y) for note in figure.layout.annotations if note.bordercolor
    }


def test_boxes_stand_at_their_positions_in_order_of_layers(figure):
    at = boxes(figure)
    assert {name: PLACES[int(x)] for name, (x, _) in at.items()} == {
        "duplicate": "S2", "induction": "S2", "S-inhibition": "END", "name mover": "END", ANSWER: "END",
    }  # fmt: skip
    heights = [at[name][1] for name in ("duplicate", "induction", "S-inhibition", "name mover", ANSWER)]
    assert heights == sorted(set(heights))
    assert list(figure.layout.yaxis.ticktext) == ["layer 0", "layer 1", "layer 2"]
    assert "4 heads" in next(note.text for note in figure.layout.annotations if "name mover" in note.text)


def test_an_arrow_begins_below_its_box_and_ends_at_its_edge(figure):
    at = boxes(figure)
    read = traces(figure)["S2 → S-inhibition"]
    assert read.x[0] == PLACES.index("S2") and read.y[0] < at["S-inhibition"][1]
    assert read.x[-1] < at["S-inhibition"][0] and read.y[0] < read.y[-1] < at["S-inhibition"][1]
    path = traces(figure)["S-inhibition → name mover"]
    assert at["S-inhibition"][1] < path.y[0] < path.y[-1] < at["name mover"][1]
    around = traces(figure)["S-inhibition → logits"]
    assert max(around.x) > max(path.x)  # past the box between


def test_a_label_stands_clear_of_boxes_and_reads():
    roles = {"previous": Role("A", 1), "duplicate": Role("B", 2), "induction": Role("B", 3)}
    path, read = Arrow("previous", "induction", 0.2, "K +0.66"), Arrow("A", "duplicate", 0.3)
    figure = circuit_diagram("ABCDE", roles, [path, read], "Text")
    [label] = [trace for trace in figure.data if trace.mode == "text"]
    assert abs(label.y[0] - boxes(figure)["duplicate"][1]) > 0.3
    assert abs(label.y[0] - traces(figure)["A → duplicate"].y[0]) > 0.09


@pytest.mark.parametrize("pair", [("END", "END"), ("IO", "END")])
def test_wrong_pairs_are_drawn_too(pair):
    query, key = pair
    figure = circuit_diagram(PLACES, {"a job": Role(query, 0)}, [Arrow(key, "a job")], "Wrong")
    assert traces(figure)[f"{key} → a job"].x[0] == PLACES.index(key)


def test_without_an_answer_there_are_places_and_a_sentence():
    figure = circuit_diagram(PLACES, {}, [], "Who asks whom", note="Answer 5.1 to see your arrows here.")
    assert traces(figure) == {} and boxes(figure) == {}
    assert list(figure.layout.xaxis.ticktext) == PLACES
    text = alternative_text(figure.to_plotly_json())
    assert "Diagram without arrows" in text and "Answer 5.1 to see your arrows here." in text


def test_the_alternative_text_counts_arrows_and_names_the_widest(figure):
    text = alternative_text(figure.to_plotly_json())
    assert text.startswith(
        "Diagram of 6 arrows, 1 of them unsupported, the widest from S-inhibition to name mover: A"
    )
    assert "S-inhibition 1.4" in text and len(text) < 300


def test_names_are_shown_verbatim():
    figure = circuit_diagram(["<b>"], {"<i>": Role("<b>", 0)}, [Arrow("<b>", "<i>", label="<u>")], "Text")
    texts = [note.text for note in figure.layout.annotations], [*filter(None, (t.text for t in figure.data))]
    assert texts == (["&lt;i&gt;"], [("&lt;u&gt;",)]) and figure.layout.xaxis.ticktext == ("&lt;b&gt;",)


@pytest.mark.parametrize(
    ("roles", "arrows", "sentence"),
    [
        ({"a": Role("S3", 0)}, [], "expected a position among IO, S1, .* for a, got 'S3'"),
        ({"a": Role("S2", 0)}, [Arrow("S1", "b")], "expected a position or a role .*, got 'b'"),
        ({"a": Role("S2", 0)}, [Arrow("S3", "a")], "expected a position or a role .*, got 'S3'"),
    ],
)
def test_what_has_no_place_is_refused(roles, arrows, sentence):
    with pytest.raises(ValueError, match=sentence):
        circuit_diagram(PLACES, roles, arrows, "title")


WRONG = solution() | {"name mover": ("END", "S1")}


@pytest.mark.parametrize(
    ("returned", "pairs"),
    [
        (solution(), solution()),
        (WRONG, WRONG),  # a hypothesis, if a wrong one
        ({"induction": ["S2", "S1"], "name mover": ("", ""), "S-inhibition": ("END", "S3")}, {"induction": ("S2", "S1")}),
        ([], {}),
        ({"induction": None, "name mover": ("END",), "S-inhibition": (1, 2)}, {}),
    ],
)  # fmt: skip
def test_an_answer_is_the_learners_own_and_never_the_solution(returned, pairs):
    @exercise("5.1")
    def attention_hypotheses():
        return returned

    assert answered_pairs(attention_hypotheses, PLACES) == pairs


def test_without_an_answer_there_are_no_pairs():
    @exercise("5.1")
    def attention_hypotheses():
        raise NotImplementedError

    assert attention_hypotheses() == solution()
    assert answered_pairs(attention_hypotheses, PLACES) == {}
