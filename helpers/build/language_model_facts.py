"""Facts of a language model for its card: IOI, repeated random tokens, attention sinks.

A fact is a dictionary: label → [value], or [value, control]. tests/test_smollm2.py asserts the
same on another seed.
"""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import ActivationCache
from transformer_lens.model_bridge import TransformerBridge

from helpers import models
from helpers.components import Head, Hook
from helpers.forward import Forward
from helpers.heads import first_token_score, induction_score, previous_token_score
from helpers.hooks import replace_z_hooks
from helpers.ioi import Prompts, corrupted, logit_diff, make_prompts
from helpers.residual import head_logit_attribution, head_outputs
from helpers.sequences import loss_by_position, repeated_tokens

Fact = dict[str, list[float | int]]
TITLES = {  # key of a fact → what it is; the control stands in brackets
    "io_above_s": "IOI: prompts with IO above S",
    "logit_diff": "IOI: logit difference",
    "corruptions": "IOI: logit difference after corruptions (abc, names, third: about 0 by construction)",
    "third_name": "IOI, corruption third: logit difference of the third name",
    "end_to_io": "attention END → IO (END → S1)",
    "end_to_s2": "attention END → S2 (the same position in the corruption third)",
    "s2_to_s1": "attention S2 → S1 (S2 → IO)",
    "s2_to_after_s1": "attention S2 → S1+1 (S2 → IO+1)",
    "after_s1_to_s1": "attention S1+1 → S1 (S1+1 → IO)",
    "attribution": "IOI: direct logit attribution, sums",
    "heads_for_io": "IOI: direct logit attribution, highest (the names of another prompt)",
    "heads_for_s": "IOI: direct logit attribution, lowest (the names of another prompt)",
    "loss": "repeated random tokens: loss in nats per token (the same positions, not repeated)",
    "induction": "repeated random tokens: induction score (not repeated)",
    "previous_token": "repeated random tokens: previous-token score (attention two tokens back)",
    "ablated_loss": "loss of the second copy, highest heads mean-ablated (random heads of their layers)",
    "ablated_induction": "induction score, five previous-token heads mean-ablated (random heads of their layers)",
    "sinks": "English text: heads that give the first token over half of their attention (without BOS)",
    "norms": "English text: norm of the stream at the first token / median elsewhere (without BOS)",
}
PROMPTS, SEQUENCES = 100, 8
TOP = 5
PERIOD = 50
TEXT_LENGTH = 96


@torch.no_grad()
def language_model_facts(
    model: TransformerBridge, seed: int = 0, prompts: int = PROMPTS, sequences: int = SEQUENCES
) -> dict[str, Fact]:
    """Return the facts of ``TITLES``, on IOI prompts, random tokens and the course's passages."""
    facts = _ioi(model, make_prompts(model.tokenizer, prompts, seed, held_out=False))
    facts |= _repetition(model, sequences, seed) | _sinks(model)
    return {
        key: {label: [round(number, 3) for number in numbers] for label, numbers in facts[key].items()}
        for key in TITLES
    }


def _ioi(model: TransformerBridge, prompts: Prompts) -> dict[str, Fact]:
    io_token, s_token, rows = prompts.io_token, prompts.s_token, torch.arange(len(prompts))
    kinds = ("s2", "order", "third", "abc", "names")
    tokens = {kind: corrupted(prompts, kind, model.tokenizer).tokens for kind in kinds}
    logits, cache = model.run_with_cache(prompts.tokens, names_filter=_is_read)
    third_logits, third_cache = model.run_with_cache(tokens["third"], names_filter=_is_read)
    ends = {kind: model(tokens[kind])[:, -1] for kind in kinds if kind != "third"}
    ends["third"] = third_logits[:, -1]
    clean = logit_diff(logits[:, -1], io_token, s_token)
    patterns, third_patterns = _patterns(model, cache), _patterns(model, third_cache)
    third_name = tokens["third"][rows, prompts.s2_pos]

    def attention(query: Tensor, key: Tensor, patterns: Tensor = patterns) -> Float[Tensor, "layer head"]:
        return patterns[:, :, rows, query, key].mean(dim=-1)

    end, io, s1, s2 = prompts.end_pos, prompts.io_pos, prompts.s1_pos, prompts.s2_pos
    z = torch.stack([cache[f"blocks.{layer}.attn.hook_z"][:, -1] for layer in range(model.cfg.n_layers)])
    outputs, scale = head_outputs(z, model.W_O), cache["ln_final.hook_scale"][:, -1, 0]
    names = (model.W_U[:, io_token] - model.W_U[:, s_token]).T
    sizes = head_logit_attribution(outputs, scale, names)
    control = head_logit_attribution(outputs, scale, names.roll(2, dims=0))
    return {
        "io_above_s": {"fraction": [(clean > 0).float().mean().item()]},
        "logit_diff": {"ABBA": _mean(clean[prompts.abba]), "BABA": _mean(clean[~prompts.abba])},
        "corruptions": {kind: _mean(logit_diff(ends[kind], io_token, s_token)) for kind in kinds},
        "third_name": {
            f"over {name}": _mean(logit_diff(ends["third"], third_name, token))
            for name, token in (("IO", io_token), ("S", s_token))
        },
        "end_to_io": _top(attention(end, io), attention(end, s1)),
        "end_to_s2": _top(attention(end, s2), attention(end, s2, third_patterns)),
        "s2_to_s1": _top(attention(s2, s1), attention(s2, io)),
        "s2_to_after_s1": _top(attention(s2, s1 + 1), attention(s2, io + 1)),
        "after_s1_to_s1": _top(attention(s1 + 1, s1), attention(s1 + 1, io)),
        "attribution": {"heads": [sizes.sum().item()], "all": _mean(clean)},
        "heads_for_io": _top(sizes, control),
        "heads_for_s": _top(sizes, control, lowest=True),
    }


