"""Composition scores against TransformerLens and against theory."""

import pytest
import torch
from transformer_lens import FactoredMatrix

from helpers.components import PORTS
from helpers.composition import (
    alignment,
    composition_score,
    composition_scores,
    factored_score,
    port_scores,
    random_scores,
    reading_matrix,
    thin_readers,
)
from helpers.exercises.inputs import generator, small_model


@pytest.fixture(params=["attn-only-2l", "small", "gpt2"])
def model(request, shipped_model):
    if request.param == "gpt2":
        return request.getfixturevalue("gpt2")
    return small_model() if request.param == "small" else shipped_model(request.param)


@pytest.mark.parametrize("port", PORTS)
def test_all_pairs_agree_with_transformer_lens(model, port):
    ours, theirs = composition_scores(model, port), model.all_composition_scores(port.upper()).scores
    assert ours.shape == theirs.shape
    later = ours > 0
    assert later.any() and (ours - theirs)[later].abs().max() < 1e-5


@pytest.mark.parametrize("port", PORTS)
def test_a_pair_scores_the_same_by_its_matrices(port):
    model = small_model()
    weights = [getattr(model, f"W_{name}")[1, 2] for name in "QKVO"]
    W_OV = model.W_V[0, 1] @ model.W_O[0, 1]
    score = composition_score(W_OV, reading_matrix(port, *weights))
    torch.testing.assert_close(score, composition_scores(model, port)[0, 1, 1, 2])
    thin = (W_OV / W_OV.norm()) @ thin_readers(model, port)[1, 2]
    torch.testing.assert_close(thin.norm(), score)
    of_source = port_scores(W_OV, *(weight[None] for weight in weights))[PORTS.index(port), 0]
    torch.testing.assert_close(score, of_source)


def test_the_factored_score_is_that_of_the_full_matrices():
    sizes = [(9, 3), (3, 9), (9, 4), (4, 9)]
    A_in, A_out, B_in, B_out = (torch.randn(*size, generator=generator(i)) for i, size in enumerate(sizes))
    A, B = FactoredMatrix(A_in, A_out), FactoredMatrix(B_in, B_out)
    expected = (A @ B).norm() / (A.norm() * B.norm())
    torch.testing.assert_close(factored_score(A_in, A_out, B_in, B_out), expected)


def test_the_alignment_of_two_matrices_sums_to_their_squared_score():
    A, B = torch.randn(5, 7, generator=generator(0)), torch.randn(7, 4, generator=generator(1))
    table = alignment(A, B)
    assert table.shape == (5, 4) and (table >= 0).all()
    torch.testing.assert_close(table.sum().sqrt(), composition_score(A, B))


@pytest.mark.parametrize(("d_model", "d_head"), [(64, 4), (256, 32)])
def test_random_circuits_score_one_over_root_d_model(d_model, d_head):
    scores = random_scores(d_model, d_head, 60, generator(0))
    assert scores.square().mean().item() == pytest.approx(1 / d_model, rel=0.1)


def test_another_port_is_refused():
    model = small_model()
    calls = [lambda: composition_scores(model, "K"), lambda: reading_matrix("K", *4 * [torch.eye(2)])]
    for call in calls:
        with pytest.raises(ValueError, match='expected a port "q", "k" or "v", got \'K\''):
            call()
