"""Circuit golf: the score of a circuit, what is no circuit, the greedy search, the stored circuits."""

import json
import math

import pytest
import torch

from helpers.ablation import circuit_mask, group_means, keep_only
from helpers.behaviours import BEHAVIOURS, behaviour_prompts
from helpers.forward import Forward
from helpers.golf import KNOWN, Course, Score, cell_faithfulness, greedy_circuit, known_circuits
from helpers.models import ModelError, load_model

CIRCUIT = {"END": [(1, 2), (1, 4)], "S2": [(0, 1)]}


@pytest.fixture(scope="module")
def model(shipped_model):
    return shipped_model("attn-only-2l")


@pytest.fixture(scope="module")
def course(model):
    return Course(model, behaviour_prompts(model.tokenizer, "ioi"))


def test_a_course_agrees_with_the_ablation_of_lesson_5(model, course):
    prompts = course.prompts
    kept = [(head, label) for label, heads in CIRCUIT.items() for head in heads]
    positions = torch.stack([prompts.positions[label] for _, label in kept])
    mask = circuit_mask([head for head, _ in kept], positions, (2, 6, *prompts.tokens.shape))
    replacement = [group_means(z, prompts.template) for z in Forward(model).run(prompts.corrupted).z]
    expected = keep_only(model, prompts.tokens, mask, replacement, course.metric)
    with torch.no_grad():
        torch.testing.assert_close(course.kept(course.mask(CIRCUIT)), expected, atol=1e-4, rtol=1e-4)


def test_the_ends_are_0_and_1(course):
    assert course.score({}).faithfulness == 0 and course.score({}).size == 0
    pairs = course.nothing.unflatten(0, (-1, 2)).sum(dim=1)  # right and wrong are exchanged
    torch.testing.assert_close(pairs, torch.zeros(len(pairs)), atol=1e-4, rtol=0)
    score = course.score_of(course.full, 3)
    assert (score.size, score.faithfulness, score.low, score.high, score.passed) == (3, 1.0, 1.0, 1.0, True)
    assert set(score.variants) == {"ABBA", "BABA"}


def test_too_much_in_one_cell_does_not_hide_too_little_in_another():
    nothing, full, cell = torch.zeros(4), torch.ones(4), torch.tensor([0, 0, 1, 1])
    for first, second, expected in ((1.5, 0.5, 0.5), (1.2, 1.2, 0.8), (3.0, 3.0, -1.0), (0.8, 0.8, 0.8)):
        kept = torch.tensor([first, first, second, second])
        assert cell_faithfulness(kept, nothing, full, cell).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        ([(1, 2)], r"expected a circuit {label: \[\(layer, head\), …\]}, got list"),
        ({"IO": [(1, 2)]}, "expected positions among name 1, .*END, got 'IO'"),
        ({"END": [(1, -1)]}, r"expected layers 0 to 1 and heads 0 to 5, got \(1, -1\) at 'END'"),
        ({"END": [(2, 0)]}, r"got \(2, 0\) at 'END'"),
        ({"END": [(1, 2), (1, 2)]}, r"expected each head once per position, got \(1, 2\) twice at 'END'"),
        ({"END": [1, 2]}, r"expected a list of pairs at 'END'"),
        ({"END": [(1, 2.0)]}, "expected a list of pairs"),
        ({"END": 7}, "expected a list of pairs"),
        ({"END": [(1, 2, 3)]}, "expected a list of pairs"),
    ],
)
def test_what_is_no_circuit_is_refused_with_a_sentence(circuit, message, course):
    with pytest.raises(ValueError, match=message):
        course.score(circuit)


def test_a_circuit_and_its_mask(course):
    mask = course.mask(CIRCUIT)
    assert mask.sum() == 3 and course.circuit(mask) == {"S2": [(0, 1)], "END": [(1, 2), (1, 4)]}


def test_the_attribution_is_the_cost_of_a_small_change(course):
    keep = torch.ones(course.shape)
    attribution, small = course.attribution(keep), 1e-2
    place = (1, 2, list(course.prompts.positions).index("END"))
    keep[place] -= small
    with torch.no_grad():
        less = course.kept(keep).mean()
        keep[place] += 2 * small
        more = course.kept(keep).mean()
    torch.testing.assert_close((more - less) / (2 * small), attribution[place], atol=1e-2, rtol=0.05)


def test_the_greedy_circuit_reaches_the_floor_and_is_smaller_than_the_model(course):
    score = course.score(greedy_circuit(course, floor=0.5))
    assert score.faithfulness >= 0.5 and score.size < 2 * 6 * len(course.prompts.positions)


def test_stored_circuits_are_there_for_every_behaviour():
    assert json.loads(KNOWN.read_text(encoding="utf-8")).keys() == BEHAVIOURS.keys()
    for name in BEHAVIOURS:
        sizes = {kind: sum(map(len, circuit.values())) for kind, circuit in known_circuits(name).items()}
        assert 0 < sizes["best"] <= sizes["greedy"]


def test_a_score_below_the_limit_does_not_read_as_the_limit():
    shown = {value: Score(1, value, 0.0, 1.0, {}).percent for value in (0.8, 0.7996, 0.0, -0.002, math.nan)}
    assert list(shown.values()) == ["80%", "79%", "0%", "-1%", "nan"]


@pytest.mark.parametrize("name", ["ioi", "capitals"])
def test_the_best_known_circuit_passes_on_hidden_prompts(name):
    try:
        model = load_model("smollm2-135m")
    except ModelError as error:
        pytest.skip(str(error))
    course = Course(model, behaviour_prompts(model.tokenizer, name, hidden=True))
    assert course.score(known_circuits(name)["best"]).passed
