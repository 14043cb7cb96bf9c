"""Answers that learners of lesson 0 may well give."""

import math

import torch

from helpers import exercises

# 0.1 in the ways of people who do not know einops ---------------------------------------------------------------------


def by_permute(q, k, *, scale=True, mask="before", dim=-1, divide_by=None, fill=-math.inf, diagonal=1):
    q, k = q.permute(1, 0, 2), k.permute(1, 0, 2)
    scores = torch.bmm(q, k.transpose(1, 2))
    scores = scores / (divide_by or math.sqrt(q.shape[2])) if scale else scores
    future = torch.ones(scores.shape[1:]).triu(diagonal).bool()
    if mask == "before":
        scores = torch.where(future, torch.tensor(fill), scores)
    if mask == "past":
        scores = torch.where(future.T, torch.tensor(fill), scores)
    weights = torch.softmax(scores, dim=dim)
    return torch.where(future, torch.tensor(0.0), weights) if mask == "after" else weights


def scaled_by_d_model(q, k):  # √(heads × d_head) instead of √d_head
    return by_permute(q, k, divide_by=math.sqrt(q.shape[1] * q.shape[2]))


def masked_at(fill):
    return lambda q, k: by_permute(q, k, fill=fill)


def reshaped(q, k):  # axes named anew, numbers left where they are
    n, heads, d_head = q.shape
    scores = q.reshape(heads, n, d_head) @ k.reshape(heads, n, d_head).mT / d_head**0.5
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), -math.inf).softmax(-1)


def by_query(q, k):
    pattern = torch.zeros(q.shape[1], len(q), len(k))
    for head in range(q.shape[1]):
        for i in range(len(q)):
            pattern[head, i, : i + 1] = (k[: i + 1, head] @ q[i, head] / q.shape[2] ** 0.5).softmax(0)
    return pattern


def by_largest_score(q, k, dim=-1):  # in double precision
    scores = torch.einsum("qhd,khd->hqk", q.double(), k.double()) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~torch.ones(len(q), len(k)).tril().bool(), -1e9)
    weights = (scores - scores.amax(dim, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True)


def by_exp(q, k, shift=lambda scores: 0):
    scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
    weights = (scores - shift(scores)).exp().tril()
    return weights / weights.sum(-1, keepdim=True)


def renormalised(q, k):
    weights = by_permute(q, k, mask="after")
    return weights / weights.sum(-1, keepdim=True)


def shifted_by_the_largest_of_all(q, k):
    scores = torch.einsum("qhd,khd->hqk", q, k) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~torch.ones(len(q), len(k)).tril().bool(), -math.inf)
    weights = (scores - scores.max()).exp()
    return weights / weights.sum(-1, keepdim=True)


ATTENTION_PATTERN = {
    "scale missing": lambda q, k: by_permute(q, k, scale=False),
    "scale is d_head": lambda q, k: by_permute(q, k, divide_by=q.shape[-1]),
    "softmax over the query axis": lambda q, k: by_permute(q, k, dim=1),
    "softmax over the head axis": lambda q, k: by_permute(q, k, dim=0).nan_to_num(),
    "mask missing": lambda q, k: by_permute(q, k, mask=None),
    "mask on the wrong side": lambda q, k: by_permute(q, k, mask="past"),
    "masked with a finite number": [masked_at(0.0), masked_at(-100.0), masked_at(-300.0)],
    "mask after the softmax": lambda q, k: by_permute(q, k, mask="after"),
    "mask hides the query itself": [
        lambda q, k: by_permute(q, k, diagonal=0),
        lambda q, k: by_permute(q, k, diagonal=0).nan_to_num(),
    ],
    "mask begins too late": lambda q, k: by_permute(q, k, diagonal=2),
    "multiplied by √d_head": lambda q, k: by_permute(q, k, divide_by=q.shape[2] ** -0.5),
    "scale is √n_heads": lambda q, k: by_permute(q, k, divide_by=q.shape[1] ** 0.5),
    "q and k swapped": lambda q, k: by_permute(k, q),
    "softmax missing": [
        lambda q, k: torch.einsum("qhd,khd->hqk", q / q.shape[-1] ** 0.5, k),
        lambda q, k: (
            torch.einsum("qhd,khd->hqk", q / q.shape[-1] ** 0.5, k)
            + torch.full((len(q), len(q)), -math.inf).triu(1)
        ),
    ],
    "reshape instead of transpose": reshaped,
    "wrong values": scaled_by_d_model,
    "overflow": by_exp,
    "a row of zeros": [
        renormalised,
        shifted_by_the_largest_of_all,
        lambda q, k: by_exp(q, k, lambda scores: scores.amax(-1, keepdim=True)),
    ],
}

