"""The card of a language model: its columns of facts are filled by one command each."""

import json

import pytest
from transformers import LlamaConfig

from helpers.build.language_model_facts import TITLES
from helpers.build.model_cards import language_model_card
from helpers.hub import PUBLIC
from helpers.models import DATA
from tests.hub import in_fresh_python, save_random, serve

NAME = "smollm2-135m"
FILL_THE_HUBS_COLUMN = f"""
import sys
from pathlib import Path
from helpers import models
from helpers.build import model_cards
models.DATA = Path({{data!r}})
sys.argv = ["model_cards", {NAME!r}, "--source", "hub"]
model_cards.main()
"""


def test_the_card_states_the_facts_of_its_file():
    record = json.loads((DATA / NAME / "facts.json").read_text(encoding="utf-8"))
    assert record["4 bits"].keys() == TITLES.keys()
    assert (DATA / NAME / "README.md").read_text(encoding="utf-8") == language_model_card(NAME, record)


def test_a_run_with_the_hubs_weights_fills_their_column_only(tmp_path):
    """The hub stands on this machine; its model is random, with the heads of the real one."""
    data = tmp_path / "data"
    (data / NAME).mkdir(parents=True)
    for file in ("passages.txt", f"{NAME}/facts.json"):
        (data / file).write_bytes((DATA / file).read_bytes())
    before = json.loads((data / NAME / "facts.json").read_text(encoding="utf-8"))
    sizes = dict(num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, hidden_size=36)
    config = LlamaConfig(**sizes, vocab_size=3072, intermediate_size=40, max_position_embeddings=128)
    save_random(tmp_path / PUBLIC[NAME].repo, config)
    with serve(tmp_path) as hub:
        in_fresh_python(FILL_THE_HUBS_COLUMN.format(data=str(data)), hub, tmp_path / "home")
    after = json.loads((data / NAME / "facts.json").read_text(encoding="utf-8"))
    assert after["4 bits"] == before["4 bits"] and after["hub"].keys() == TITLES.keys()
    assert after["hub"]["loss"]["first copy"] == pytest.approx(after["hub"]["loss"]["second copy"], rel=0.2)
    assert len(after["hub"]["end_to_io"]) == 5 and after["sizes"]["d_model"] == 36
    card = (data / NAME / "README.md").read_text(encoding="utf-8")
    assert card == language_model_card(NAME, after) and "not measured" not in card