def _repetition(model: TransformerBridge, sequences: int, seed: int) -> dict[str, Fact]:
    tokens = repeated_tokens(model, PERIOD, sequences, seed)
    once = repeated_tokens(model, 2 * PERIOD, sequences, seed)[:, : tokens.shape[1]]
    (loss, patterns), (once_loss, once_patterns) = (_losses_and_patterns(model, x) for x in (tokens, once))
    induction, previous = _induction(patterns), previous_token_score(patterns).mean(dim=-1)
    two_back = patterns.diagonal(-2, dim1=-2, dim2=-1).mean(dim=(-1, -2))

    others = repeated_tokens(model, PERIOD, sequences, seed + 1000)
    means = [z.mean(dim=0, keepdim=True) for z in Forward(model).run(others).z]
    highest, senders = _ranked(induction)[:20], _ranked(previous)[:TOP]
    choose, ablated_loss = random.Random(seed).sample, {}
    for heads in (*(highest[:count] for count in (1, 3, 5, 10)), senders):
        free = {Head(layer, head) for layer, _ in heads for head in range(model.cfg.n_heads)}
        controls = choose(sorted(free.difference(highest, senders)), len(heads))
        runs = [
            _losses_and_patterns(model, tokens, replace_z_hooks(ablated, means))
            for ablated in (heads, controls)
        ]
        label = f"{len(heads)} {'previous-token' if heads is senders else 'induction'}"
        ablated_loss[label] = [run_loss[PERIOD:].mean().item() for run_loss, _ in runs]
        scores = [_induction(run_patterns) for _, run_patterns in runs]  # at the end: without the senders
    return {
        "loss": {
            "first copy": [x[:PERIOD].mean().item() for x in (loss, once_loss)],
            "second copy": [x[PERIOD:].mean().item() for x in (loss, once_loss)],
        },
        "induction": _top(induction, _induction(once_patterns)),
        "previous_token": _top(previous, two_back),
        "ablated_loss": ablated_loss,
        "ablated_induction": {str(head): [score[head].item() for score in scores] for head in highest[:TOP]},
    }


def _sinks(model: TransformerBridge) -> dict[str, Fact]:
    passages = (models.DATA / "passages.txt").read_text(encoding="utf-8").splitlines()
    tokens = torch.cat([model.to_tokens(passage)[:, :TEXT_LENGTH] for passage in passages])
    counts, ratios = [], []
    for text in (tokens, tokens[:, 1:]):
        _, cache = model.run_with_cache(text, names_filter=_is_read)
        scores = first_token_score(_patterns(model, cache)).mean(dim=-1)
        counts.append((scores > 0.5).sum().item())
        streams = [cache[f"blocks.{layer}.hook_resid_pre"] for layer in range(model.cfg.n_layers)]
        norms = torch.stack(streams).norm(dim=-1)  # [layer text pos]
        ratios.append(norms[..., 0].mean(dim=1) / norms[..., 1:].flatten(1).median(dim=1).values)
    return {
        "sinks": {"heads": counts},
        "norms": {
            f"before layer {layer}": [ratio[layer].item() for ratio in ratios]
            for layer in range(5, model.cfg.n_layers, 5)
        },
    }


def _losses_and_patterns(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], hooks: Sequence[Hook] = ()
) -> tuple[Float[Tensor, " predicted"], Float[Tensor, "layer head batch query key"]]:
    with model.hooks(fwd_hooks=list(hooks)):
        logits, cache = model.run_with_cache(tokens, names_filter=_is_read)
    return loss_by_position(logits, tokens), _patterns(model, cache)


def _induction(patterns: Float[Tensor, "layer head batch query key"]) -> Float[Tensor, "layer head"]:
    return induction_score(patterns, PERIOD).mean(dim=-1)


def _is_read(name: str) -> bool:
    return name.endswith(("hook_pattern", "hook_z", "hook_resid_pre")) or name == "ln_final.hook_scale"


def _patterns(
    model: TransformerBridge, cache: ActivationCache
) -> Float[Tensor, "layer head batch query key"]:
    layers = range(model.cfg.n_layers)
    return torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"].transpose(0, 1) for layer in layers])


def _mean(values: Float[Tensor, " prompt"]) -> list[float]:
    return [values.mean().item()]


def _ranked(values: Float[Tensor, "layer head"]) -> list[Head]:
    """All heads, highest value first."""
    order = values.flatten().argsort(descending=True).tolist()
    return [Head(*divmod(index, values.shape[1])) for index in order]


def _top(
    values: Float[Tensor, "layer head"], controls: Float[Tensor, "layer head"], lowest: bool = False
) -> Fact:
    """Value and control of the heads with the highest values, or with the lowest."""
    heads = _ranked(-values if lowest else values)[:TOP]
    return {str(head): [values[head].item(), controls[head].item()] for head in heads}