# 0.2 with add_hook and other hook points ------------------------------------------------------------------------------


def hooked(model, tokens, name, edit):
    shapes = []

    def hook(activation, hook):
        shapes.append(activation.shape)
        return edit(activation)

    return model.run_with_hooks(tokens, fwd_hooks=[(name, hook)]), shapes


def times_mask(part):
    def edit(z, head):
        keep = torch.ones_like(z)
        keep[part(head)] = 0
        return z * keep

    return lambda model, tokens, layer, head: hooked(
        model, tokens, f"blocks.{layer}.attn.hook_z", lambda z: edit(z, head)
    )


def forgets_to_return(model, tokens, layer, head):
    return hooked(model, tokens, f"blocks.{layer}.attn.hook_z", lambda z: (z * 0, None)[1])


def edits_the_scores(model, tokens, layer, head):
    def edit(scores):
        scores[:, head] = 0
        return scores

    return hooked(model, tokens, f"blocks.{layer}.attn.hook_attn_scores", edit)


def leaves_a_hook_of_torch(model, tokens, layer, head):
    shapes = []

    def zero(module, inputs):
        z = inputs[0].unflatten(-1, (model.cfg.n_heads, -1)).clone()
        shapes.append(z.shape)
        z[:, :, head] = 0
        return z.flatten(-2)

    model.blocks[layer].attn.o.original_component.register_forward_pre_hook(zero)
    return model(tokens), shapes


def adds_a_hook_and_leaves_it(model, tokens, layer, head):
    shapes = []

    def zero(z, hook):
        shapes.append(z.shape)
        z[:, :, head] = 0
        return z

    model.add_hook(f"blocks.{layer}.attn.hook_z", zero)
    return model(tokens), shapes


def never_runs_the_model_with_it(model, tokens, layer, head):
    return model(tokens), []


def invents_the_record(model, tokens, layer, head):
    logits, _ = exercises.get("0.2").reference(model, tokens, layer, head)
    return logits, [1]


def edits_the_cache(model, tokens, layer, head):
    logits, cache = model.run_with_cache(tokens)
    z = cache[f"blocks.{layer}.attn.hook_z"]
    z[:, :, head] = 0
    return logits, [z.shape]


def compares_the_name(model, tokens, layer, head):
    shapes = []

    def zero(z, hook):
        if hook.name == f"blocks.{layer}.attn.hook_z":  # it is blocks.{layer}.attn.o.hook_in there
            shapes.append(z.shape)
            z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(lambda name: name.endswith("hook_z"), zero)]), shapes


def zero_in(name):
    def ablate(model, tokens, layer, head):
        def edit(activation):
            activation = activation.clone()
            activation[:, :, head] = 0
            return activation

        return hooked(model, tokens, f"blocks.{layer}.attn.hook_{name}", edit)

    return ablate


def runs_the_model_without_it_first(model, tokens, layer, head):
    model(tokens)
    return exercises.get("0.2").reference(model, tokens, layer, head)


def of_the_logits(function):
    def ablate(model, tokens, layer, head):
        logits, shapes = exercises.get("0.2").reference(model, tokens, layer, head)
        return function(logits), shapes

    return ablate


def returns_logits_only(model, tokens, layer, head):
    return exercises.get("0.2").reference(model, tokens, layer, head)[0]


def ablates_the_values_of_one_position(model, tokens, layer, head):
    def edit(v):
        v[:, -1, head] = 0
        return v

    return hooked(model, tokens, f"blocks.{layer}.attn.hook_v", edit)


def records(entry):
    def ablate(model, tokens, layer, head):
        shapes = []

        def zero(z, hook):
            shapes.append(entry(z))
            z[:, :, head] = 0

        with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)]):
            return model(tokens), shapes

    return ablate


def resets_its_hooks(model, tokens, layer, head):
    logits, shapes = adds_a_hook_and_leaves_it(model, tokens, layer, head)
    model.reset_hooks()
    return logits, shapes


