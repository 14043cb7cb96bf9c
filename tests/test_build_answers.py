"""What an answer needs of its notebook is found without running it."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.answers import answers_in, exercises_of_lessons

ANSWER = '@exercise("0.3")\ndef score(pattern, model=None):\n    return '


def context(*cells, body="k(pattern)"):
    notebook = new_notebook(cells=[new_code_cell(source) for source in [*cells, ANSWER + body]])
    return answers_in(notebook)[-1].context


@pytest.mark.parametrize(
    ("cells", "needed"),
    [
        (["import torch\nk = torch.relu"], ("import torch", "k = torch.relu")),
        (["from torch import relu as k; unused = 1"], ("from torch import relu as k",)),
        (["k = 1", "k = 2"], ("k = 1", "k = 2")),
        (["k = 1", "k += 1"], ("k = 1", "k += 1")),
        (["def k(x):\n    return size * x", "size = 3"], ("def k(x):\n    return size * x", "size = 3")),
        (["if True:\n    from torch import relu as k"], ("if True:\n    from torch import relu as k",)),
        (["from torch import *"], ("from torch import *",)),
        (["k = ("], ()),
        (["pattern = model = load()"], ()),  # names of the answer's own
        (["%matplotlib inline\n!true\nk = len"], ("k = len",)),
    ],
)
def test_an_answer_needs_what_binds_its_names(cells, needed):
    assert context(*cells) == needed


def test_the_last_answer_counts_and_needs_nothing_below_it():
    assert context(ANSWER + "0", "k = 1") == ("k = 1",)
    notebook = new_notebook(cells=[new_code_cell(ANSWER + "k"), new_code_cell("k = 1")])
    assert answers_in(notebook)[0].context == ()


def test_a_notebook_stands_for_all_exercises_of_its_lessons():
    assert exercises_of_lessons(new_notebook(cells=[new_code_cell(ANSWER)])) == ["0.1", "0.2", "0.3"]
    assert exercises_of_lessons(new_notebook(cells=[new_code_cell("1")])) == []
