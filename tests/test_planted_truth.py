"""True edges read off weights: none without effect on the answer, and those of the circuit by hand."""

import pytest
import torch

from helpers.discovery import EdgePatching, edge_effects
from helpers.planted import Layout, induction_model
from helpers.planted_ioi import NAME_TOKENS, IoiLayout, ioi_model, ioi_prompts
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff
from tests.interventions import model_named

IOI = {
    "embedding": ["0.1.v", "0.2.q", "0.2.k", "1.0.q", "3.0.v", "3.1.v", "4.0.v"],
    "0.1": ["1.0.k"],
    "0.2": ["2.0.k", "2.0.v", "2.1.k", "2.1.v"],
    "1.0": ["2.0.k", "2.0.v", "2.1.k", "2.1.v"],
    "2.0": ["3.0.q", "3.1.q", "4.0.q"],
    "2.1": ["3.0.q", "3.1.q", "4.0.q"],
    "3.0": ["4.0.q", "logits"],
    "3.1": ["4.0.q", "logits"],
    "4.0": ["logits"],
}


def test_the_edges_of_the_ioi_circuit_are_those_of_its_description():
    model = ioi_model()
    prompts = ioi_prompts(6)
    patching = EdgePatching(model, prompts.tokens, prompts.corrupted, LogitDiff(prompts.io, prompts.s))
    truth = true_edges(model, NAME_TOKENS)
    expected = {f"{sender} → {receiver}" for sender, receivers in IOI.items() for receiver in receivers}
    assert {str(edge) for edge in patching.graph.edges(truth)} == expected
    effects = edge_effects(patching)
    false = patching.graph.exists & ~truth
    assert effects[false].abs().max() < 1e-4 < effects[truth].abs().min()


def test_only_tokens_that_vary_count():
    model = induction_model(Layout(d_vocab=5, n_ctx=9))
    assert true_edges(model, [1, 2]).sum() == 5 and not true_edges(model, [3]).any()
    assert true_edges(ioi_model(IoiLayout(sharpness=50.0)), NAME_TOKENS).sum() == 27


def test_a_model_with_norms_is_refused():
    with pytest.raises(ValueError, match="expected an attention-only model without norms"):
        true_edges(model_named("gpt2"), torch.arange(3).tolist())
