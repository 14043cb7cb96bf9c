"""Answers that learners of lesson 5 may well give: each is rejected, with the diagnosis that names its mistake."""

import pytest
import torch
from torch import nn

from tests.wrong_answers import assert_passes, assert_rejected, cases, names

ALL = slice(None)

# 5.1 ------------------------------------------------------------------------------------------------------------------

JOBS = {
    "name mover": "END IO",
    "S-inhibition": "END S2",
    "duplicate token": "S2 S1",
    "previous token": "S1+1 S1",
    "induction": "S2 S1+1",
}


def line(pair=tuple, **changes):
    """Every job's pair, of a plan in words; a change is named by the job's first word."""
    return lambda: {
        job: pair(changes.get(job.replace("-", " ").split()[0], asks).split()) for job, asks in JOBS.items()
    }


PLAN = {
    "asks ahead": [
        line(lambda places: tuple(places[::-1])),
        line(duplicate="S1 S2"),
        line(previous="S1 S1+1"),
        line(induction="S1+1 S2"),
        line(S="S2 END", name="IO END"),
    ],
    "asks itself": [line(duplicate="S2 S2"), line(name="END END"), line(previous="S1 S1")],
    "misplaced: name mover": [line(name="END S1"), line(name="END S2", S="END IO"), line(name="S2 IO")],
    "misplaced: S-inhibition": [line(S="END S1"), line(S="END IO"), line(S="S2 S1"), line(S="END S1+1")],
    "misplaced: duplicate token": [
        line(duplicate="END S2"),
        line(duplicate="S2 IO"),
        line(duplicate="S2 S1+1", induction="S2 S1"),
    ],
    "misplaced: previous token": [
        line(previous="S2 S1+1"),
        line(previous="END S2"),
        line(previous="S2 S1"),
        line(previous="S1 IO"),
    ],
    "misplaced: induction": [line(induction="S2 S1"), line(induction="END S1+1"), line(induction="S2 IO")],
    "wrong jobs": [
        lambda: [tuple(asks.split()) for asks in JOBS.values()],
        lambda: {job: tuple(asks.split()) for job, asks in JOBS.items() if job != "induction"},
        lambda: {job.replace(" ", "_"): tuple(asks.split()) for job, asks in JOBS.items()},
        lambda: {tuple(asks.split()): job for job, asks in JOBS.items()},
    ],
    "unknown place": [
        line(name="END Mary"),
        line(induction="S2 S1-1"),
        line(" ".join),
        line(lambda places: tuple(place.lower() for place in places)),
        lambda: line()() | {"induction": ("S2", "S1", "S1+1")},
    ],
    "not filled in": [
        lambda: dict.fromkeys(JOBS, ("", "")),
        lambda: line()() | {"induction": ("", "")},
    ],
    "returned None": lambda: print(JOBS),
}

# 5.2 ------------------------------------------------------------------------------------------------------------------


def difference(logits, plus, minus, read=lambda logits: logits):
    return torch.stack(
        [read(row)[i] - read(row)[j] for row, i, j in zip(logits, plus.tolist(), minus.tolist())]
    )


DIFF = {
    "sign": lambda logits, io, s: difference(logits, s, io),
    "probabilities instead of logits": lambda logits, io, s: difference(
        logits, io, s, lambda row: row.exp() / row.exp().sum()
    ),
    "every prompt with every name": [
        lambda logits, io, s: logits[:, io] - logits[:, s],
        lambda logits, io, s: logits.index_select(1, io) - logits.index_select(1, s),
    ],
    "averaged over prompts": lambda logits, io, s: difference(logits, io, s).mean(),
    "axis too many": lambda logits, io, s: difference(logits, io, s).reshape(-1, 1),
    "only IO": lambda logits, io, s: logits[range(len(io)), io],
    "first prompt's names": lambda logits, io, s: logits[:, io[0]] - logits[:, s[0]],
    "wrong values": [
        lambda logits, io, s: logits[range(len(s)), s],
        lambda logits, io, s: difference(logits, io, s).abs(),
        lambda logits, io, s: logits[range(len(io)), io] / logits[range(len(s)), s],
        lambda logits, io, s: logits[range(len(io)), io - s],
        lambda logits, io, s: logits.take(io) - logits.take(s),
        lambda logits, io, s: difference(logits, io, s) / logits.std(dim=-1),
        lambda logits, io, s: (difference(logits, io, s) > 0).float(),
    ],
    "wrong shape": [
        lambda logits, io, s: logits[-1, io[-1]] - logits[-1, s[-1]],
        lambda logits, io, s: difference(logits, io, s)[None],
    ],
    "NaN": lambda logits, io, s: difference(logits, io, s).log(),
    "exception": [
        lambda logits, io, s: logits[io] - logits[s],
        lambda logits, io, s: logits.gather(1, io) - logits.gather(1, s),
    ],
}

# 5.3 ------------------------------------------------------------------------------------------------------------------


def attribution(stores, scale, direction, divide=torch.divide, reduce=lambda found: found.mean(2)):
    return reduce(divide((stores * direction).sum(3), scale))


