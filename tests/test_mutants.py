"""Every mutant of a reference is rejected by its check, or listed with the reason why it is equivalent."""

import ast

import pytest

from helpers import exercises
from tests.mutants import accepted, equivalents, mutants

IDS = [exercise.id for exercise in exercises.all_exercises()]


@pytest.mark.parametrize("id", IDS)
def test_mutants_are_rejected_or_listed(id):
    made, passed = accepted(id)
    changes = {mutant.change for mutant in passed}
    listed = equivalents(exercises.get(id))
    assert made >= 5 or id == "5.1"  # a table, without an operator
    assert changes - listed.keys() == set(), "a test case is missing, or a line in tests/equivalents"
    assert listed.keys() - changes == set(), "listed as equivalent, but rejected or not made"
    assert all(reason.endswith(".") for reason in listed.values())


def test_mutants_have_one_fault_and_their_own_names():
    made = mutants(exercises.get("0.3"))
    assert len({mutant.source for mutant in made}) == len({mutant.change for mutant in made}) == len(made)
    assert "pattern.diagonal(-1, dim1=-2, dim2=-1) → pattern.diagonal(-2, dim1=-2, dim2=-1)" in {
        mutant.change for mutant in made
    }
    assert all(ast.parse(mutant.source) for mutant in made)
