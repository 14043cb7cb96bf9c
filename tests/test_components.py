"""Heads and components print as in the papers; a head, port or path that does not exist is refused."""

import pytest
import torch

from helpers.components import (
    PORTS,
    Component,
    Head,
    check_heads,
    check_path,
    check_port,
    has_positions,
    rotary_angles,
)
from helpers.exercises.inputs import small_model
from tests.families import SUPPORTED, family
from tests.interventions import INTO


def test_a_head_is_its_pair_of_indices():
    assert Head(9, 10) == (9, 10) and str(Head(9, 10)) == "9.10"
    assert [str(head) for head in sorted([Head(10, 0), Head(9, 10), Head(9, 2)])] == ["9.2", "9.10", "10.0"]


@pytest.mark.parametrize(
    ("component", "name"),
    [
        (Component("embedding"), "embedding"),
        (Component("position"), "position"),
        (Component("head", 0, 7), "0.7"),
        (Component("mlp", 0), "mlp 0"),
        (Component("bias", 3), "bias 3"),
    ],
)
def test_a_component_prints_its_kind_and_layer(component, name):
    assert str(component) == name


@pytest.mark.parametrize("name", SUPPORTED)
def test_angles_are_those_of_a_run(name):
    model = family(name)
    _, cache = model.run_with_cache(INTO)
    for angles, hook in zip(rotary_angles(model, INTO.shape[1]), ("cos", "sin")):
        torch.testing.assert_close(angles, cache[f"rotary_emb.hook_{hook}"][0], rtol=0, atol=0)


def test_vectors_of_positions_have_no_angles():
    assert has_positions(small_model())
    with pytest.raises(ValueError, match="expected rotary positions"):
        rotary_angles(small_model(), 4)


def test_heads_ports_and_paths_that_exist_are_accepted():
    check_heads(small_model(), [(0, 0), (1, 2)])
    check_path((0, 2), (1, 0))
    for port in PORTS:
        check_port(port)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (
            lambda: check_heads(small_model(), [(0, 0), (2, 0)]),
            "2 layers of 3 heads, counted from 0, got 2.0",
        ),
        (lambda: check_heads(small_model(), [(0, 3)]), "counted from 0, got 0.3"),
        (lambda: check_heads(small_model(), [(-1, 0)]), "counted from 0, got -1.0"),
        (lambda: check_path((1, 0), (1, 1)), "in a later layer than the sender, got 1.0 → 1.1"),
        (lambda: check_port("Q"), 'expected a port "q", "k" or "v", got \'Q\''),
    ],
)
def test_what_does_not_exist_is_refused(check, sentence):
    with pytest.raises(ValueError, match=sentence):
        check()
