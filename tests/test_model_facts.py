"""What the shipped weights must show, on seeds and texts that were used neither in training nor in choosing the recipe."""

import re
from pathlib import Path

import pytest
import torch

from helpers.ablation import ablate, circuit_mask, faithfulness, head_means
from helpers.build.model_cards import facts
from helpers.build.model_facts import patterns, two_layer_facts
from helpers.heads import induction_score, previous_token_score
from helpers.ioi import UNSEEN_TEMPLATES, corrupted, end_attention, logit_diff, make_prompts, name_copy_scores
from helpers.models import DATA
from helpers.sequences import repeated_tokens, second_copy_gain

SEEDS = [101, 202, 303]
TEXTS = [file.read_text() for file in sorted((Path(__file__).parent / "texts").glob("*.txt"))]


@pytest.fixture(params=SEEDS, scope="module")
def measured(request, shipped_model):
    return two_layer_facts(shipped_model("attn-only-2l"), seed=request.param)


def head(name):
    return int(name.split(".")[1])


def test_at_least_six_heads_a_layer(shipped_model):
    assert shipped_model("attn-only-2l").cfg.n_heads >= 6


def test_previous_token_head_on_random_tokens(measured):
    assert max(measured["previous_token_score"]) >= 0.55


@pytest.mark.parametrize("text", TEXTS)
def test_previous_token_head_on_english(shipped_model, measured, text):
    model = shipped_model("attn-only-2l")
    tokens = model.to_tokens(text)
    assert 150 < tokens.shape[1] <= model.cfg.n_ctx
    scores = previous_token_score(patterns(model, tokens, 0)).mean(dim=1)
    assert scores.argmax() == head(measured["previous_token_head"])
    assert scores.max() >= 0.6


def test_induction_head(measured):
    assert max(measured["induction_score"]) >= 0.5
    assert measured["second_copy_gain"] >= 2.5


def test_k_composition_is_highest_for_a_head_that_feeds_the_induction_head(measured):
    scores = torch.tensor(measured["k_composition"])
    assert scores.max() >= 1.3 * measured["random_composition"]
    assert measured["ablation_drop"][scores.argmax()] >= 0.5


def test_cutting_the_best_feeding_head_ends_induction_and_cutting_the_median_head_does_not(measured):
    drops = torch.tensor(measured["ablation_drop"])
    assert drops.max() >= 0.6
    assert drops.quantile(0.5) < 0.2


def test_the_induction_head_copies(measured):
    assert measured["eigenvalue_copying_score"][head(measured["induction_head"])] >= 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_one_layer_has_no_induction_head_and_gains_less_on_the_second_copy(shipped_model, seed):
    model = shipped_model("attn-only-1l")
    tokens = repeated_tokens(model, seed=seed)
    assert induction_score(patterns(model, tokens, 0), period=50).mean(dim=1).max() <= 0.1
    assert second_copy_gain(model, tokens) < second_copy_gain(shipped_model("attn-only-2l"), tokens) - 2


def test_zero_layers_follow_the_corpus_bigrams(shipped_model):
    """The rank correlation with the corpus was measured at training (the corpus is not here); these bigrams are English."""
    model = shipped_model("attn-only-0l")
    correlation = re.search(r"is (0\.\d+)\.", (DATA / "attn-only-0l/README.md").read_text())[1]
    assert float(correlation) >= 0.7
    logits = model.W_E @ model.W_U
    for first, likely, unlikely in [
        (" could", " not", " the"),
        (" of", " the", " was"),
        (" have", " been", " with"),
    ]:
        a, b, c = (model.to_single_token(token) for token in (first, likely, unlikely))
        assert logits[a, b] > logits[a, c] + 2


@pytest.mark.parametrize("name", ["attn-only-0l", "attn-only-1l", "attn-only-2l"])
def test_a_card_states_the_facts_of_the_shipped_weights(name):
    import json

    run = json.loads((DATA / name / "training.json").read_text())
    written = (DATA / name / "README.md").read_text()
    fresh = facts(name, run, run["checkpoints"][-1])
    assert fresh.startswith("## Facts") and "## Facts" in written
    number = r"-?\d+\.\d+"
    stated, found = (
        [float(x) for x in re.findall(number, text.split("## Facts")[1])] for text in (written, fresh)
    )
    assert stated == pytest.approx(found, abs=3e-3)
    assert (
        re.sub(number, "", written.split("## Facts")[1]).split()
        == re.sub(number, "", fresh.split("## Facts")[1]).split()
    )


