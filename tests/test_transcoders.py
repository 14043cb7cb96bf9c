"""The transcoder against its definition, and its figures on text that it was not trained on."""

import json
from itertools import islice

import pytest
import torch

from helpers import transcoders
from helpers.build.gpt2 import story_rows
from helpers.exercises.inputs import generator
from helpers.hub import ModelError
from helpers.models import DATA
from helpers.transcoders import (
    Transcoder,
    live_features,
    load_transcoder,
    loss_recovered,
    mlp_in_and_out,
    transcode,
    variance_explained,
)


@pytest.fixture(scope="module")
def stories(shipped_model):
    """Rows of stories of another seed than those of training and of the card."""
    rows = story_rows(shipped_model("ioi-gpt2").tokenizer, 128, seed=2_000_000, story_count=100)
    return torch.stack(list(islice(rows, 16)))


def test_few_features_are_active_and_their_decoder_rows_sum_to_the_output():
    x, W_enc, W_dec = (torch.randn(sizes, generator=generator(0)) for sizes in ((6, 4), (4, 9), (9, 4)))
    features, output = transcode(x, W_enc, torch.zeros(9), W_dec, torch.ones(4), k=3)
    assert ((features > 0).sum(dim=1) <= 3).all() and (features >= 0).all()
    expected = [sum(a * row for a, row in zip(active, W_dec)) + 1 for active in features]
    torch.testing.assert_close(output, torch.stack(expected))


def test_a_transcoder_takes_any_number_of_axes():
    weights = (torch.randn(4, 9, generator=generator(0)), torch.zeros(9), torch.ones(9, 4), torch.ones(4))
    transcoder, x = Transcoder(0, 2, *weights), torch.randn(3, 5, 4, generator=generator(1))
    features, output = transcoder(x)
    assert features.shape == (3, 5, 9) and output.shape == (3, 5, 4)
    torch.testing.assert_close(transcoder(x[1, 2:3])[1], output[1, 2:3])


def test_the_shipped_transcoder_replaces_the_mlp_on_new_stories(shipped_model, stories):
    model, transcoder = shipped_model("ioi-gpt2"), load_transcoder()
    x, mlp_out = mlp_in_and_out(model, stories, transcoder.layer)
    features, output = transcoder(x)
    record = json.loads((DATA / "ioi-gpt2/transcoder.json").read_text(encoding="utf-8"))
    explained, recovered = variance_explained(mlp_out, output), loss_recovered(model, stories, 0, output)
    assert explained.item() == pytest.approx(record["variance_explained"], abs=0.01) and explained > 0.9
    assert recovered == pytest.approx(record["loss_recovered"], abs=0.01) and recovered > 0.98
    assert live_features(features).sum() > 0.8 * len(transcoder.b_enc)
    shuffled = features[..., torch.randperm(features.shape[-1], generator=generator(0))]
    control = shuffled @ transcoder.W_dec + transcoder.b_dec
    assert variance_explained(mlp_out, control) < 0.1 and loss_recovered(model, stories, 0, control) < 0.5


def test_the_shipped_transcoder_is_small():
    assert (DATA / "ioi-gpt2" / transcoders.TRANSCODER_FILE).stat().st_size < 2.5e6


def test_what_the_mlp_reads_and_writes(gpt2):
    tokens = torch.tensor([[3, 1, 4, 1, 5]])
    for layer in range(gpt2.cfg.n_layers):
        x, mlp_out = mlp_in_and_out(gpt2, tokens, layer)
        torch.testing.assert_close(gpt2.blocks[layer].mlp.original_component(x), mlp_out)


def test_variance_explained_is_1_for_the_target_and_0_for_its_mean():
    target = torch.randn(3, 5, 4, generator=generator(0))
    assert variance_explained(target, target) == 1
    mean = target.mean(dim=(0, 1)).expand_as(target)
    assert variance_explained(target, mean).item() == pytest.approx(0, abs=1e-6)
    assert variance_explained(target, -target) < 0


def test_loss_recovered_is_1_for_the_mlp_and_0_for_its_mean(shipped_model, stories):
    model = shipped_model("ioi-gpt2")
    mlp_out = mlp_in_and_out(model, stories, 0)[1]
    assert loss_recovered(model, stories, 0, mlp_out) == pytest.approx(1, abs=1e-4)
    mean = mlp_out.mean(dim=(0, 1)).expand_as(mlp_out)
    assert loss_recovered(model, stories, 0, mean) == pytest.approx(0, abs=1e-4)


def test_a_model_without_a_transcoder_is_named():
    with pytest.raises(ModelError, match=r"expected a model with a transcoder \(ioi-gpt2\), got 'attn-on"):
        load_transcoder("attn-only-2l")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(transcoders, "DATA", tmp_path)
    (tmp_path / "ioi-gpt2").mkdir()
    for content in (None, b"not these"):
        if content:
            (tmp_path / "ioi-gpt2" / transcoders.TRANSCODER_FILE).write_bytes(content)
        with pytest.raises(ModelError, match=r"missing or damaged\. Restore it with `git checkout -- data/"):
            load_transcoder()
