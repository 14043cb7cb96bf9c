"""The data of the line view is what the model computes: attention, logit lens, top outputs, under hooks too."""

import pytest
import torch

from helpers.hooks import patch_hooks
from helpers.line import read_line

TEXTS = [f"When Mary and John went to the store, {name} gave a drink to" for name in ("John", "Mary")]


@pytest.mark.parametrize("name", ["ioi-gpt2", "attn-only-2l"])
def test_the_line_holds_what_the_model_computes(shipped_model, name):
    model = shipped_model(name)
    tokens, last = model.to_tokens(TEXTS[0]), model.cfg.n_layers - 1
    line = read_line(model, tokens, TEXTS[0])
    _, cache = model.run_with_cache(tokens)
    assert line.title == TEXTS[0] and "".join(line.tokens[1:]) == TEXTS[0]
    assert line.patterns.shape == (last + 1, model.cfg.n_heads, *2 * [tokens.shape[1]])
    torch.testing.assert_close(line.patterns[last], cache[f"blocks.{last}.attn.hook_pattern"][0])
    assert len(line.logit_lens) == last + 2
    for (token, probability), row in zip(line.logit_lens[-1], model(tokens)[0].softmax(dim=-1)):
        assert token == model.tokenizer.decode(row.argmax())
        assert probability == pytest.approx(row.max().item(), abs=1e-4)
    stream = cache[f"blocks.{last}.hook_resid_pre"][0, 5]
    logits = stream @ model.W_V[last, 4] @ model.W_O[last, 4] @ model.W_U
    expected = [*logits.topk(2).indices, logits.argmin()]
    assert line.top_outputs[last][4][5] == [model.tokenizer.decode(token) for token in expected]


def test_under_hooks_the_line_is_that_of_the_patched_run(shipped_model):
    model = shipped_model("ioi-gpt2")
    into, source = map(model.to_tokens, TEXTS)
    end = into.shape[1] - 1
    hooks = patch_hooks(model, source, model.cfg.n_layers - 1, "resid", end)
    before, after, other = (
        read_line(model, into),
        read_line(model, into, hooks=hooks),
        read_line(model, source),
    )
    assert after.logit_lens[-2][end] == other.logit_lens[-2][end] != before.logit_lens[-2][end]
    torch.testing.assert_close(after.patterns[:-1], before.patterns[:-1])
    assert not any(point.fwd_hooks for point in model.hook_dict.values())


def test_two_texts_and_a_model_without_layers_are_refused(shipped_model):
    model = shipped_model("attn-only-2l")
    with pytest.raises(ValueError, match="expected one text"):
        read_line(model, model.to_tokens(TEXTS))
    model = shipped_model("attn-only-0l")
    with pytest.raises(
        ValueError, match="expected a model with attention layers, got one that has no layers"
    ):
        read_line(model, model.to_tokens("a"))
