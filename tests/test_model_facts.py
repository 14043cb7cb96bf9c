"""Facts of the shipped weights, on seeds and texts used neither in training nor in choosing the recipe."""

import json
import re
from pathlib import Path

import pytest
import torch

from helpers.ablation import ablate, circuit_mask, faithfulness, head_means
from helpers.build.model_cards import facts
from helpers.build.model_facts import bigram_correlation, patterns, two_layer_facts
from helpers.components import Head
from helpers.heads import induction_score, previous_token_score
from helpers.ioi import UNSEEN_TEMPLATES, corrupted, end_attention, logit_diff, make_prompts, name_copy_scores
from helpers.models import DATA, shipped
from helpers.sequences import repeated_tokens, second_copy_gain
from helpers.shortformer import ShortformerModel, config, wrap

SEEDS = [101, 202, 303]
TEXTS = [file.read_text(encoding="utf-8") for file in sorted((Path(__file__).parent / "texts").glob("*.txt"))]


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
    gain, error = measured["gain_and_error"]
    assert measured["second_copy_gain"] >= 2.5
    assert gain == pytest.approx(measured["second_copy_gain"], abs=4 * error * (256 / 32) ** 0.5)


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
    """The rank correlation was measured at training, since the corpus does not ship; these bigrams are English."""
    model = shipped_model("attn-only-0l")
    run = json.loads((DATA / "attn-only-0l/training.json").read_text(encoding="utf-8"))
    assert run["bigrams"]["spearman"] >= 0.7
    logits = model.W_E @ model.W_U
    for first, likely, unlikely in [
        (" could", " not", " the"),
        (" of", " the", " was"),
        (" have", " been", " with"),
    ]:
        a, b, c = (model.to_single_token(token) for token in (first, likely, unlikely))
        assert logits[a, b] > logits[a, c] + 2


def zero_layer_model(W_E):
    """A model of no layers whose logits after a token are its row of ``W_E``."""
    n = len(W_E)
    model = ShortformerModel(config(n_layers=0, n_heads=1, d_head=n, d_model=n, n_ctx=2, d_vocab=n))
    with torch.no_grad():
        model.tok_embed.weight.copy_(W_E)
        model.head.weight.copy_(torch.eye(n))
    return wrap(model, None, "bigrams")


def test_bigram_correlation_of_a_model_that_knows_the_bigrams():
    frequencies = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05])
    generator = torch.Generator().manual_seed(0)
    text = torch.multinomial(frequencies, 20_000, replacement=True, generator=generator)
    counts = torch.bincount(text[:-1] * 5 + text[1:], minlength=25).view(5, 5)
    log_probabilities = (counts / counts.sum(1, keepdim=True)).log()
    model, reverse = zero_layer_model(log_probabilities), zero_layer_model(-log_probabilities)
    assert bigram_correlation(model, text) == {"pairs": 25, "spearman": pytest.approx(1)}
    assert bigram_correlation(reverse, text)["spearman"] < 0


@pytest.mark.parametrize("name", list(shipped()))
def test_a_card_states_the_facts_of_the_shipped_weights(name):
    run = json.loads((DATA / name / "training.json").read_text(encoding="utf-8"))
    card = (DATA / name / "README.md").read_text(encoding="utf-8")
    texts = (card.split("## Facts")[1], facts(name, run))
    number = r"-?\d+\.\d+"
    stated, measured = ([float(x) for x in re.findall(number, text)] for text in texts)
    assert stated == pytest.approx(measured, abs=3e-3)
    assert re.sub(number, "", texts[0]).split() == re.sub(number, "", texts[1]).split()


@pytest.mark.parametrize("name", ["attn-only-0l", "attn-only-1l", "attn-only-2l"])
def test_a_model_is_small_enough(name):
    assert (DATA / name / "model.safetensors").stat().st_size < 16e6


