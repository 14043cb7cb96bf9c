"""The model written by hand: detectors, scores, ablations and path cuts have exactly known answers."""

import pytest
import torch

from helpers import heads
from helpers.components import PORTS
from helpers.composition import composition_scores
from helpers.hooks import cut_path_hooks, replace_z_hooks
from helpers.planted import BOS, Layout, distinct_repeated, empty_head, induction_model, planted_model

LAYOUT = Layout(d_vocab=40, n_ctx=64)
CASES = [(seed, length) for seed in (0, 1, 2) for length in (5, 12, 31)]


@pytest.fixture(scope="module")
def model():
    return induction_model(LAYOUT)


def sequences(seed, length):
    return distinct_repeated(LAYOUT, length, batch=4, generator=torch.Generator().manual_seed(seed))


def accuracy(logits, tokens, length):
    """Fraction of the second copy's tokens, from its second on, that are predicted."""
    return (logits[:, length + 1 : -1].argmax(dim=-1) == tokens[:, length + 2 :]).float().mean().item()


@pytest.mark.parametrize(("seed", "length"), CASES)
def test_every_token_of_the_second_copy_is_predicted(model, seed, length):
    tokens = sequences(seed, length)
    assert tokens.shape == (4, 1 + 2 * length) and (tokens[:, 0] == BOS).all()
    assert accuracy(model(tokens), tokens, length) == 1.0


@pytest.mark.parametrize(("seed", "length"), CASES)
def test_every_detector_gives_its_exact_value(model, seed, length):
    tokens = sequences(seed, length)
    n = 2 * length + 1
    _, cache = model.run_with_cache(tokens)
    pattern = torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"] for layer in (0, 1)]).mean(dim=1)
    # queries 1 … length match no key and attend equally to all positions up to their own
    uniform = sum(1 / (i + 1) for i in range(1, length + 1)) / (2 * length)
    expected = {
        heads.previous_token_score: [[0, 1, 1 / (n - 1)], [1 / (n - 1), uniform, uniform]],
        heads.current_token_score: [[1, 0, 0], [0, uniform, uniform]],
        heads.first_token_score: [[0, 1 / (n - 1), 1], [1, uniform, uniform]],
    }
    for detector, values in expected.items():
        torch.testing.assert_close(detector(pattern), torch.tensor(values), atol=1e-6, rtol=0)
    duplicate = heads.duplicate_token_score(pattern, length)
    torch.testing.assert_close(duplicate, torch.tensor([[0.0, 0, 0], [0, 1, 0]]), atol=1e-6, rtol=0)
    induction = heads.induction_score(pattern, length)
    torch.testing.assert_close(induction, torch.tensor([[0.0, 0, 0], [0, 0, 1]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("port", PORTS)
def test_composition_scores_are_exact(model, port):
    scores = composition_scores(model, port)
    expected = torch.zeros_like(scores)
    if port == "k":
        expected[0, 1, 1, 2] = LAYOUT.d_vocab**-0.5  # ‖1‖ / (‖1‖ ‖1‖) of the identity between d_vocab tokens
    torch.testing.assert_close(scores, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("head", range(6))
def test_ablating_a_circuit_head_ends_it_and_a_decoy_changes_nothing(model, head):
    layer, head = divmod(head, 3)
    tokens = sequences(3, 12)
    zeros = [torch.zeros(1, 1, 3, LAYOUT.d_head)] * 2
    logits = model.run_with_hooks(tokens, fwd_hooks=replace_z_hooks([(layer, head)], zeros))
    if (layer, head) in ((0, 1), (1, 2)):
        assert accuracy(logits, tokens, 12) < 0.2
    else:
        torch.testing.assert_close(logits, model(tokens), atol=0, rtol=0)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("sender", range(3))
@pytest.mark.parametrize("receiver", range(3))
def test_only_the_path_into_the_induction_heads_keys_matters(model, port, sender, receiver):
    tokens = sequences(4, 12)
    with model.hooks(fwd_hooks=cut_path_hooks(model, (0, sender), (1, receiver), port)):
        logits = model(tokens)
    if (port, sender, receiver) == ("k", 1, 2):
        assert accuracy(logits, tokens, 12) < 0.2
    else:
        torch.testing.assert_close(logits, model(tokens), atol=0, rtol=0)


def test_bad_sizes_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="add a decoy"):
        planted_model(LAYOUT, [[empty_head(LAYOUT)], []])
    with pytest.raises(ValueError, match="expected a length below 40"):
        distinct_repeated(LAYOUT, 40, 1, torch.Generator())