DIRECT = {
    "means of everything before the product": lambda stores, scale, direction: (
        torch.einsum("lhd,d->lh", stores.mean(2), direction.mean(0)) / scale.mean()
    ),
    "means before the product": [
        lambda x, scale, d: (x / scale[:, None]).mean(2) @ d.mean(0),
        lambda x, scale, d: (x / scale[:, None] @ d.T).mean((2, 3)),
    ],
    "without the scale": lambda x, scale, d: attribution(x, 1, d),
    "multiplied by the scale": lambda x, scale, d: attribution(x, scale, d, torch.multiply),
    "summed over prompts": lambda x, scale, d: attribution(x, scale, d, reduce=lambda found: found.sum(2)),
    "one scale for all": lambda x, scale, d: attribution(x, scale.mean(), d),
    "one number a prompt": lambda x, scale, d: attribution(x, scale, d, reduce=lambda found: found),
    "heads summed": [
        lambda x, scale, d: attribution(x, scale, d).sum(1),
        lambda x, scale, d: attribution(x.sum(1, keepdim=True), scale, d)[:, 0],
    ],
    "wrong values": [
        lambda x, scale, d: attribution(nn.functional.layer_norm(x, x.shape[-1:]), 1, d),
        lambda x, scale, d: torch.cosine_similarity(x, d.expand_as(x), -1).mean(2),
        lambda x, scale, d: attribution(x, scale, d / d.norm(dim=1, keepdim=True)),
        lambda x, scale, d: attribution(x, scale**2, d),
        lambda x, scale, d: attribution(x, scale.sqrt(), d),
        lambda x, scale, d: attribution(x, scale, d, reduce=lambda found: found.abs().mean(2)),
        lambda x, scale, d: attribution(x, scale, d[:1]),
        lambda x, scale, d: attribution(x, scale[0], d),
    ],
    "wrong shape": [
        lambda x, scale, d: attribution(x, scale, d).sum(0),
        lambda x, scale, d: attribution(x, scale, d).T,
        lambda x, scale, d: (x * d / scale[:, None]).mean(2),
    ],
    "exception": [
        lambda x, scale, d: attribution(x / scale, 1, d),
        lambda x, scale, d: (x / scale[:, None] @ d).mean(2),
    ],
}

# 5.4 ------------------------------------------------------------------------------------------------------------------


def would_say(stream, W_V, W_O, W_U):
    return torch.stack([((row @ W_V) @ W_O) @ W_U for row in stream])


def hits(logits, tokens, k):
    """1 for each row in which fewer than k tokens stand above the row's own."""
    return [float((row > row[token]).sum() < k) for row, token in zip(logits, tokens)]


def copied(stream, tokens, W_V, W_O, W_U, k):
    return torch.tensor(hits(would_say(stream, W_V, W_O, W_U), tokens, k)).mean()


COPY = {
    "LayerNorm applied": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(would_say((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), V, O, U), tokens, k)
    ).mean(),
    "the stream unembedded as it is": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(x @ U, tokens, k)
    ).mean(),
    "only the highest": [
        lambda x, tokens, V, O, U, k: torch.tensor(hits(would_say(x, V, O, U), tokens, 1)).mean(),
        lambda x, tokens, V, O, U, k: (would_say(x, V, O, U).max(-1).indices == tokens).float().mean(),
    ],
    "the lowest": lambda x, tokens, V, O, U, k: torch.tensor(hits(-would_say(x, V, O, U), tokens, k)).mean(),
    "an empty row counted": lambda x, tokens, V, O, U, k: torch.tensor(
        [0.0, *hits(would_say(x, V, O, U), tokens, k)]
    ).mean(),
    "a count instead of a share": [
        lambda x, tokens, V, O, U, k: sum(hits(would_say(x, V, O, U), tokens, k)),
        lambda x, tokens, V, O, U, k: (would_say(x, V, O, U).topk(k).indices == tokens[:, None]).sum(),
    ],
    "another row's token": lambda x, tokens, V, O, U, k: torch.tensor(
        [
            float(any(token in tokens for token in row.topk(k).indices.tolist()))
            for row in would_say(x, V, O, U)
        ]
    ).mean(),
    "divided by k, too": lambda x, tokens, V, O, U, k: (
        (would_say(x, V, O, U).topk(k).indices == tokens[:, None]).float().mean()
    ),
    "wrong values": [
        lambda x, tokens, V, O, U, k: torch.tensor(hits(would_say(x, V, O, U), tokens, 5)).mean(),
        lambda x, tokens, V, O, U, k: torch.tensor(hits(would_say(x, V, O, U), tokens, k + 1)).mean(),
        lambda x, tokens, V, O, U, k: torch.tensor(hits(would_say(x, V, O, U), tokens, k - 1)).mean(),
        lambda x, tokens, V, O, U, k: torch.tensor(0.375),
        lambda x, tokens, V, O, U, k: 100 * copied(x, tokens, V, O, U, k),
        lambda x, tokens, V, O, U, k: (
            torch.isin(tokens, would_say(x, V, O, U).topk(k).indices).float().mean()
        ),
        lambda x, tokens, V, O, U, k: would_say(x, V, O, U).softmax(-1)[range(len(x)), tokens].mean(),
        lambda x, tokens, V, O, U, k: 1 - copied(x, tokens, V, O, U, k),
    ],
    "wrong shape": lambda x, tokens, V, O, U, k: torch.tensor(hits(would_say(x, V, O, U), tokens, k)),
    "exception": [
        lambda x, tokens, V, O, U, k: (
            (would_say(x, V, O, U).topk(k).indices == tokens).any(-1).float().mean()
        ),
        lambda x, tokens, V, O, U, k: (
            (would_say(x, V, O, U).topk(k).indices == tokens[:, None]).any(-1).mean()
        ),
        lambda x, tokens, V, O, U, k: torch.tensor(hits(x @ O @ V @ U, tokens, k)).mean(),
    ],
}

# 5.5 and 5.6 ----------------------------------------------------------------------------------------------------------


def patched(edit, name="blocks.{}.hook_resid_pre", read=lambda logits, where: logits[:, -1]):
    """``edit(own, other, where)`` returns the changed activation; ``where`` is the position, or the head."""

    def answer(model, into, other, layer, where):
        with model.hooks(fwd_hooks=[(name.format(layer), lambda own, hook: edit(own, other, where))]):
            return read(model(into), where)

    return answer


def put(at, new=lambda own, other: other):
    """Put ``new(own, other)`` in at the index ``at(where)``."""

    def edit(own, other, where):
        own = own.clone()
        own[at(where)] = new(own, other)[at(where)]
        return own

    return edit