def test_the_phase_change_was_recorded():
    run = json.loads((DATA / "attn-only-2l/training.json").read_text(encoding="utf-8"))
    records = run["checkpoints"]
    assert 8 <= len(records) <= 12
    previous = [max(record["previous_token_score"]) for record in records]
    induction = [max(record["induction_score"]) for record in records]
    assert induction[0] < 0.1 and induction[-1] > 0.5
    first_tokens = [
        next(r["tokens"] for r, score in zip(records, scores) if score > 0.25)
        for scores in (previous, induction)
    ]
    assert first_tokens[0] < first_tokens[1]  # the previous-token head comes first


@pytest.fixture(params=SEEDS, scope="module")
def ioi(request, shipped_model):
    """Prompts with names that never occur with their event in the stories, and the metric on them."""
    model = shipped_model("ioi-gpt2")
    prompts = make_prompts(model.tokenizer, 128, seed=request.param)
    return model, prompts, lambda logits: logit_diff(logits, prompts.io_token, prompts.s_token)


def test_io_above_s_with_names_that_never_occur_with_the_event(ioi):
    model, prompts, metric = ioi
    clean = metric(model(prompts.tokens)[:, -1])
    assert (clean > 0).float().mean() >= 0.97
    assert clean[prompts.abba].mean() >= 2.5 and clean[~prompts.abba].mean() >= 2.5
    three_names = corrupted(prompts, "abc", model.tokenizer)
    assert abs(metric(model(three_names.tokens)[:, -1]).mean()) < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_io_above_s_in_sentences_that_are_not_in_the_stories(shipped_model, seed):
    model = shipped_model("ioi-gpt2")
    prompts = make_prompts(model.tokenizer, 128, seed=seed, templates=UNSEEN_TEMPLATES)
    clean = logit_diff(model(prompts.tokens)[:, -1], prompts.io_token, prompts.s_token)
    assert (clean > 0).float().mean() >= 0.85
    assert clean[prompts.abba].mean() >= 2.5 and clean[~prompts.abba].mean() >= 2.5


def roles(model, prompts) -> list[list[Head]]:
    """Name movers, which attend to IO and copy, and heads that attend from END to S2."""
    attention, copying = end_attention(model, prompts), name_copy_scores(model, prompts)
    masks = ((attention[..., 0] >= 0.4) & (copying >= 0.8), attention[..., 2] >= 0.5)
    return [[Head(*index) for index in mask.nonzero().tolist()] for mask in masks]


def test_name_movers_exist_and_heads_that_move_s_information_are_needed(ioi):
    model, prompts, metric = ioi
    movers, s_heads = roles(model, prompts)
    assert movers and s_heads
    three_names = corrupted(prompts, "abc", model.tokenizer).tokens
    ablated = ablate(model, prompts.tokens, s_heads, metric, "by template", three_names, prompts.template)
    assert ablated.mean() <= 0.5 * metric(model(prompts.tokens)[:, -1]).mean()


def test_eight_heads_carry_the_circuit(ioi):
    model, prompts, metric = ioi
    _, s_heads = roles(model, prompts)
    name_moving = end_attention(model, prompts)[..., 0] * name_copy_scores(model, prompts)
    best = name_moving.flatten().topk(8 - len(s_heads)).indices.tolist()
    circuit = [*s_heads, *(Head(*divmod(head, model.cfg.n_heads)) for head in best)]
    means = head_means(model, corrupted(prompts, "abc", model.tokenizer).tokens, prompts.template)
    shape = (model.cfg.n_layers, model.cfg.n_heads, *prompts.tokens.shape)
    keep = circuit_mask(circuit, prompts.end_pos.expand(len(circuit), -1), shape)
    assert faithfulness(model, prompts.tokens, keep, means, metric) >= 0.8


def test_the_ioi_model_is_small():
    assert sum(file.stat().st_size for file in (DATA / "ioi-gpt2").iterdir()) <= 16e6
