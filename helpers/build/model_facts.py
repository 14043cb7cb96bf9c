"""The circuit facts of the shipped models: what its card states, what training records, what the tests assert."""

from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.build import gpt2
from helpers.circuits import eigenvalue_copying_score, full_OV
from helpers.heads import induction_score, previous_token_score
from helpers.ioi import (
    TEMPLATES,
    UNSEEN_TEMPLATES,
    corrupted,
    end_attention,
    logit_diff,
    make_prompts,
    name_copy_scores,
)
from helpers.sequences import repeated_tokens, second_copy_gain
from helpers.statistics import rank_correlation


def patterns(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int
) -> Float[Tensor, "head batch query key"]:
    """Attention patterns of one layer, heads first."""
    name = f"blocks.{layer}.attn.hook_pattern"
    return model.run_with_cache(tokens, names_filter=name)[1][name].transpose(0, 1)


def _induction_without(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], head: int
) -> Float[Tensor, " head"]:
    """Induction scores of layer 1 with layer-0 head ``head`` zero-ablated."""
    kept = {}

    def zero(z, hook):
        z[:, :, head] = 0
        return z

    def keep(pattern, hook):
        kept["pattern"] = pattern

    hooks = [("blocks.0.attn.hook_z", zero), ("blocks.1.attn.hook_pattern", keep)]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return induction_score(kept["pattern"], period=(tokens.shape[1] - 1) // 2).mean(dim=0)


def progress(model: TransformerBridge, held_out: Int[Tensor, "batch pos"], seed: int = 0) -> dict:
    """What training records as it goes: losses in nats a token, scores between 0 and 1."""
    tokens = repeated_tokens(model, seed=seed)
    period = (tokens.shape[1] - 1) // 2
    record = {
        "loss": model(held_out, return_type="loss").item(),
        "second_copy_gain": second_copy_gain(model, tokens).item(),
    }
    if model.cfg.n_layers > 0:
        record["previous_token_score"] = previous_token_score(patterns(model, tokens, 0)).mean(dim=1).tolist()
        record["induction_score"] = (
            induction_score(patterns(model, tokens, model.cfg.n_layers - 1), period).mean(dim=1).tolist()
        )
    if model.cfg.n_layers == 2:
        record["k_composition"] = model.all_composition_scores("K").scores[0, :, 1].tolist()
    return record


def two_layer_facts(model: TransformerBridge, seed: int = 0) -> dict:
    """The induction circuit of a two-layer model, found by measurement.

    ``ablation_drop``: for each layer-0 head, the share of the induction head's score that goes when it is zero-ablated.
    """
    tokens = repeated_tokens(model, batch=32, seed=seed)
    period = (tokens.shape[1] - 1) // 2
    previous = previous_token_score(patterns(model, tokens, 0)).mean(dim=1)
    induction = induction_score(patterns(model, tokens, 1), period).mean(dim=1)
    head = induction.argmax().item()
    k_composition = model.all_composition_scores("K").scores[0, :, 1, head]
    without = torch.stack([_induction_without(model, tokens, h)[head] for h in range(model.cfg.n_heads)])
    return {
        "previous_token_head": f"0.{previous.argmax()}",
        "previous_token_score": previous.tolist(),
        "induction_head": f"1.{head}",
        "induction_score": induction.tolist(),
        "second_copy_gain": second_copy_gain(model, tokens).item(),
        "k_composition": k_composition.tolist(),
        "random_composition": model.cfg.d_model**-0.5,
        "ablation_drop": (1 - without / induction[head]).tolist(),
        "eigenvalue_copying_score": [
            eigenvalue_copying_score(full_OV(model, 1, h)).item() for h in range(model.cfg.n_heads)
        ],
    }


def bigram_correlation(model: TransformerBridge, text: Int[Tensor, " token"], least: int = 20) -> dict:
    """Spearman rank correlation of log P(b | a) in the corpus with the model's, over pairs seen at least ``least`` times.

    The model's is read after a lone token: for a zero-layer model the logits are W_E W_U (Elhage et al. 2021).
    """
    d_vocab = model.cfg.d_vocab
    counts = torch.bincount(text[:-1].long() * d_vocab + text[1:].long(), minlength=d_vocab**2).view(
        d_vocab, d_vocab
    )
    seen = counts >= least
    corpus = (counts / counts.sum(1, keepdim=True).clamp(min=1)).log()[seen]
    predicted = (model.W_E @ model.W_U).log_softmax(-1)[seen]
    return {"pairs": seen.sum().item(), "spearman": rank_correlation(corpus, predicted).item()}


def ioi_progress(model: TransformerBridge, books: Int[Tensor, "batch pos"], seed: int = 0) -> dict:
    """What the training of ``ioi-gpt2`` records: losses in nats a token on held-out books and stories, and how it does the task.

    ``seen``: templates of the training stories with names never told with them; ``unseen``: templates that are not among them.
    """
    recipe = gpt2.Recipe(tokens=0, n_ctx=books.shape[1], seed=seed + 1_000_000, story_count=300)
    told = torch.stack(list(islice(gpt2.story_rows(model.tokenizer, recipe), 64)))
    record = {
        "loss": model(books, return_type="loss").item(),
        "story_loss": model(told, return_type="loss").item(),
    }
    for name, templates in (("seen", TEMPLATES), ("unseen", UNSEEN_TEMPLATES)):
        given = make_prompts(model.tokenizer, 128, seed=seed, templates=templates)
        found = logit_diff(model(given.tokens)[:, -1], given.io_token, given.s_token)
        nobody = corrupted(given, "abc", model.tokenizer, seed=seed)
        record[name] = {
            "accuracy": (found > 0).float().mean().item(),
            "logit_diff_abba": found[given.abba].mean().item(),
            "logit_diff_baba": found[~given.abba].mean().item(),
            "logit_diff_abc": logit_diff(model(nobody.tokens)[:, -1], given.io_token, given.s_token)
            .mean()
            .item(),
        }
    attention, copying = end_attention(model, given)[..., 0], name_copy_scores(model, given)
    record["end_to_io"] = attention.flatten().tolist()  # [layer head], of the unseen templates
    record["name_copy_score"] = copying.flatten().tolist()
    return record