def hooked_for_good(name, edit):
    def answer(model, into, other, layer, where):
        model.add_hook(name.format(layer), lambda own, hook: edit(own, other, where))
        return model(into)[:, -1]

    return answer


def taken_over(index):
    """The other way round: the run's own values are written into what was given."""

    def edit(own, other, where):
        keep = own.clone()
        other[index(where)] = own[index(where)]
        return keep

    return edit


def here(position):
    return ALL, position


def of_head(head):
    return ALL, ALL, head


RESID, Z = "blocks.{}.hook_resid_pre", "blocks.{}.attn.hook_z"

STREAM = {
    "every position patched": [patched(lambda own, other, p: other), patched(put(lambda p: ALL))],
    "after the layer": [
        patched(put(here), "blocks.{}.hook_resid_post"),
        lambda model, into, stream, layer, p: patched(put(here))(model, into, stream, layer + 1, p),
    ],
    "added": patched(put(here, torch.add)),
    "the last position patched": patched(put(lambda p: here(-1))),
    "all later positions patched": patched(put(lambda p: here(slice(p, None)))),
    "all earlier positions patched": patched(put(lambda p: here(slice(p + 1)))),
    "a prompt instead of a position": patched(put(lambda p: p)),
    "every position's logits": patched(put(here), read=lambda logits, p: logits),
    "nothing patched": [
        patched(lambda own, other, p: [put(here)(own, other, p), None][1]),
        patched(put(here, lambda own, other: own)),
        lambda model, into, stream, layer, p: model(into).select(1, -1),
    ],
    "logits at the patched position": patched(put(here), read=lambda logits, p: logits[:, p]),
    "wrong values": [
        patched(put(lambda p: here(slice(p)))),
        patched(put(lambda p: (..., p))),
        patched(put(here, lambda own, other: other * 0)),
        patched(put(here, lambda own, other: other[:1].expand_as(other))),
        patched(put(here, lambda own, other: other.mean(0).expand_as(other))),
        patched(put(here), "blocks.{}.hook_attn_out"),
        patched(put(here), read=lambda logits, p: logits[:, -1].log_softmax(-1)),
        lambda model, into, stream, layer, p: model.run_with_hooks(
            into, fwd_hooks=[(RESID.format(i), lambda own, hook: put(here)(own, stream, p)) for i in (0, 1)]
        )[:, -1],
        lambda model, into, stream, layer, p: stream[:, -1] @ model.W_U,
    ],
    "wrong shape": [
        patched(put(here), read=lambda logits, p: logits[-1]),
        patched(put(here), read=lambda logits, p: logits[:, [-1]]),
    ],
    "hook left behind": hooked_for_good(RESID, put(here)),
    "changed its input": patched(taken_over(here)),
    "returned None": patched(put(here), read=lambda logits, p: None),
    "exception": [
        patched(lambda own, other, p: other[:, p]),
        patched(put(here), "blocks.layer.hook_resid_pre"),
        lambda model, into, stream, layer, p: model.run_with_hooks(
            into, fwd_hooks=[(RESID.format(layer), lambda own: put(here)(own, stream, p))]
        )[:, -1],
    ],
}

HEAD = {
    "the whole layer patched": patched(lambda own, other, head: other, Z),
    "a position instead of a head": patched(put(lambda head: (ALL, head)), Z),
    "only at the end": patched(put(lambda head: (ALL, -1, head)), Z),
    "zeroed": patched(put(of_head, lambda own, other: own * 0), Z),
    "mean put in": patched(put(of_head, lambda own, other: other.mean(0).expand_as(other)), Z),
    "every position's logits": patched(put(of_head), Z, lambda logits, head: logits),
    "nothing patched": [
        patched(lambda own, other, head: [put(of_head)(own, other, head), None][1], Z),
        patched(put(of_head, lambda own, other: own), Z),
    ],
    "wrong values": [
        patched(put(lambda head: (..., head)), Z),
        patched(put(lambda head: head), Z),
        patched(put(lambda head: (ALL, 0, head)), Z),
        patched(put(of_head, torch.add), Z),
        patched(put(of_head, torch.subtract), Z),
        patched(put(of_head, lambda own, other: other[:1].expand_as(other)), Z),
        patched(put(of_head, lambda own, other: other.mean(1, keepdim=True).expand_as(other)), Z),
        patched(lambda own, other, head: put(of_head)(other, own, head), Z),
        patched(put(of_head), "blocks.{}.attn.hook_v"),
        patched(put(of_head), Z, lambda logits, head: logits[:, 0]),
        lambda model, into, z, layer, head: patched(put(of_head), Z)(model, into, z, 1 - layer, head),
        lambda model, into, z, layer, head: model.run_with_hooks(
            into,
            fwd_hooks=[(lambda name: name.endswith("hook_z"), lambda own, hook: put(of_head)(own, z, head))],
        )[:, -1],
    ],
    "wrong shape": patched(put(of_head), Z, lambda logits, head: logits[-1]),
    "hook left behind": hooked_for_good(Z, put(of_head)),
    "changed the weights": lambda model, into, z, layer, head: (
        model.blocks[layer].attn.o.weight[:, 5 * head : 5 * head + 5].zero_(),
        model(into)[:, -1],
    )[1],
    "changed its input": patched(taken_over(of_head), Z),
    "exception": [
        patched(lambda own, other, head: other[:, :, head], Z),
        patched(put(of_head), "blocks.{}.attn.hook_pattern"),
        patched(put(of_head), "blocks.{}.hook_z"),
    ],
}

# 5.8 ------------------------------------------------------------------------------------------------------------------


def hidden(scores):
    return scores + torch.full_like(scores, -torch.inf).triu(1)


def shares(scores, dim=-1):
    return scores.exp() / scores.exp().sum(dim, keepdim=True)


