"""The data of the circuit view is what runs with hooks give: edges, effects, ablations, and what heads read."""

import pytest
import torch

from helpers.circuit_graph import read_circuit
from helpers.components import per_query_head
from helpers.exercises.inputs import small_gpt2
from helpers.hooks import cut_path_hooks
from tests.families import family

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


@pytest.fixture(params=["attn-only-2l", "small GPT-2", "llama"])
def model(request, shipped_model, monkeypatch):
    if request.param == "attn-only-2l":
        return shipped_model("attn-only-2l")
    model = family("llama") if request.param == "llama" else small_gpt2()
    monkeypatch.setattr(model, "tokenizer", shipped_model("attn-only-2l").tokenizer)
    return model


@pytest.fixture
def circuit(model):
    return read_circuit(model, TOKENS, roles={(1, 2): "a role"})


def at(name):
    layer, head = name.split(".")
    return int(layer), int(head)


def log_probs(model, hooks=()):
    return model.run_with_hooks(TOKENS, fwd_hooks=list(hooks))[0].log_softmax(dim=-1)


def close(ours, theirs):
    torch.testing.assert_close(torch.as_tensor(ours), theirs, atol=2e-4, rtol=1e-3)


def test_attention_sizes_and_predictions_are_the_models(model, circuit):
    _, cache = model.run_with_cache(TOKENS)
    for name, attention, sizes in zip(circuit.heads, circuit.attention, circuit.sizes):
        layer, head = at(name)
        close(attention, cache[f"blocks.{layer}.attn.hook_pattern"][0, head])
        values = per_query_head(cache[f"blocks.{layer}.attn.hook_v"], model.cfg.n_heads, axis=2)[0, :, head]
        close(sizes, attention * (values @ model.W_O[layer, head]).norm(dim=-1))
    probabilities = log_probs(model).exp()
    close(circuit.probabilities, probabilities.topk(5, dim=-1).values)
    ids = probabilities.argmax(dim=-1)
    assert [row[0] for row in circuit.candidates] == [model.tokenizer.decode(token) for token in ids]
    assert circuit.logit_lens[-1] == [row[0] for row in circuit.candidates]
    assert len(circuit.logit_lens) == model.cfg.n_layers + 1
    assert circuit.roles[circuit.heads.index("1.2")] == "a role"


def test_without_a_head_the_predictions_are_those_of_a_run_without_it(model, circuit):
    top = log_probs(model).topk(5, dim=-1).indices
    for i, name in enumerate(circuit.heads):
        layer, head = at(name)

        def ablate(z, hook, head=head):
            z = z.clone()
            z[:, :, head] = 0
            return z

        probabilities = log_probs(model, [(f"blocks.{layer}.attn.hook_z", ablate)]).exp()
        close(circuit.without[i], probabilities.gather(1, top))
        close(circuit.probability_without[i], probabilities.max(dim=-1).values)
    assert (circuit.without - circuit.probabilities).abs().max() > 1e-3


def test_an_edge_has_the_effect_of_cutting_it(model, circuit):
    plain, (_, cache) = log_probs(model), model.run_with_cache(TOKENS)
    best = plain.argmax(dim=-1)
    edges = {tuple(edge[:3]) for edge in circuit.edges}
    assert edges == set(map(tuple, (circuit.attention >= 0.1).nonzero().tolist()))
    for edge in circuit.edges[:: max(1, len(edges) // 12)]:
        layer, head = at(circuit.heads[edge.head])
        values = per_query_head(cache[f"blocks.{layer}.attn.hook_v"], model.cfg.n_heads, axis=2)[0, :, head]

        def cut(z, hook, edge=edge, head=head, value=values[edge.key]):
            z = z.clone()
            z[:, edge.query, head] -= circuit.attention[edge.head, edge.query, edge.key] * value
            return z

        without = log_probs(model, [(f"blocks.{layer}.attn.hook_z", cut)])
        expected = (plain - without).gather(1, best[:, None])[:, 0]
        close(edge.effects, expected[edge.query :])
        close(expected[: edge.query], torch.zeros(edge.query))


def test_a_head_reads_an_earlier_one_if_its_attention_falls_without_it(shipped_model):
    model = shipped_model("attn-only-2l")  # without LayerNorm a cut path is exact
    circuit = read_circuit(model, model.to_tokens("the cat sat on the mat. the cat sat on"))
    tokens = model.to_tokens("the cat sat on the mat. the cat sat on")
    found = {tuple(read[:5]): read.strength for read in circuit.reads}
    for port in "qk":
        for receiver in range(6):
            hooks = cut_path_hooks(model, (0, 1), (1, receiver), port)
            with model.hooks(fwd_hooks=hooks):
                pattern = model.run_with_cache(tokens)[1]["blocks.1.attn.hook_pattern"][0, receiver]
            i, j = circuit.heads.index(f"1.{receiver}"), circuit.heads.index("0.1")
            falls = circuit.attention[i] - pattern
            drawn = ((falls >= 0.1) & (circuit.attention[i] >= 0.1)).nonzero().tolist()
            assert {(q, k) for r, s, p, q, k in found if (r, s, p) == (i, j, port)} == set(map(tuple, drawn))
            for query, key in drawn:
                assert found[i, j, port, query, key] == pytest.approx(falls[query, key].item(), abs=1e-4)
    assert any(read.port == "k" for read in circuit.reads) and any(read.port == "v" for read in circuit.reads)


def test_chosen_heads_alone(shipped_model):
    model = shipped_model("attn-only-2l")
    circuit = read_circuit(model, TOKENS, heads=[(1, 2), (0, 4)])
    assert circuit.heads == ["1.2", "0.4"] and circuit.attention.shape == (2, 8, 8)
    assert {read.receiver for read in circuit.reads} <= {0}
    assert len(circuit.without) == 2  # in the order of the heads, not of the layers
    turned = read_circuit(model, TOKENS, heads=[(0, 4), (1, 2)])
    close(circuit.without, turned.without.flip(0))
    effects = [
        {edge[1:3]: edge.effects for edge in c.edges if c.heads[edge.head] == "1.2"}
        for c in (circuit, turned)
    ]
    assert effects[0].keys() == effects[1].keys()
    for edge in effects[0]:
        close(effects[0][edge], torch.tensor(effects[1][edge]))


def test_without_effects_the_edges_are_the_same(shipped_model):
    model = shipped_model("attn-only-2l")
    measured, quick = (read_circuit(model, TOKENS, effects=effects) for effects in (True, False))
    assert [edge._replace(effects=[]) for edge in measured.edges] == quick.edges


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(tokens=TOKENS.repeat(2, 1)), "one text"),
        (dict(tokens=TOKENS, heads=[(2, 0)]), "counted from 0, got 2.0"),
    ],
)
def test_what_cannot_be_read_is_refused(shipped_model, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_circuit(shipped_model("attn-only-2l"), **arguments)
