"""Circuits against runs of a model, and thin products against the full matrices."""

import pytest
import torch

from helpers import circuits
from helpers.components import head_weights, rotary_angles
from helpers.exercises.inputs import generator, small_model
from helpers.planted import Layout, induction_model
from helpers.residual import components_read
from tests.families import family
from tests.interventions import INTO

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9]])


@pytest.fixture
def model():
    return small_model()


@pytest.fixture
def cache(model):
    return model.run_with_cache(TOKENS)[1]


@pytest.fixture
def thin():
    """Two factors of a product with more rows than one block of ``copying_accuracy`` holds."""
    return torch.randn(700, 5, generator=generator(0)), torch.randn(5, 700, generator=generator(1))


def test_scores_by_distance_are_those_of_rotary_attention():
    """Every score of a run is that of its query and key at their distance."""
    model = family("mistral")
    _, cache = model.run_with_cache(INTO[:1])
    x = cache["blocks.1.ln1.hook_out"][0]
    W_Q, W_K, _, _ = head_weights(model)
    for head in range(model.cfg.n_heads):
        expected = cache["blocks.1.attn.hook_attn_scores"][0, head]
        queries, keys = torch.tril_indices(7, 7)
        scores = circuits.scores_by_distance(
            x[queries], x[keys], W_Q[1, head], W_K[1, head], rotary_angles(model, 7)
        )
        ours = scores[queries - keys, torch.arange(len(queries))]
        torch.testing.assert_close(ours, expected[queries, keys], atol=1e-4, rtol=1e-4)
    assert (scores[1] - scores[0]).abs().max() > 0.1  # they depend on the distance


def test_scores_and_their_components_are_those_of_the_model(model, cache):
    components, _ = components_read(model, cache, 1)
    x, future = components.sum(dim=0), torch.ones(6, 6).triu(1).bool()
    scores = circuits.attention_scores(x, x, model.W_Q[1], model.W_K[1])
    pattern = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
    torch.testing.assert_close(pattern, cache["blocks.1.attn.hook_pattern"][0], atol=1e-4, rtol=1e-4)
    split = circuits.scores_by_component(components, components, model.W_Q[1, 2], model.W_K[1, 2])
    assert split.shape == (5, 5, 6, 6)
    torch.testing.assert_close(split.sum(dim=(0, 1)), scores[2], atol=1e-4, rtol=1e-4)


def test_a_head_output_is_the_pattern_times_the_ov_circuit(model, cache):
    x, pattern = cache["blocks.1.hook_resid_pre"][0], cache["blocks.1.attn.hook_pattern"][0, 2]
    expected = cache["blocks.1.attn.hook_z"][0, :, 2] @ model.W_O[1, 2]
    output = circuits.head_output(pattern, x, model.W_V[1, 2], model.W_O[1, 2])
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    W_OV = circuits.effective_OV(model.W_V[1, 2:], model.W_O[1, 2:])
    torch.testing.assert_close(circuits.soft_read(pattern, x) @ W_OV, expected, atol=1e-5, rtol=1e-5)


def test_the_full_ov_circuit_is_a_product_of_four(model):
    expected = model.W_E @ model.W_V[1, 2] @ model.W_O[1, 2] @ model.W_U
    torch.testing.assert_close(circuits.full_OV(model, 1, 2).AB, expected)


def test_thin_factors_give_what_the_full_matrix_gives(thin):
    A, B = thin
    full = A @ B
    singular = torch.linalg.svdvals(full)[:5]
    torch.testing.assert_close(circuits.singular_values(A, B), singular, atol=1e-2, rtol=1e-4)
    eigenvalues = torch.linalg.eigvals(full.double())
    expected = (eigenvalues.real.sum() / eigenvalues.abs().sum()).item()
    assert circuits.eigenvalue_copying_score(A, B).item() == pytest.approx(expected, abs=1e-4)
    for k in (1, 50):
        own_is_high = (full.topk(k).indices == torch.arange(700)[:, None]).any(dim=1)
        assert circuits.copying_accuracy(A, B, k) == own_is_high.float().mean()


def test_the_planted_circuit_copies_and_attends_one_back():
    model = induction_model(Layout(d_vocab=7, n_ctx=9))
    circuit = circuits.full_OV(model, 1, 2)
    assert circuits.copying_accuracy(circuit.A, circuit.B) == 1
    W_Q, W_K, W_V, W_O = model.W_Q, model.W_K, model.W_V, model.W_O
    weight = circuits.previous_position_weight(model.W_pos, W_Q[0, 1], W_K[0, 1])
    assert weight.item() == pytest.approx(1)
    queries, previous = circuits.k_composition_circuit(model.W_E, W_V[0, 1], W_O[0, 1], W_Q[1, 2], W_K[1, 2])
    assert torch.equal((queries @ previous).argmax(dim=1), torch.arange(7))


def test_a_bigram_table_counts_followers():
    table = circuits.bigram_table(torch.tensor([2, 0, 1, 0, 1, 0, 2]), d_vocab=4)
    expected = [[0, 2 / 3, 1 / 3, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(table, torch.tensor(expected))


def test_skip_trigrams_cannot_raise_two_pairs_without_the_third():
    """The table is of rank 1 for each source: destination and output do not interact."""
    QK, OV = torch.randn(4, 3, generator=generator(0)), torch.randn(3, 5, generator=generator(1))
    table = circuits.skip_trigrams(QK, OV)
    torch.testing.assert_close(table.sum(dim=1), QK.softmax(dim=-1) @ OV)
    assert all(torch.linalg.matrix_rank(table[:, source]) == 1 for source in range(3))