def swap(q=("q",), k=("k",), v=("v",), pattern=("q", "k"), hide=hidden, normal=shares, power=-0.5):
    """z with the parts that stand for each of q, k, v and pattern taken from ``other``."""
    asked = dict(q=q, k=k, v=v, pattern=pattern)

    def answer(own, other, part):
        queries, keys, values = ((other if name in asked[part] else own)[name] for name in ("q", "k", "v"))
        return normal(hide(torch.einsum("id,jd->ij", queries, keys) * keys.shape[1] ** power)) @ values

    return answer


def in_place(own, other, part):
    if part == "pattern":
        own["q"], own["k"] = other["q"], other["k"]
    else:
        own[part] = other[part]
    return swap(q=(), k=(), v=(), pattern=())(own, other, part)


def one_side_in_place(own, other, part):
    own["q" if part == "pattern" else part] = other["q" if part == "pattern" else part]
    return swap(q=(), k=(), v=(), pattern=())(own, other, part)


def pattern_forgotten_in_place(own, other, part):
    if part != "pattern":
        own[part] = other[part]
    return swap(q=(), k=(), v=(), pattern=())(own, other, part)


def halves_in_place(own, other, part):
    own["q"] /= 2
    return swap()(own, other, part)


PART = {
    "the wrong run changed": lambda own, other, part: swap()(other, own, part),
    "a pattern of one side": swap(pattern=("q",)),
    "a pattern of the keys alone": swap(pattern=("k",)),
    "future not masked": swap(hide=lambda scores: scores),
    "scale missing": swap(power=0),
    "softmax over queries": swap(normal=lambda scores: shares(scores, 0)),
    "the pattern is left": swap(pattern=()),
    "everything swapped": [
        swap(pattern=("q", "k", "v")),
        lambda own, other, part: swap(pattern=("q", "k", "v"))(own, other, "pattern"),
        lambda own, other, part: swap(pattern=())(other, own, "pattern"),
    ],
    "queries and keys always go together": swap(q=("q", "k"), k=("q", "k")),
    "divided by d_head": swap(power=-1),
    "changed its input": [in_place, one_side_in_place, pattern_forgotten_in_place, halves_in_place],
    "wrong values": [
        swap(power=0.5),
        swap(q=("k",), k=("q",)),
        swap(v=()),
        swap(hide=torch.tril),
        swap(hide=lambda scores: scores + torch.full_like(scores, -torch.inf).tril(-1)),
        swap(hide=lambda scores: scores, normal=lambda scores: shares(scores).tril()),
        swap(hide=torch.tril, normal=lambda scores: scores),
    ],
    "NaN": swap(hide=lambda scores: scores + torch.full_like(scores, -torch.inf).triu(0)),
    "wrong shape": [
        lambda own, other, part: shares(hidden(own["q"] @ other["k"].T)),
        lambda own, other, part: swap()(own, other, part).T,
    ],
    "wrong type": lambda own, other, part: {**own, part: other.get(part)},
    "returned None": lambda own, other, part: None if part == "pattern" else swap()(own, other, part),
    "exception": [
        lambda own, other, part: swap(q=())({**own, part: other[part]}, other, "q"),
        lambda own, other, part: shares(hidden(own["q"] @ other["k"])) @ own["v"],
    ],
}

# 5.7 ------------------------------------------------------------------------------------------------------------------


def moves(*rows):
    """A table of what ``gate`` changes by: "00 10" is from gate(0, 0) to gate(1, 0)."""

    def value(gate, entry):
        before, after = (gate(*map(int, state)) for state in entry.split())
        return after - before

    return lambda gate: torch.tensor([[value(gate, entry) for entry in row] for row in rows])


DENOISE, NOISE = ("00 10", "00 01"), ("11 01", "11 10")
BOTH = {
    "noising and denoising exchanged": moves(NOISE, DENOISE),
    "the other part patched when noising": moves(DENOISE, NOISE[::-1]),
    "the value instead of the change": lambda gate: torch.tensor(
        [[gate(1, 0), gate(0, 1)], [gate(0, 1), gate(1, 0)]]
    ),
    "before minus after": lambda gate: -moves(DENOISE, NOISE)(gate),
    "noising as a loss": moves(DENOISE, ("01 11", "10 11")),
    "parts as rows": lambda gate: torch.stack([moves(DENOISE)(gate)[0], moves(NOISE)(gate)[0]], dim=1),
    "noising taken for denoising backwards": moves(DENOISE, ("10 00", "01 00")),
    "wrong values": [
        moves(DENOISE[::-1], NOISE[::-1]),
        moves(DENOISE, DENOISE),
        moves(("11 10", "11 01"), NOISE),
        moves(DENOISE, ("10 11", "01 11")),
        moves(("00 11", "00 11"), ("11 00", "11 00")),
        moves(("01 11", "10 11"), NOISE),
    ],
    "wrong shape": [moves(DENOISE), lambda gate: moves(DENOISE, NOISE)(gate).flatten()],
    "wrong type": [
        lambda gate: moves(DENOISE, NOISE)(gate).tolist(),
        lambda gate: (moves(DENOISE)(gate)[0], moves(NOISE)(gate)[0]),
    ],
    "exception": lambda gate: moves(DENOISE, NOISE)(gate(1, 1) - gate(0, 0)),
}

# 5.9 ------------------------------------------------------------------------------------------------------------------


def normed(x, dim=-1, centre=True, correction=0):
    if centre:
        x = x - x.mean(dim, keepdim=True)
    return x / (x.square().sum(dim, keepdim=True) / (x.shape[dim] - correction) + 1e-5).sqrt()


def query_of(read):
    return lambda x, old, new, W_Q, b_Q: torch.einsum("pm,md->pd", read(x, old, new), W_Q) + b_Q


def subtracted_in_place(x, old, new, W_Q, b_Q):
    x -= old
    x += new
    return normed(x) @ W_Q + b_Q


