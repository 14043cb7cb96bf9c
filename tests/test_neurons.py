"""Measures of neurons against loops, and against the MLP of a model."""

import pytest
import torch

from helpers.exercises.inputs import generator
from helpers.neurons import (
    activation_function,
    agreement,
    key_value_cosine,
    label_fractions,
    mlp_weights,
    neuron_outputs,
    top_contexts,
)
from tests.families import SUPPORTED, family


def contexts(activations, count):
    """Oracle: (text, position) of the highest activations after position 0, one per text, by a loop."""
    best = [(max(row[1:]), text, row.index(max(row[1:]), 1)) for text, row in enumerate(activations.tolist())]
    return [(text, position) for _, text, position in sorted(best, reverse=True)[:count]]


@pytest.fixture
def activations():
    """Random activations of 3 neurons on 12 texts of 8 tokens."""
    return torch.randn(12, 8, 3, generator=generator(0))


@pytest.fixture
def tokens():
    return torch.randint(5, (12, 8), generator=generator(1))


def test_the_outputs_of_all_neurons_and_the_bias_are_the_mlp(gpt2):
    _, cache = gpt2.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    x = cache["blocks.1.ln2.hook_normalized"][0, 4]
    gelu = lambda pre: torch.nn.functional.gelu(pre, approximate="tanh")  # noqa: E731
    outputs = neuron_outputs(x, gpt2.W_in[1], gpt2.b_in[1], gpt2.W_out[1], gelu)
    mlp_out = cache["blocks.1.hook_mlp_out"][0, 4]
    torch.testing.assert_close(outputs.sum(dim=0) + gpt2.b_out[1], mlp_out, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SUPPORTED)
def test_keys_values_and_gates_make_the_mlp_of_every_kind_of_model(name):
    model = family(name)
    _, cache = model.run_with_cache(torch.tensor([[3, 1, 4, 1, 5, 9]]))
    for layer, (W_in, b_in, W_out, b_out) in enumerate(zip(*mlp_weights(model))):
        x, mlp_out = cache[f"blocks.{layer}.ln2.hook_normalized"][0, 4], cache[f"blocks.{layer}.hook_mlp_out"]
        outputs = neuron_outputs(x, W_in, b_in, W_out, activation_function(model, layer, x))
        torch.testing.assert_close(outputs.sum(dim=0) + b_out, mlp_out[0, 4], atol=1e-3, rtol=1e-3)


def test_top_contexts_are_those_of_a_loop(activations):
    assert list(map(tuple, top_contexts(activations[:, :, 0], 4).tolist())) == contexts(
        activations[:, :, 0], 4
    )


def test_opposed_keys_and_values_have_cosine_minus_1_after_the_gain():
    keys, gain = torch.randn(6, 4, generator=generator(0)), 1 + torch.rand(6, generator=generator(1))
    values = 3 - 2 * (gain[:, None] * keys).T
    torch.testing.assert_close(key_value_cosine(keys, values, gain), -torch.ones(4))
    assert (key_value_cosine(keys, values, torch.ones(6)) > -0.9999).all()


def test_agreement_is_that_of_a_loop(activations, tokens):
    promoted = torch.tensor([1, 0, 4])
    for n, fraction in enumerate(agreement(activations, tokens, promoted, count=4)):
        top = contexts(activations[:, :7, n], 4)
        assert fraction == sum(tokens[text, pos + 1] == promoted[n] for text, pos in top) / 4


def test_label_fractions_are_those_of_a_loop(activations, tokens):
    of_contexts, of_activation = label_fractions(activations, tokens, count=4)
    for n in range(3):
        top = contexts(activations[:, :7, n], 4)
        labels = []
        for ahead in (0, 1):
            named = [tokens[text, pos + ahead].item() for text, pos in top]
            best = max(range(5), key=named.count)
            labels.append((named.count(best) / 4, -ahead, best))
        fraction, ahead, best = max(labels)
        assert of_contexts[n] == fraction
        cells = [(text, pos) for text in range(12) for pos in range(1, 7)]
        mass = [max(activations[text, pos, n].item(), 0) for text, pos in cells]
        covered = [m for m, (text, pos) in zip(mass, cells) if tokens[text, pos - ahead] == best]
        assert of_activation[n].item() == pytest.approx(sum(covered) / sum(mass), abs=1e-5)
