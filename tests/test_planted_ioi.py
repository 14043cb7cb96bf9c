"""The planted IOI circuit: its jobs, its positions, its backup, and that it needs no other edge."""

import pytest
import torch

from helpers.ablation import ablate
from helpers.discovery import EdgePatching
from helpers.planted_ioi import NAME_TOKENS, IoiLayout, ioi_model, ioi_prompts
from helpers.planted_truth import true_edges
from helpers.run import LogitDiff

PROMPTS = ioi_prompts(40, seed=3)
SHARP = IoiLayout(sharpness=100)
ROWS = torch.arange(len(PROMPTS.tokens))
NAME_POSITIONS = torch.stack([(row < NAME_TOKENS.stop).nonzero().flatten()[1:] for row in PROMPTS.tokens])
S2 = NAME_POSITIONS[:, 2]
IO = (PROMPTS.tokens == PROMPTS.io[:, None]).int().argmax(dim=1)
S1 = (PROMPTS.tokens == PROMPTS.s[:, None]).int().argmax(dim=1)
METRIC = LogitDiff(PROMPTS.io, PROMPTS.s)


@pytest.fixture(scope="module")
def patterns():
    _, cache = ioi_model(SHARP).run_with_cache(PROMPTS.tokens)
    return [cache[f"blocks.{layer}.attn.hook_pattern"] for layer in range(5)]  # [prompt head query key]


@pytest.mark.parametrize(
    ("layer", "heads", "query", "key"),
    [
        (0, [1], S1 + 1, S1),  # previous token
        (0, [2], S2, S1),  # duplicate token
        (1, [0], S2, S1 + 1),  # induction
        (2, [0, 1], torch.full_like(S2, 13), S2),  # S-inhibition
        (3, [0, 1, 2], torch.full_like(S2, 13), IO),  # name movers, and the one that writes elsewhere
        (4, [0], torch.full_like(S2, 13), torch.zeros_like(S2)),  # the backup rests
    ],
)
def test_each_head_attends_as_its_job_says(patterns, layer, heads, query, key):
    for head in heads:
        assert (patterns[layer][ROWS, head, query, key] > 0.99).all()


def test_orders_alternate_and_corrupted_prompts_share_no_name():
    assert ((IO < S1) == (ROWS % 2 == 0)).all()
    for clean, corrupted in zip(PROMPTS.tokens, PROMPTS.corrupted):
        is_name = clean.lt(NAME_TOKENS.stop)
        assert torch.equal(clean[~is_name], corrupted[~is_name])
        assert not set(clean[is_name].tolist()) & set(corrupted[is_name][1:].tolist())


@pytest.mark.parametrize("sharpness", [4.0, 6.0, 100.0])
def test_the_true_edges_suffice_and_the_answer_is_right(sharpness):
    model = ioi_model(IoiLayout(sharpness=sharpness))
    patching = EdgePatching(model, PROMPTS.tokens, PROMPTS.corrupted, METRIC)
    truth = true_edges(model, NAME_TOKENS)
    assert truth.sum() == 27 and (patching.clean_metric > 0).all()
    kept = patching(patching.graph.exists & ~truth)
    torch.testing.assert_close(kept, patching.clean_metric, atol=1e-3, rtol=1e-4)
    random = truth.flatten()[torch.randperm(truth.numel(), generator=torch.Generator().manual_seed(0))]
    at_random = patching(patching.graph.exists & ~random.view_as(truth))
    assert at_random.mean() < 0.2 * patching.clean_metric.mean()


def test_the_backup_steps_in_for_both_name_movers():
    model = ioi_model(SHARP)
    full = METRIC(model(PROMPTS.tokens)[:, -1])
    without = {
        heads: ablate(model, PROMPTS.tokens, list(heads), METRIC, kind="zero").mean() / full.mean()
        for heads in (((4, 0),), ((3, 0),), ((3, 0), (3, 1)), ((3, 0), (3, 1), (4, 0)))
    }
    assert torch.allclose(torch.tensor([*without.values()]), torch.tensor([1.0, 0.5, 0.5, 0.0]), atol=0.01)


def test_inhibition_follows_positions_and_not_names():
    """The S-inhibition output of a prompt with other names at the same places inhibits as well."""
    model = ioi_model(SHARP)
    others = PROMPTS.tokens.clone()
    shifted = (others - NAME_TOKENS.start + 5) % (NAME_TOKENS.stop - NAME_TOKENS.start) + NAME_TOKENS.start
    is_name = (others >= NAME_TOKENS.start) & (others < NAME_TOKENS.stop)
    others[is_name] = shifted[is_name]
    names = ["blocks.2.attn.hook_z"]
    _, cache = model.run_with_cache(others, names_filter=lambda name: name in names)

    def from_other_names(z, hook):
        return cache[names[0]]

    with model.hooks(fwd_hooks=[(names[0], from_other_names)]):
        patched = METRIC(model(PROMPTS.tokens)[:, -1])
    torch.testing.assert_close(patched, METRIC(model(PROMPTS.tokens)[:, -1]), atol=1e-3, rtol=1e-4)