PATH = {
    "the old store left in": query_of(lambda x, old, new: normed(x + new)),
    "LayerNorm left out": query_of(lambda x, old, new: x - old + new),
    "LayerNorm of the parts": query_of(lambda x, old, new: normed(x) - normed(old) + normed(new)),
    "LayerNorm of the change": query_of(lambda x, old, new: normed(x) + normed(new - old)),
    "LayerNorm before the change": query_of(lambda x, old, new: normed(x) - old + new),
    "the old mean and scale kept": query_of(
        lambda x, old, new: (
            (x - old + new - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        )
    ),
    "the old scale kept": query_of(
        lambda x, old, new: (
            (x - old + new - (x - old + new).mean(1, keepdim=True))
            / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        )
    ),
    "only the store read": query_of(lambda x, old, new: normed(new)),
    "the wrong way round": query_of(lambda x, old, new: normed(x - new + old)),
    "nothing changed": query_of(lambda x, old, new: normed(x)),
    "bias left out": lambda x, old, new, W_Q, b_Q: normed(x + (new - old)) @ W_Q,
    "wrong values": [
        query_of(lambda x, old, new: normed(x - old) + new),
        query_of(lambda x, old, new: normed(x - old)),
        query_of(lambda x, old, new: normed(new - old)),
        query_of(lambda x, old, new: normed(x - old + new, centre=False)),
        query_of(lambda x, old, new: normed(x - old + new, correction=1)),
        query_of(lambda x, old, new: normed(x - old + new, dim=0)),
        query_of(lambda x, old, new: nn.functional.layer_norm(x - old + new, x.shape)),
        lambda x, old, new, W_Q, b_Q: normed((x - old + new) @ W_Q + b_Q),
        lambda x, old, new, W_Q, b_Q: normed(x - old + new) @ W_Q - b_Q,
    ],
    "wrong shape": [
        lambda x, old, new, W_Q, b_Q: normed(x - old + new),
        lambda x, old, new, W_Q, b_Q: (normed(x - old + new) @ W_Q + b_Q).mean(0),
    ],
    "changed its input": subtracted_in_place,
    "exception": [
        lambda x, old, new, W_Q, b_Q: normed(x - old + new) @ (W_Q + b_Q[:, None]),
        lambda x, old, new, W_Q, b_Q: W_Q @ normed(x - old + new) + b_Q,
    ],
}

# 5.10 -----------------------------------------------------------------------------------------------------------------


def fitted(diffs, *signals):
    """Least squares by the normal equations."""
    A = torch.stack(signals, 1)
    return torch.linalg.inv(A.T @ A) @ (A.T @ diffs)


def one_after_the_other(diffs, first, second):
    a = fitted(diffs, first)
    return torch.cat([a, fitted(diffs - a * first, second)])


SIGNALS = {
    "signals exchanged": lambda d, p, t: fitted(d, t, p),
    "each signal alone": lambda d, p, t: torch.cat([fitted(d, p), fitted(d, t)]),
    "three numbers": lambda d, p, t: fitted(d, p, t, torch.ones(len(d))),
    "with a constant": [
        lambda d, p, t: fitted(d, torch.ones(len(d)), p, t)[1:],
        lambda d, p, t: fitted(d - d.mean(), p - p.mean(), t - t.mean()),
    ],
    "correlations": lambda d, p, t: torch.corrcoef(torch.stack([d, p, t]))[0, 1:],
    "what is fitted": lambda d, p, t: fitted(d, p, t)[0] * p + fitted(d, p, t)[1] * t,
    "wrong values": [
        one_after_the_other,
        lambda d, p, t: one_after_the_other(d, t, p)[[1, 0]],
        lambda d, p, t: torch.stack([d @ p, d @ t]) / len(d),
        lambda d, p, t: torch.stack([d @ p, d @ t]),
        lambda d, p, t: torch.stack([d[p > 0].mean() - d[p < 0].mean(), d[t > 0].mean() - d[t < 0].mean()]),
        lambda d, p, t: torch.stack([(d * p).mean() / p.std(), (d * t).mean() / t.std()]),
        lambda d, p, t: fitted(d, p, t) / fitted(d, p, t).sum(),
    ],
    "wrong shape": [
        lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t], 1), d[:, None]).solution,
        lambda d, p, t: fitted(d, p, t)[0],
        lambda d, p, t: d - fitted(d, p, t)[0] * p,
    ],
    "wrong type": [
        lambda d, p, t: tuple(fitted(d, p, t)),
        lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t], 1), d),
        lambda d, p, t: fitted(d, p, t).tolist(),
    ],
    "exception": [
        lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t]), d).solution,
        lambda d, p, t: torch.linalg.solve(torch.stack([p, t], 1), d),
    ],
}

# 5.11 -----------------------------------------------------------------------------------------------------------------


def template_means(z, groups, mean=lambda members: sum(members) / len(members)):
    """Prompt by prompt: the mean over the prompts m of the same template."""
    return torch.stack([mean([z[m] for m in range(len(z)) if groups[m] == group]) for group in groups])


def averaged_over(*axes):
    """The right means, averaged once more over axes of z."""
    return lambda z, groups: template_means(z, groups).mean(axes, keepdim=True).expand_as(z)


def written_into_z(z, groups):
    for group in set(groups.tolist()):
        z[groups == group] = z[groups == group].mean(0)
    return z


def at_the_templates_number(z, groups):
    means = torch.zeros_like(z)
    for group in groups.unique():
        means[group] = z[groups == group].mean(0)
    return means


