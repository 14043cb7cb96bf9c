"""The recipe that makes the shipped models, at a size that trains in seconds."""

import json
import re
import shutil
from itertools import islice

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from helpers.build import gpt2, symbolic
from helpers.build.attn_only import Recipe, batches
from helpers.build.corpus import WORDS, encode, read_books, train_tokenizer
from helpers.build.loop import learning_rate, train
from helpers.build.model_facts import bigram_correlation
from helpers.ioi import HELD_OUT, NAMES
from helpers.models import DATA
from helpers.shortformer import ShortformerModel, initialise, sinusoids
from helpers.stories import EVENTS, WOMEN, stories

TINY = Recipe(
    n_layers=1, tokens=48_000, n_heads=2, d_head=8, d_model=16, n_ctx=40, d_vocab=50, batch=4,
    position_directions=8, span_lengths=(4, 12), warmup_steps=10,
)  # fmt: skip


@pytest.fixture
def corpus(tmp_path):
    words = [word for group in WORDS.values() for word in group]
    generator = torch.Generator().manual_seed(0)
    for book in range(8):
        picks = torch.randint(len(words), (6000,), generator=generator).tolist()
        (tmp_path / f"book{book}.txt").write_text(" ".join(f"the {words[i]}" for i in picks))
    return tmp_path


def test_the_tokenizer_knows_the_lessons_words_and_every_byte(corpus):
    training, held_out = read_books(corpus)
    assert len(training) + len(held_out) == 8 and held_out and not set(training) & set(held_out)
    tokenizer = train_tokenizer(training, d_vocab=1200)
    for word in [word for group in WORDS.values() for word in group]:
        assert len(tokenizer.encode(f" {word}").ids) == 1
    assert tokenizer.decode(tokenizer.encode("ß 語 🙂").ids) == "ß 語 🙂"
    assert encode(tokenizer, held_out).dtype == "uint16"


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least two .txt files, found 0"):
        read_books(tmp_path)


def test_batches_begin_with_bos_and_repeat_spans_in_the_stated_share():
    text = torch.arange(1, 100_000)  # every token once, so that a repeat is a copied span
    recipe = Recipe(n_layers=1, tokens=0, n_ctx=64, batch=500, repeated=0.3, span_lengths=(4, 20))
    rows = next(batches(text, recipe, bos=0))
    assert rows.shape == (500, 64) and (rows[:, 0] == 0).all() and (rows[:, 1:] > 0).all()
    repeats = torch.tensor([len(set(row.tolist())) < 64 for row in rows])
    assert repeats.float().mean().item() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(rows, next(batches(text, recipe, bos=0)))  # seeded


def test_positions_start_as_unit_rows_in_few_directions():
    rows = sinusoids(40, 8)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(40))
    model = ShortformerModel(TINY.config())
    initialise(model, TINY)
    assert torch.linalg.matrix_rank(model.pos.weight) == 8


def test_the_learning_rate_warms_up_and_falls_to_five_percent():
    rates = [learning_rate(step, TINY) for step in range(TINY.steps + 1)]
    assert rates[0] < 0.2 * TINY.lr and max(rates) <= TINY.lr and rates[-1] == pytest.approx(0.05 * TINY.lr)


def test_training_learns_and_reports_at_its_checkpoints():
    text = torch.arange(20_000) % 49 + 1  # after n comes n + 1
    losses, seen = [], []

    def on_checkpoint(model, tokens):
        logits = model(text[None, :30])
        losses.append(torch.nn.functional.cross_entropy(logits[0, :-1], text[1:30]).item())
        seen.append(tokens)

    model = ShortformerModel(TINY.config())
    initialise(model, TINY)
    seconds = train(model, model, batches(text, TINY, 0), TINY, on_checkpoint, [0, 4000, 8000], "cpu")
    assert seconds > 0 and seen[0] == 0 and seen[-1] == TINY.steps * 160 and len(seen) == 4
    assert losses[-1] < 0.3 * losses[0]


def test_bigram_correlation_of_a_model_that_knows_the_bigrams():
    class Exact:
        class cfg:
            d_vocab = 5

        W_U = torch.eye(5)

    text = torch.multinomial(
        torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05]),
        20_000,
        replacement=True,
        generator=torch.Generator().manual_seed(0),
    )
    counts = torch.bincount(text[:-1] * 5 + text[1:], minlength=25).view(5, 5)
    Exact.W_E = (counts / counts.sum(1, keepdim=True)).log()
    assert bigram_correlation(Exact, text)["spearman"] == pytest.approx(1)
    Exact.W_E = -Exact.W_E
    assert bigram_correlation(Exact, text)["spearman"] < 0


def test_the_recorded_recipes_are_those_of_the_command():
    from helpers.build.train import RECIPES
    from helpers.models import shipped

    for name in shipped():
        recorded = json.loads((DATA / name / "training.json").read_text())["recipe"]
        assert recorded == json.loads(json.dumps(RECIPES[name].__dict__))


