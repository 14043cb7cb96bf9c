"""Circuit facts of the shipped models, measured for cards, training records and tests.

Scores are those of Olsson et al. 2022 (induction) and Wang et al. 2022 (IOI).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.circuits import eigenvalue_copying_score, full_OV
from helpers.components import Head, Hook
from helpers.heads import induction_score, previous_token_score
from helpers.hooks import replace_z_hooks
from helpers.ioi import (
    TEMPLATES,
    UNSEEN_TEMPLATES,
    Prompts,
    corrupted,
    end_attention,
    logit_diff,
    make_prompts,
    name_copy_scores,
)
from helpers.models import DATA
from helpers.sequences import repeated_tokens, second_copy_gain
from helpers.statistics import rank_correlation

IOI_PROMPTS = 128
GAIN_SEQUENCES = 256


def progress(model: TransformerBridge, held_out: Int[Tensor, "window pos"]) -> dict:
    """Return the record of an attention-only model in training: losses, and scores per head.

    Losses are in nats per token; scores lie between 0 and 1.
    """
    tokens = repeated_tokens(model)
    record = {
        "loss": model(held_out, return_type="loss").item(),
        "second_copy_gain": second_copy_gain(model, tokens).item(),
    }
    if model.cfg.n_layers > 0:
        record["previous_token_score"] = _previous_token_scores(model, tokens).tolist()
        record["induction_score"] = _induction_scores(model, tokens, model.cfg.n_layers - 1).tolist()
    if model.cfg.n_layers == 2:
        record["k_composition"] = model.all_composition_scores("K").scores[0, :, 1].tolist()
    return record


def two_layer_facts(model: TransformerBridge, seed: int = 0) -> dict:
    """Return measurements of the induction circuit of a two-layer model.

    ``ablation_drop``: for each head of layer 0, the fraction of the induction head's score that is
    lost when that head is zero-ablated.
    """
    tokens = repeated_tokens(model, batch=32, seed=seed)
    heads = range(model.cfg.n_heads)
    previous, induction = _previous_token_scores(model, tokens), _induction_scores(model, tokens, 1)
    head = int(induction.argmax())
    zeros = [torch.zeros(1, 1, model.cfg.n_heads, model.cfg.d_head)]
    ablated = torch.stack(
        [_induction_scores(model, tokens, 1, replace_z_hooks([(0, h)], zeros))[head] for h in heads]
    )
    full_OVs = [full_OV(model, 1, h) for h in heads]
    return {
        "previous_token_head": str(Head(0, int(previous.argmax()))),
        "previous_token_score": previous.tolist(),
        "induction_head": str(Head(1, head)),
        "induction_score": induction.tolist(),
        "second_copy_gain": second_copy_gain(model, tokens).item(),
        "gain_and_error": gain_and_error(model, seed),
        "k_composition": model.all_composition_scores("K").scores[0, :, 1, head].tolist(),
        "random_composition": model.cfg.d_model**-0.5,
        "ablation_drop": (1 - ablated / induction[head]).tolist(),
        "eigenvalue_copying_score": [eigenvalue_copying_score(OV.A, OV.B).item() for OV in full_OVs],
    }


def gain_and_error(model: TransformerBridge, seed: int = 0) -> tuple[float, float]:
    """Return the mean gain on the second copy over 256 sequences, and its standard error.

    In nats per token; the unit of the error is a sequence.
    """
    tokens = repeated_tokens(model, batch=GAIN_SEQUENCES, seed=seed)
    gains = torch.stack([second_copy_gain(model, sequence[None]) for sequence in tokens])
    return gains.mean().item(), (gains.std() / len(gains) ** 0.5).item()


def _previous_token_scores(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, " head"]:
    """Previous-token scores of the heads of layer 0."""
    return previous_token_score(patterns(model, tokens, 0)).mean(dim=1)


def _induction_scores(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int, hooks: Sequence[Hook] = ()
) -> Float[Tensor, " head"]:
    """Induction scores of the heads of a layer under hooks, on tokens of ``repeated_tokens``."""
    with model.hooks(fwd_hooks=list(hooks)):
        pattern = patterns(model, tokens, layer)
    return induction_score(pattern, period=(tokens.shape[1] - 1) // 2).mean(dim=1)


def patterns(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int
) -> Float[Tensor, "head batch query key"]:
    """Attention patterns of one layer, heads first."""
    name = f"blocks.{layer}.attn.hook_pattern"
    return model.run_with_cache(tokens, names_filter=name)[1][name].transpose(0, 1)


def bigram_correlation(model: TransformerBridge, text: Int[Tensor, " token"], min_count: int = 20) -> dict:
    """Rank correlation of  log P(b | a)  in the corpus with the model's, over the pairs a b.

    Spearman's, over pairs that occur ``min_count`` times or more. The model's log-probability is
    that after a alone: for a zero-layer model the logits are  W_E W_U  (Elhage et al. 2021).
    """
    d_vocab = model.cfg.d_vocab
    pairs = text[:-1].long() * d_vocab + text[1:].long()
    counts = torch.bincount(pairs, minlength=d_vocab**2).view(d_vocab, d_vocab)
    frequent = counts >= min_count
    corpus = (counts / counts.sum(1, keepdim=True).clamp(min=1)).log()[frequent]
    predicted = (model.W_E @ model.W_U).log_softmax(-1)[frequent]
    return {"pairs": frequent.sum().item(), "spearman": rank_correlation(corpus, predicted).item()}


def ioi_progress(
    model: TransformerBridge, books: Int[Tensor, "window pos"], stories: Int[Tensor, "row pos"]
) -> dict:
    """Return the record of ``ioi-gpt2`` in training: losses on held-out text, and IOI scores.

    Losses are in nats per token. ``seen``: templates of the training stories, with names that never
    occur with them there. ``unseen``: templates that are not among the stories.
    """
    record = {
        "loss": model(books, return_type="loss").item(),
        "story_loss": model(stories, return_type="loss").item(),
    }
    for key, templates in (("seen", TEMPLATES), ("unseen", UNSEEN_TEMPLATES)):
        prompts = make_prompts(model.tokenizer, IOI_PROMPTS, templates=templates)
        record[key] = _ioi_scores(model, prompts)
    # lists over layers and heads, on the unseen templates
    record["end_to_io"] = end_attention(model, prompts)[..., 0].flatten().tolist()
    record["copy_score"] = name_copy_scores(model, prompts).flatten().tolist()
    return record


def accuracy_by_order(model: TransformerBridge, prompts: int = 16) -> dict:
    """Return how often IO is above S in templates outside the stories: mean and standard error.

    The unit of the error is a template of ``data/unseen_templates.txt``, with ``prompts`` prompts.
    """
    rows = []
    for template in (DATA / "unseen_templates.txt").read_text(encoding="utf-8").splitlines():
        made = make_prompts(model.tokenizer, prompts, templates=[template])
        right = (logit_diff(model(made.tokens)[:, -1], made.io_token, made.s_token) > 0).float()
        rows.append(torch.stack([right.mean(), right[made.abba].mean(), right[~made.abba].mean()]))
    accuracy = torch.stack(rows)  # [template order]
    errors = accuracy.std(dim=0) / len(accuracy) ** 0.5
    measured = zip(accuracy.mean(dim=0).tolist(), errors.tolist())
    return dict(zip(("all", "ABBA", "BABA"), measured)) | {"templates": len(accuracy)}


def _ioi_scores(model: TransformerBridge, prompts: Prompts) -> dict:
    """Accuracy and mean logit differences; ``abc``: after prompts with three different names."""

    def difference(tokens: Int[Tensor, "prompt pos"]) -> Float[Tensor, " prompt"]:
        return logit_diff(model(tokens)[:, -1], prompts.io_token, prompts.s_token)

    clean, three_names = difference(prompts.tokens), corrupted(prompts, "abc", model.tokenizer)
    return {
        "accuracy": (clean > 0).float().mean().item(),
        "logit_diff_abba": clean[prompts.abba].mean().item(),
        "logit_diff_baba": clean[~prompts.abba].mean().item(),
        "logit_diff_abc": difference(three_names.tokens).mean().item(),
    }