TEMPLATE = {
    "one mean for all": [
        lambda z, groups: z.mean(0, keepdim=True).repeat(len(z), 1, 1, 1),
        lambda z, groups: (z.sum(0) / len(z)).expand_as(z),
    ],
    "a row a template": lambda z, groups: torch.stack([z[groups == g].mean(0) for g in range(3)]),
    "sorted by template": lambda z, groups: template_means(z[groups.argsort()], groups.sort().values),
    "the prompt itself left out": lambda z, groups: torch.stack(
        [z[(groups == groups[n]) & (torch.arange(len(z)) != n)].mean(0) for n in range(len(z))]
    ),
    "mean over positions, too": averaged_over(1),
    "a sum instead of a mean": lambda z, groups: template_means(z, groups, mean=sum),
    "heads mixed": averaged_over(2),
    "nothing averaged": [
        lambda z, groups: z,
        lambda z, groups: template_means(z, torch.arange(len(z))),
    ],
    "divided by all prompts": lambda z, groups: template_means(
        z, groups, mean=lambda members: sum(members) / len(z)
    ),
    "wrong values": [
        at_the_templates_number,
        averaged_over(3),
        averaged_over(1, 2),
        lambda z, groups: z - template_means(z, groups),
        lambda z, groups: template_means(z, groups, mean=lambda members: members[0]),
        lambda z, groups: template_means(z, groups, mean=lambda members: torch.stack(members).median(0)[0]),
        lambda z, groups: torch.cat([part.mean(0).expand_as(part) for part in z.split([2, 2, 3])]),
        lambda z, groups: torch.where((groups == 0)[:, None, None, None], template_means(z, groups), 0),
    ],
    "wrong shape": [
        lambda z, groups: z.mean(0, keepdim=True),
        lambda z, groups: torch.cat([z[groups == g].mean(0) for g in groups]),
        lambda z, groups: template_means(z, groups).mean(1),
        lambda z, groups: z[groups].mean(0)[groups],
    ],
    "wrong type": lambda z, groups: {g.item(): z[groups == g].mean(0) for g in groups.unique()},
    "changed its input": written_into_z,
    "exception": [
        lambda z, groups: z.reshape(3, -1, *z.shape[1:]).mean(1),
    ],
}

# 5.12 -----------------------------------------------------------------------------------------------------------------


def share(formula, mean=lambda values: sum(values) / len(values)):
    return lambda circuit, nothing, whole: formula(mean(circuit), mean(nothing), mean(whole))


FAITHFUL = {
    "mean of ratios": lambda c, n, w: sum((c[i] - n[i]) / (w[i] - n[i]) for i in range(len(c))) / len(c),
    "not measured from nothing": share(lambda c, n, w: c / w),
    "nothing subtracted once": share(lambda c, n, w: (c - n) / w),
    "what is missing": [
        share(lambda c, n, w: (w - c) / (w - n)),
        share(lambda c, n, w: 1 - (c - n) / (w - n)),
    ],
    "cut off": [
        share(lambda c, n, w: ((c - n) / (w - n)).clamp(min=0)),
        share(lambda c, n, w: ((c - n) / (w - n)).clamp(max=1)),
        share(lambda c, n, w: min(max((c - n) / (w - n), 0), 1) + 0 * c),
    ],
    "a difference instead of a share": share(lambda c, n, w: c - n),
    "wrong values": [
        share(lambda c, n, w: abs((c - n) / (w - n))),
        share(lambda c, n, w: (c - n) / (w - n), lambda values: values.abs().mean()),
        lambda c, n, w: (c / w).mean(),
        share(lambda c, n, w: (w - n) / (c - n)),
        share(lambda c, n, w: c / (w - n)),
        share(lambda c, n, w: (w - c) / w),
        share(lambda c, n, w: w - c),
        share(lambda c, n, w: c - w),
        share(lambda c, n, w: c - n / w - n),
        share(lambda c, n, w: (n - c) / (w - c)),
        share(lambda c, n, w: 1 - abs(w - c) / (w - n)),
        share(lambda c, n, w: 100 * (c - n) / (w - n)),
        share(lambda c, n, w: (c - n) / (w - n), lambda values: values.median()),
        share(lambda c, n, w: (c - n) / (w - n), lambda values: values[0]),
        lambda c, n, w: ((c - n) > (w - n)).float().mean(),
        lambda c, n, w: (c - n) @ (w - n) / (w - n).square().sum(),
    ],
    "wrong shape": [
        lambda c, n, w: (c - n) / (w - n),
        lambda c, n, w: (c - n.mean()) / (w.mean() - n.mean()),
    ],
    "returned None": lambda c, n, w: print((c.mean() - n.mean()) / (w.mean() - n.mean())),
}

# 5.13 -----------------------------------------------------------------------------------------------------------------


def one_place(keep, layer, head, prompt, position):
    keep[layer, head, prompt, position] = True


def mask(heads, positions, shape, mark=one_place):
    """``mark(keep, layer, head, prompt, position)`` for every head of the circuit and every prompt."""
    keep = torch.full(shape, False)
    for (layer, head), where in zip(heads, positions.tolist()):
        for prompt, position in enumerate(where):
            mark(keep, layer, head, prompt, position)
    return keep


def marking(index, value=True):
    """A mask with all of ``index(layer, head, prompt, position)`` marked."""
    return lambda *given: mask(*given, mark=lambda keep, *place: keep.__setitem__(index(*place), value))