@pytest.mark.parametrize("name", ["attn-only-0l", "attn-only-1l", "attn-only-2l"])
def test_a_model_is_small_enough(name):
    assert (DATA / name / "model.safetensors").stat().st_size < 16e6


def test_the_phase_change_was_recorded():
    import json

    run = json.loads((DATA / "attn-only-2l/training.json").read_text())
    records = run["checkpoints"]
    assert 8 <= len(records) <= 12
    previous = [max(record["previous_token_score"]) for record in records]
    induction = [max(record["induction_score"]) for record in records]
    assert induction[0] < 0.1 and induction[-1] > 0.5
    when = [
        next(r["tokens"] for r, score in zip(records, scores) if score > 0.25)
        for scores in (previous, induction)
    ]
    assert when[0] < when[1]  # the previous-token head comes first


@pytest.fixture(params=SEEDS, scope="module")
def ioi(request, shipped_model):
    """Prompts with names that were never told with their event, and the metric on them."""
    model = shipped_model("ioi-gpt2")
    given = make_prompts(model.tokenizer, 128, seed=request.param)
    return model, given, lambda logits: logit_diff(logits, given.io_token, given.s_token)


def test_io_above_s_with_names_never_told_with_the_event(ioi):
    model, given, metric = ioi
    found = metric(model(given.tokens)[:, -1])
    assert (found > 0).float().mean() >= 0.97
    assert found[given.abba].mean() >= 2.5 and found[~given.abba].mean() >= 2.5
    nobody = corrupted(given, "abc", model.tokenizer)
    assert abs(metric(model(nobody.tokens)[:, -1]).mean()) < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_io_above_s_in_sentences_that_are_not_in_the_stories(shipped_model, seed):
    model = shipped_model("ioi-gpt2")
    given = make_prompts(model.tokenizer, 128, seed=seed, templates=UNSEEN_TEMPLATES)
    found = logit_diff(model(given.tokens)[:, -1], given.io_token, given.s_token)
    assert (found > 0).float().mean() >= 0.85
    assert found[given.abba].mean() >= 2.5 and found[~given.abba].mean() >= 2.5


def roles(model, given) -> tuple[list, list]:
    """Name movers, which look at IO and copy, and heads that look from END at S2."""
    looks, copies = end_attention(model, given), name_copy_scores(model, given)
    movers = ((looks[..., 0] >= 0.4) & (copies >= 0.8)).nonzero().tolist()
    return movers, (looks[..., 2] >= 0.5).nonzero().tolist()


def test_name_movers_exist_and_heads_that_move_s_information_are_needed(ioi):
    model, given, metric = ioi
    movers, s_heads = roles(model, given)
    assert movers and s_heads
    nobody = corrupted(given, "abc", model.tokenizer).tokens
    left = ablate(model, given.tokens, s_heads, metric, "by template", nobody, given.template)
    assert left.mean() <= 0.5 * metric(model(given.tokens)[:, -1]).mean()


def test_eight_heads_carry_the_circuit(ioi):
    model, given, metric = ioi
    _, s_heads = roles(model, given)
    moving = end_attention(model, given)[..., 0] * name_copy_scores(model, given)
    best = moving.flatten().topk(8 - len(s_heads)).indices.tolist()
    circuit = [*s_heads, *(divmod(head, model.cfg.n_heads) for head in best)]
    means = head_means(model, corrupted(given, "abc", model.tokenizer).tokens, given.template)
    shape = (model.cfg.n_layers, model.cfg.n_heads, *given.tokens.shape)
    keep = circuit_mask(circuit, given.end_pos.expand(len(circuit), -1), shape)
    assert faithfulness(model, given.tokens, keep, means, metric) >= 0.8


def test_the_ioi_model_is_small():
    assert sum(file.stat().st_size for file in (DATA / "ioi-gpt2").iterdir()) <= 16e6
