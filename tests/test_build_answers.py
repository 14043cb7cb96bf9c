"""What an answer needs of its notebook is found without running it."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from helpers.build.answers import answers_in, exercises_of, exercises_of_lessons

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
        (["%%time\nk = len"], ("k = len",)),
        (["%time k = len"], ("k = len",)),
        (["k = {}", "k['a'] = 1", "print(1)"], ("k = {}", "k['a'] = 1")),
        (
            ["k = []", "for i in range(3):\n    k.append(i)"],
            ("k = []", "for i in range(3):\n    k.append(i)"),
        ),
        (["k = object()", "k.a.b = 1"], ("k = object()", "k.a.b = 1")),
        (["def k(x, x):\n    pass", "k = 1"], ("def k(x, x):\n    pass", "k = 1")),
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


@pytest.mark.parametrize(
    "source",
    [
        "@exercise('0.3')\ndef f(p): pass",
        '@exercise( "0.3" )\ndef f(p): pass',
        '@exercises.exercise("0.3")\ndef f(p): pass',
        'f = exercise("0.3")(lambda p: p)',
        'if True:\n    @exercise("0.3")\n    def f(p): pass',
        '@exercise("0.3")\ndef f(p):\n    return (',
    ],
)
def test_an_answer_is_found_in_every_spelling(source):
    assert exercises_of(new_code_cell(source)) == ["0.3"]


def test_text_and_unknown_ids_are_no_answers():
    for source in (
        '"""\n@exercise("0.3")\n"""',
        '@exercise("0.")\ndef f(): pass',
        "@exercise()\ndef f(): pass",
    ):
        assert exercises_of(new_code_cell(source)) == []


def test_two_answers_in_one_cell_and_a_helper_between_answer_and_check_are_found():
    both = '@exercise("0.1")\ndef f(p): pass\n@exercise("0.3")\ndef g(p): return k'
    cells = [new_code_cell(source) for source in (both, "k = 1", "check(g)", "k = 2")]
    first, second = answers_in(new_notebook(cells=cells))
    assert (first.id, second.id) == ("0.1", "0.3") and second.context == ("k = 1",)


def test_a_name_that_an_answer_only_changes_is_needed():
    answer = '@exercise("0.3")\ndef f(p):\n    global n\n    n += 1'
    notebook = new_notebook(cells=[new_code_cell("n = 0"), new_code_cell(answer)])
    assert answers_in(notebook)[0].context == ("n = 0",)


def test_a_statement_that_is_nested_too_deeply_costs_no_answer():
    assert len(context("k = 1" + " + 1" * 20_000)) <= 1


def test_an_answer_that_does_not_compile_is_found_without_what_it_needs():
    notebook = new_notebook(cells=[new_code_cell('@exercise("0.3")\ndef f(a, a): pass')])
    assert answers_in(notebook)[0].context == ()
