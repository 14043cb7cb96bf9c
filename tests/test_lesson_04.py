"""Lesson 4 as committed shows what the card of the shipped model states."""

import re

import pytest

from helpers.build.folding import unfolded
from helpers.build.lesson_files import ROOT, read_lesson
from helpers.build.model_facts import two_layer_facts

LESSON = ROOT / "notebooks/04_induction_heads.ipynb"


def test_the_lesson_shows_the_facts_of_the_models_card(shipped_model):
    cells = {cell.id: cell for cell in read_lesson(LESSON).cells}
    facts = two_layer_facts(shipped_model("attn-only-2l"))
    sender, receiver = (int(facts[name].split(".")[1]) for name in ("previous_token_head", "induction_head"))
    drops = facts["ablation_drop"]
    second_sender = max((head for head in range(len(drops)) if head != sender), key=drops.__getitem__)
    printed = re.findall(r"(\d+\.\d{3})$", cells["facts"].outputs[0].text, re.MULTILINE)
    assert [float(number) for number in printed] == pytest.approx(
        [
            facts["previous_token_score"][sender],
            facts["induction_score"][receiver],
            facts["second_copy_gain"],
            facts["k_composition"][sender],
            facts["k_composition"][second_sender],
            facts["random_composition"],
            facts["eigenvalue_copying_score"][receiver],
        ],
        abs=1e-3,
    )
    lost = re.findall(r"(-?\d+\.\d{3})$", unfolded(cells["card-ablations-answer"])[0].text, re.MULTILINE)
    assert [float(number) for number in lost] == pytest.approx(drops, abs=1e-3)