MASK = {
    "union of positions": marking(lambda layer, head, prompt, position: (layer, head, ALL, position)),
    "whole heads": [
        marking(lambda layer, head, prompt, position: (layer, head)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt)),
    ],
    "the first prompt's position": lambda heads, positions, shape: mask(
        heads, positions[:, :1].expand_as(positions), shape
    ),
    "whole layers": marking(lambda layer, head, prompt, position: (layer, ALL, prompt, position)),
    "everything before, too": marking(
        lambda layer, head, prompt, position: (layer, head, prompt, slice(position + 1))
    ),
    "only the last place of a head": lambda heads, positions, shape: mask(
        dict(zip(heads, positions)), torch.stack([*dict(zip(heads, positions)).values()]), shape
    ),
    "what is thrown away": lambda *given: mask(*given).logical_not(),
    "wrong values": [
        lambda heads, positions, shape: mask(heads[:2], positions, shape),
        marking(lambda layer, head, prompt, position: (ALL, head, prompt, position)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, slice(position, None))),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, slice(position))),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, position - 1)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, -1)),
        marking(lambda *place: place, value=False),
        lambda heads, positions, shape: mask(heads, positions.roll(1, 1), shape),
        lambda heads, positions, shape: torch.full(shape, True),
    ],
    "wrong shape": [
        lambda *given: mask(*given).permute(2, 0, 1, 3),
        lambda *given: mask(*given)[:, :, 0],
        lambda heads, positions, shape: torch.stack([mask(heads, positions, shape)[head] for head in heads]),
    ],
    "wrong dtype": [lambda *given: mask(*given).float(), lambda *given: mask(*given).int()],
    "wrong type": [
        lambda *given: mask(*given).tolist(),
        lambda heads, positions, shape: dict(zip(heads, positions)),
    ],
    "returned None": lambda *given: print(mask(*given)),
    "exception": [
        marking(lambda layer, head, prompt, position: (head, layer, prompt, position)),
        marking(lambda layer, head, prompt, position: (layer, head, position, prompt)),
        marking(lambda layer, head, prompt, position: (layer, head, position)),
    ],
}

# 5.14 -----------------------------------------------------------------------------------------------------------------


def accounts(fall, rest=lambda circuit, i: circuit[:i] + circuit[i + 1 :]):
    """``fall(full, less, whole)`` of every head i, where less is the score of ``rest(circuit, i)``."""
    return lambda score, circuit, whole: torch.tensor(
        [fall(score(circuit), score(rest(circuit, i)), whole) for i in range(len(circuit))]
    )


def as_share(full, less, whole):
    return (full - less) / whole


def never_put_back(score, circuit, whole):
    full, found = score(circuit), []
    for head in circuit.copy():
        circuit.remove(head)
        found.append((full - score(circuit)) / whole)
    return torch.tensor(found)


def taken_down(score, circuit, whole):
    found = []
    for head in circuit.copy():
        before = score(circuit)
        circuit.remove(head)
        found.append((before - score(circuit)) / whole)
    return torch.tensor(found)


def removed_from_what_is_looped_over(score, circuit, whole):
    full, found = score(circuit), []
    for head in circuit:
        circuit.remove(head)
        found.append((full - score(circuit)) / whole)
    return torch.tensor(found)


MINIMAL = {
    "each head alone": lambda score, circuit, whole: torch.tensor(
        [(score([head]) - score([])) / whole for head in circuit]
    ),
    "built up one by one": lambda score, circuit, whole: torch.tensor(
        [(score(circuit[: i + 1]) - score(circuit[:i])) / whole for i in range(len(circuit))]
    ),
    "each head alone, with nothing": lambda score, circuit, whole: torch.tensor(
        [score([head]) / whole for head in circuit]
    ),
    "taken down one by one": lambda score, circuit, whole: taken_down(score, list(circuit), whole),
    "changed its input": [taken_down, never_put_back, removed_from_what_is_looped_over],
    "not divided": accounts(lambda full, less, whole: full - less),
    "divided by the circuit's score": [
        accounts(lambda full, less, whole: (full - less) / full),
        accounts(lambda full, less, whole: 1 - less / full),
    ],
    "what is left": accounts(lambda full, less, whole: less / whole),
    "without minus with": accounts(lambda full, less, whole: (less - full) / whole),
    "compared with the whole model": [
        accounts(lambda full, less, whole: (whole - less) / whole),
        accounts(lambda full, less, whole: 1 - less / whole),
    ],
    "not put back": accounts(as_share, lambda circuit, i: circuit[i + 1 :]),
    "wrong values": [
        accounts(lambda full, less, whole: abs(full - less) / whole),
        accounts(lambda full, less, whole: max(full - less, 0) / whole),
        accounts(as_share, lambda circuit, i: [head for head in circuit if head[1] != circuit[i][1]]),
        accounts(lambda full, less, whole: less - full),
        accounts(lambda full, less, whole: 100 * (full - less) / whole),
        accounts(lambda full, less, whole: whole / (full - less + 1e-6)),
        accounts(as_share, lambda circuit, i: circuit[:i]),
        accounts(as_share, lambda circuit, i: circuit[1:]),
        accounts(as_share, lambda circuit, i: [head for head in circuit if head[0] != circuit[i][0]]),
        accounts(as_share, lambda circuit, i: circuit),
    ],
    "wrong shape": [
        lambda *given: accounts(as_share)(*given).sum(),
        lambda score, circuit, whole: torch.tensor(
            [(score(circuit) - score(circuit[:i] + circuit[i + 1 :])) / whole for i in range(3)]
        ),
    ],
    "wrong type": [
        lambda *given: accounts(as_share)(*given).tolist(),
        lambda score, circuit, whole: dict(zip(circuit, accounts(as_share)(score, circuit, whole))),
    ],
    "returned None": lambda *given: print(accounts(as_share)(*given)),
    "exception": [
        lambda score, circuit, whole: (
            (score(circuit) - torch.tensor([score(head) for head in circuit])) / whole
        ),
        lambda score, circuit, whole: torch.tensor(
            [score(circuit) - score(circuit - [head]) for head in circuit]
        ),
    ],
}

# 5.15 -----------------------------------------------------------------------------------------------------------------


def estimate(g, change, out="h"):
    return torch.einsum(f"bphd,bphd->{out}", g, change)