def test_the_command_makes_a_folder_that_loads(corpus, tmp_path, monkeypatch):
    """Tokenizer, then a two-layer model with registry and card, from a folder of texts."""
    from helpers import models
    from helpers.training import __main__ as command
    from helpers.training import card

    data = tmp_path / "data"
    data.mkdir()
    recipe = Recipe(
        n_layers=2, tokens=20_000, n_heads=2, d_head=8, d_model=16, n_ctx=128, d_vocab=1200, batch=4,
        position_directions=8, span_lengths=(4, 30),
    )  # fmt: skip
    for module in (models, command, card):
        monkeypatch.setattr(module, "DATA", data)
    for module in (models, command):
        monkeypatch.setattr(module, "REGISTRY", data / "models.json")
    monkeypatch.setattr(command, "D_VOCAB", 1200)
    monkeypatch.setitem(command.RECIPES, "attn-only-2l", recipe)
    monkeypatch.setitem(command.CHECKPOINTS, "attn-only-2l", [0])
    for name in ("tokenizer", "attn-only-2l"):
        arguments = ["training", name, "--corpus", str(corpus), "--work", str(tmp_path / "work")]
        monkeypatch.setattr("sys.argv", arguments)
        command.main()
    model = models.load_model("attn-only-2l")
    assert model(model.to_tokens("the cat sat")).shape == (1, 4, 1200)
    text = (data / "attn-only-2l/README.md").read_text()
    assert "2 layers, 2 heads a layer, d_model 16" in text and "| K-composition with 1." in text
    assert len(json.loads((data / "attn-only-2l/training.json").read_text())["checkpoints"]) == 2


def test_stories_are_seeded_and_told_in_the_tokens_of_the_lessons():
    told = list(islice(stories(3), 200))
    assert told == list(islice(stories(3), 200)) != list(islice(stories(4), 200))
    text = " ".join(told)
    assert "{" not in text and "None" not in text and "  " not in text
    assert set(NAMES) > WOMEN
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    for story in told[:50]:
        named = [word.strip('.,;"') for word in story.split() if word.strip('.,;"') in NAMES]
        tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(story, add_special_tokens=False))
        assert len(named) == sum(token[1:] in NAMES for token in tokens if token[0] == "Ġ")


def test_held_out_pairs_of_name_and_event_are_never_told():
    told = " ".join(islice(stories(1), 1500))
    for event_number, event in enumerate(EVENTS):
        words = re.escape(event).replace(r"\{A\}", "(\\w+)").replace(r"\{B\}", "(\\w+)")
        pattern = re.compile(re.sub(r"\\\{(place|object)\\\}", r"\\w+", words))
        found = [name for match in pattern.findall(told) for name in match]
        known = {NAMES.index(name) for name in found if name in NAMES}
        assert len(known) > 50 and not any((index + event_number) % HELD_OUT == 0 for index in known), event


def test_rows_of_the_gpt2_recipe_are_stories_in_the_stated_share():
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    recipe = gpt2.Recipe(tokens=0, batch=300, story_count=2000, stories=0.4, repeated=0.0)
    text = torch.full((10_000,), 7)
    rows = next(gpt2.rows(text, tokenizer, recipe))
    assert rows.shape == (300, recipe.n_ctx) and (rows[:, 0] == tokenizer.bos_token_id).all()
    assert (rows[:, 1:] != 7).any(dim=1).float().mean().item() == pytest.approx(0.4, abs=0.1)


def test_the_gpt2_recipe_starts_as_it_says():
    recipe = gpt2.Recipe(tokens=0)
    model = gpt2.initialise(recipe, bos=0)
    assert model.config.n_layer == recipe.n_layers and model.lm_head.weight is model.transformer.wte.weight
    assert torch.linalg.matrix_rank(model.transformer.wpe.weight) <= recipe.position_directions
    torch.testing.assert_close(model.transformer.wpe.weight.norm(dim=1), torch.ones(recipe.n_ctx))


def test_the_command_makes_a_gpt2_that_boots_from_its_folder(corpus, tmp_path, monkeypatch):
    from helpers import models
    from helpers.training import __main__ as command
    from helpers.training import card

    data = tmp_path / "data"
    shutil.copytree(DATA / "tokenizer", data / "tokenizer")
    recipe = gpt2.Recipe(
        tokens=3000, n_layers=2, n_heads=2, d_model=16, d_mlp=24, n_ctx=64, batch=4, story_count=1500,
        position_directions=8, span_lengths=(4, 12),
    )  # fmt: skip
    for module in (models, command, card):
        monkeypatch.setattr(module, "DATA", data)
    for module in (models, command):
        monkeypatch.setattr(module, "REGISTRY", data / "models.json")
    monkeypatch.setitem(command.RECIPES, "ioi-gpt2", recipe)
    monkeypatch.setitem(command.CHECKPOINTS, "ioi-gpt2", [0])
    arguments = ["training", "ioi-gpt2", "--corpus", str(corpus), "--work", str(tmp_path / "work")]
    monkeypatch.setattr("sys.argv", arguments)
    command.main()
    model = models.load_model("ioi-gpt2")
    assert model.cfg.n_layers == 2 and hasattr(model.blocks[0], "mlp")
    assert model(model.to_tokens("Mary and John")).shape[-1] == 3072
    text = (data / "ioi-gpt2/README.md").read_text()
    assert "2 layers, 2 heads a layer" in text and "| unseen |" in text
    records = json.loads((data / "ioi-gpt2/training.json").read_text())["checkpoints"]
    assert len(records) == 2 and len(records[-1]["name_copy_score"]) == 4
    (data / "ioi-gpt2/model.safetensors").write_bytes(b"damaged")
    with pytest.raises(models.ModelError, match="weights of ioi-gpt2 are damaged"):
        models.load_model("ioi-gpt2")


def test_the_smallest_ioi_is_solved_when_a_second_head_joins_and_not_before():
    together, joining = (
        list(symbolic.train(symbolic.symbolic_model(), 700, joins, every=350)) for joins in (0, 400)
    )
    assert together[-1].accuracy < 0.65 and joining[1].accuracy < 0.65
    assert joining[-1].accuracy > 0.98
    tokens, due = symbolic.rows(50, torch.Generator().manual_seed(0))
    assert ((tokens[:, 1:3] == due[:, None]).sum(1) == 1).all() and (tokens[:, 3] != due).all()
    assert (tokens[:, 1:3] == tokens[:, 3:4]).any(1).all()