def mean_over_the_batch(model, tokens, layer, head):
    def edit(z):
        z[:, :, head] = z[:, :, head].mean(0, keepdim=True).mean(1, keepdim=True)
        return z

    return hooked(model, tokens, f"blocks.{layer}.attn.hook_z", edit)


ABLATE_HEAD = {
    "ablated a position": times_mask(lambda head: (slice(None), head)),
    "ablated a coordinate": times_mask(lambda head: (..., head)),
    "ablated the whole layer": times_mask(lambda head: ...),
    "another head": times_mask(lambda head: (slice(None), slice(None), head - 1)),
    "another layer": lambda model, tokens, layer, head: records(lambda z: z.shape)(
        model, tokens, 1 - layer, head
    ),
    "mean ablation": mean_over_the_batch,
    "only the last position": times_mask(lambda head: (slice(None), -1, head)),
    "the other heads ablated": times_mask(
        lambda head: (slice(None), slice(None), [other for other in range(3) if other != head])
    ),
    "another activation": [zero_in("q"), zero_in("k")],
    "not logits": [
        of_the_logits(lambda logits: logits.softmax(-1)),
        of_the_logits(lambda logits: logits.log_softmax(-1)),
    ],
    "no effect": [forgets_to_return, edits_the_cache],
    "depends on too much": edits_the_scores,
    "hook left behind": [adds_a_hook_and_leaves_it, leaves_a_hook_of_torch],
    "the hook never fired": [never_runs_the_model_with_it, compares_the_name],
    "wrong record": [invents_the_record, records(lambda z: z), records(lambda z: z.ndim)],
    "wrong type": returns_logits_only,
    "wrong values": ablates_the_values_of_one_position,
}

# 0.3 with loops and masks ---------------------------------------------------------------------------------------------


def by_loop(patterns, offset=1, reduce="mean"):
    n = patterns.shape[-1]
    entries = torch.stack([patterns[..., i, i - offset] for i in range(offset, n)], dim=-1)
    return {
        "mean": entries.mean(-1),
        "sum": entries.sum(-1),
        "max": entries.amax(-1),
        "n": entries.sum(-1) / n,
    }[reduce]


PREVIOUS_TOKEN_SCORE = {
    "current token": lambda p: by_loop(p, offset=0),
    "next token": lambda p: torch.stack([p[..., i, i + 1] for i in range(p.shape[-1] - 1)], -1).mean(-1),
    "off by one": lambda p: by_loop(p, offset=2),
    "sum instead of mean": lambda p: by_loop(p, reduce="sum"),
    "divided by the length": lambda p: by_loop(p, reduce="n"),
    "maximum instead of mean": lambda p: by_loop(p, reduce="max"),
    "first query wraps round": [
        lambda p: sum(p[..., i, i - 1] for i in range(p.shape[-1])) / p.shape[-1],
        lambda p: sum(p[..., i, i - 1] for i in range(p.shape[-1])) / (p.shape[-1] - 1),
    ],
    "second query left out": lambda p: torch.diagonal(p, -1, 2, 3)[..., 1:].mean(-1),
    "last query left out": lambda p: torch.diagonal(p, -1, 2, 3)[..., :-1].mean(-1),
    "any earlier token": lambda p: torch.stack(
        [p[..., i, :i].sum(-1) for i in range(1, p.shape[-1])], -1
    ).mean(-1),
    "diagonal of other axes": lambda p: torch.diagonal(p, -1).mean(-1),
    "axes swapped": lambda p: by_loop(p).transpose(0, 1),
    "mean over layer": lambda p: by_loop(p).mean(0),
}

WRONG = {"0.1": ATTENTION_PATTERN, "0.2": ABLATE_HEAD, "0.3": PREVIOUS_TOKEN_SCORE}
RIGHT = {
    "0.1": [by_permute, by_query, by_largest_score],
    "0.2": [
        times_mask(lambda head: (slice(None), slice(None), head)),
        records(lambda z: list(z.shape)),
        records(lambda z: tuple(z.shape)),
        resets_its_hooks,
        runs_the_model_without_it_first,
        zero_in("z"),
    ],
    "0.3": [by_loop, lambda p: torch.einsum("lhii->lhi", p[:, :, 1:, :-1]).double().mean(-1)],
}