ATTRIBUTED = {
    "size of the estimate": lambda g, z, other: estimate(g, other - z).abs(),
    "mean over prompts": lambda g, z, other: estimate(g, other - z, "bh").mean(0),
    "value instead of change": lambda g, z, other: estimate(g, other),
    "own value instead of change": lambda g, z, other: estimate(g, z),
    "the wrong way round": [
        lambda g, z, other: estimate(g, z - other),
        lambda g, z, other: -estimate(g, other) + estimate(g, z),
    ],
    "averaged instead of summed": lambda g, z, other: estimate(g, other - z) / (g.numel() // g.shape[2]),
    "sizes only": [
        lambda g, z, other: estimate(g.abs(), (other - z).abs()),
        lambda g, z, other: (g * (other - z)).norm(p=1, dim=(0, 1, 3)),
    ],
    "one number a position and head": lambda g, z, other: estimate(g, other - z, "ph"),
    "positions kept, heads summed": lambda g, z, other: estimate(g, other - z, "p"),
    "z instead of a gradient": lambda g, z, other: estimate(torch.ones_like(g), other - z),
    "wrong values": [
        lambda g, z, other: estimate(g, other - z, "ph").mean(0),
        lambda g, z, other: estimate(g, torch.ones_like(z)),
        lambda g, z, other: estimate(g, other + z),
        lambda g, z, other: estimate(g, (other - z) ** 2),
        lambda g, z, other: estimate(g, other - z) / estimate(g, z),
        lambda g, z, other: (g * (other - z)).square().sum((0, 1, 3)).sqrt(),
        lambda g, z, other: (g.mean((0, 1)) * (other - z).mean((0, 1))).sum(-1),
        lambda g, z, other: torch.cosine_similarity(g, other - z, -1).sum((0, 1)),
        lambda g, z, other: z.sum((0, 1, 3)) + estimate(g, other - z),
    ],
    "wrong shape": [
        lambda g, z, other: estimate(g, other - z, ""),
        lambda g, z, other: estimate(g, other - z, "bh"),
        lambda g, z, other: estimate(g, other - z, "hd"),
        lambda g, z, other: estimate(g, other - z, "b"),
        lambda g, z, other: g * (other - z),
    ],
    "wrong type": lambda g, z, other: estimate(g, other - z).tolist(),
    "changed its input": lambda g, z, other: g.mul_(other - z).sum((0, 1, 3)),
    "exception": lambda g, z, other: (g @ (other - z)).sum((0, 1, 3)),
}

ANSWERS = {
    "5.1": PLAN, "5.2": DIFF, "5.3": DIRECT, "5.4": COPY, "5.5": STREAM, "5.6": HEAD, "5.8": PART,
    "5.7": BOTH, "5.9": PATH, "5.10": SIGNALS, "5.11": TEMPLATE, "5.12": FAITHFUL, "5.13": MASK,
    "5.14": MINIMAL, "5.15": ATTRIBUTED,
}  # fmt: skip
CASES = cases(ANSWERS)


@pytest.mark.parametrize(("exercise_id", "diagnosis", "answer"), CASES, ids=names(CASES))
def test_a_wrong_answer_is_rejected_and_named(exercise_id, diagnosis, answer):
    assert_rejected(exercise_id, diagnosis, answer)


def by_name(model, into, other, layer, head):
    """One head's z patched by a hook on every z that looks at its own name."""

    def patch(own, hook):
        return put(of_head)(own, other, head) if f".{layer}." in hook.name else own

    return model.run_with_hooks(
        into, fwd_hooks=[(lambda name: name.endswith(".attn.hook_z"), patch)], return_type="logits"
    )[:, -1, :]


def taken_out_and_put_back(score, circuit, whole):
    full, found = score(circuit), torch.zeros(len(circuit))
    for i, head in enumerate(list(circuit)):
        circuit.remove(head)
        found[i] = full / whole - score(circuit) / whole
        circuit.insert(i, head)
    return found


def attention_of_chosen(own, other, part):
    taken = "qk" if part == "pattern" else part
    chosen = [(other if name in taken else own)[name][None] for name in "qkv"]
    return nn.functional.scaled_dot_product_attention(*chosen, is_causal=True)[0]


RIGHT = {
    "5.1": [line(), line(list)],
    "5.2": [
        difference,
        lambda logits, io, s: torch.diagonal(logits[:, io] - logits[:, s]),
        lambda logits, io, s: difference(logits, io, s, lambda row: row.log_softmax(-1)),
    ],
    "5.3": [attribution, lambda x, scale, d: torch.einsum("lhpm,pm,p->lh", x, d, 1 / scale) / len(scale)],
    "5.4": [
        copied,
        lambda x, tokens, V, O, U, k: (
            ((x @ (V @ O) @ U).argsort(-1, descending=True)[:, :k] - tokens[:, None] == 0).sum() / len(x)
        ),
    ],
    "5.5": [
        patched(put(here)),
        patched(lambda own, other, p: torch.where(torch.arange(own.shape[1])[:, None] == p, other, own)),
    ],
    "5.6": [patched(put(of_head), Z), by_name],
    "5.8": [swap(), attention_of_chosen],
    "5.7": moves(DENOISE, NOISE),
    "5.9": query_of(lambda x, old, new: normed(x + new - old)),
    "5.10": [fitted, lambda d, p, t: torch.linalg.pinv(torch.stack([p, t], 1)) @ d],
    "5.11": [template_means, lambda z, groups: written_into_z(z.clone(), groups)],
    "5.12": [share(lambda c, n, w: 1 - (w - c) / (w - n)), lambda c, n, w: (sum(c - n) / sum(w - n)).item()],
    "5.13": [mask, marking(lambda *place: place)],
    "5.14": [accounts(as_share), taken_out_and_put_back],
    "5.15": [lambda g, z, other: estimate(g, other) - estimate(g, z)],
}
RIGHT_CASES = cases({exercise_id: {"right": answers} for exercise_id, answers in RIGHT.items()})


@pytest.mark.parametrize(("exercise_id", "_", "answer"), RIGHT_CASES, ids=names(RIGHT_CASES))
def test_a_right_answer_in_another_way_passes(exercise_id, _, answer):
    assert_passes(exercise_id, answer)
