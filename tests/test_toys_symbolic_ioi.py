"""The smallest indirect object identification."""

import torch

from helpers.toys.symbolic_ioi import rows, symbolic_model, train


def test_it_is_solved_when_a_second_head_joins_later_and_not_otherwise():
    together, joining = (list(train(symbolic_model(), 700, join_step, every=350)) for join_step in (0, 400))
    assert together[-1].accuracy < 0.65 and joining[1].accuracy < 0.65
    assert joining[-1].accuracy > 0.98


def test_the_answer_is_the_name_that_the_subject_is_not():
    tokens, io = rows(50, torch.Generator().manual_seed(0))
    assert ((tokens[:, 1:3] == io[:, None]).sum(1) == 1).all() and (tokens[:, 3] != io).all()
    assert (tokens[:, 1:3] == tokens[:, 3:4]).any(1).all()
