"""Answers for exercises 5.6 to 5.10: patches of streams, heads, parts of heads and paths."""

import torch
from torch import nn

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 5.6 and 5.7 ----------------------------------------------------------------------------------------------------------

RESID, Z = "blocks.{}.hook_resid_pre", "blocks.{}.attn.hook_z"
ALL = slice(None)


def patched(edit, name=RESID, read=lambda logits, index: logits[:, -1]):
    """``edit(base, source, index)`` returns the changed activation; ``index`` is a position or a head."""

    def answer(model, into, source, layer, index):
        with model.hooks(fwd_hooks=[(name.format(layer), lambda base, hook: edit(base, source, index))]):
            return read(model(into), index)

    return answer


def put(place, new=lambda base, source: source):
    """Put ``new(base, source)`` in at ``place(index)``."""

    def edit(base, source, index):
        base = base.clone()
        base[place(index)] = new(base, source)[place(index)]
        return base

    return edit


def never_removed(name, edit):
    def answer(model, into, source, layer, index):
        model.add_hook(name.format(layer), lambda base, hook: edit(base, source, index))
        return model(into)[:, -1]

    return answer


def written_into_source(place):
    """The wrong direction: values of the base run are written into the source's."""

    def edit(base, source, index):
        copy = base.clone()
        source[place(index)] = base[place(index)]
        return copy

    return edit


def at(position):
    return ALL, position


def of_head(head):
    return ALL, ALL, head


def compares_the_name(model, into, source, layer, position):
    """The library runs this hook under another name, so it patches nothing."""

    def patch(base, hook):
        return put(at)(base, source, position) if hook.name == RESID.format(layer) else base

    return model.run_with_hooks(into, fwd_hooks=[(RESID.format(layer), patch)])[:, -1]


def changed_in_place(base, source, position):
    base[:, position] = source[:, position]
    return base


def at_layers(layers):
    """Patches before several layers, or another one."""

    def answer(model, into, source, layer, position):
        hooks = [
            (RESID.format(each), lambda base, hook: put(at)(base, source, position)) for each in layers(layer)
        ]
        return model.run_with_hooks(into, fwd_hooks=hooks)[:, -1]

    return answer


WRONG["5.6"] = {
    "between attention and MLP": [
        patched(put(at), "blocks.{}.hook_resid_mid"),
        patched(changed_in_place, "blocks.{}.hook_resid_mid"),
    ],
    "the layer before": at_layers(lambda layer: [max(0, layer - 1)]),
    "later layers patched, too": at_layers(lambda layer: range(layer, 3)),
    "the next position": patched(put(lambda p: at((p + 1) % 6))),
    "every position patched": [patched(lambda base, source, p: source), patched(put(lambda p: ALL))],
    "after the layer": [
        patched(put(at), "blocks.{}.hook_resid_post"),
        lambda model, into, stream, layer, p: patched(put(at))(model, into, stream, layer + 1, p),
        at_layers(lambda layer: [min(2, layer + 1)]),
    ],
    "added": patched(put(at, torch.add)),
    "the last position patched": patched(put(lambda p: at(-1))),
    "all later positions patched": patched(put(lambda p: at(slice(p, None)))),
    "all earlier positions patched": patched(put(lambda p: at(slice(p + 1)))),
    "a prompt instead of a position": patched(put(lambda p: p)),
    "every position's logits": patched(put(at), read=lambda logits, p: logits),
    "nothing patched": [
        patched(lambda base, source, p: [put(at)(base, source, p), None][1]),
        patched(put(at, lambda base, source: base)),
        lambda model, into, stream, layer, p: model(into).select(1, -1),
        compares_the_name,
    ],
    "logits at the patched position": patched(put(at), read=lambda logits, p: logits[:, p]),
    "wrong values": [
        patched(put(lambda p: at(slice(p)))),
        patched(put(lambda p: (..., p))),
        patched(put(at), "blocks.{}.hook_attn_out"),
    ],
    "the first prompt's stream": patched(put(at, lambda base, source: source[:1].expand_as(source))),
    "log-probabilities": patched(put(at), read=lambda logits, p: logits[:, -1].log_softmax(-1)),
    "does not depend on stream": patched(put(at, lambda base, source: source * 0)),
    "depends on too much": patched(put(at, lambda base, source: source.mean(0).expand_as(source))),
    "does not depend on layer": lambda model, into, stream, layer, p: model.run_with_hooks(
        into, fwd_hooks=[(RESID.format(i), lambda base, hook: put(at)(base, stream, p)) for i in (0, 1)]
    )[:, -1],
    "does not depend on into": lambda model, into, stream, layer, p: stream[:, -1] @ model.W_U,
    "wrong shape": patched(put(at), read=lambda logits, p: logits[-1]),
    "axis too many": patched(put(at), read=lambda logits, p: logits[:, [-1]]),
    "hook left behind": never_removed(RESID, put(at)),
    "changed its input": patched(written_into_source(at)),
    "returned None": patched(put(at), read=lambda logits, p: None),
    "exception": [
        patched(lambda base, source, p: source[:, p]),
        patched(put(at), "blocks.layer.hook_resid_pre"),
        lambda model, into, stream, layer, p: model.run_with_hooks(
            into, fwd_hooks=[(RESID.format(layer), lambda base: put(at)(base, stream, p))]
        )[:, -1],
    ],
}


def from_its_layer_on(model, into, source, layer, position):
    """The run goes on from a stream that was recorded and changed."""
    name = RESID.format(layer)
    _, cache = model.run_with_cache(into, names_filter=name)
    return model(put(at)(cache[name], source, position), start_at_layer=layer)[:, -1]


RIGHT["5.6"] = [
    patched(put(at)),
    from_its_layer_on,
    patched(lambda base, source, p: torch.where(torch.arange(base.shape[1])[:, None] == p, source, base)),
]


def by_name(model, into, source, layer, head):
    """One head's z patched by a hook on every z that looks at its own name."""

    def patch(base, hook):
        return put(of_head)(base, source, head) if f".{layer}." in hook.name else base

    return model.run_with_hooks(
        into, fwd_hooks=[(lambda name: name.endswith(".attn.hook_z"), patch)], return_type="logits"
    )[:, -1, :]


def by_full_name(model, into, source, layer, head):
    """One head's z patched by hooks in all layers that compare their name, as the lesson writes."""

    def patch(base, hook):
        return put(of_head)(base, source, head) if hook.name == Z.format(layer) else base

    names = [Z.format(layer) for layer in range(model.cfg.n_layers)]
    with model.hooks(fwd_hooks=[(name, patch) for name in names]):
        return model(into)[:, -1]


WRONG["5.7"] = {
    "the whole layer patched": patched(lambda base, source, head: source, Z),
    "a position instead of a head": patched(put(lambda head: (ALL, head)), Z),
    "only at the end": patched(put(lambda head: (ALL, -1, head)), Z),
    "zeroed": patched(put(of_head, lambda base, source: base * 0), Z),
    "mean put in": patched(put(of_head, lambda base, source: source.mean(0).expand_as(source)), Z),
    "every position's logits": patched(put(of_head), Z, lambda logits, head: logits),
    "nothing patched": [
        patched(lambda base, source, head: [put(of_head)(base, source, head), None][1], Z),
        patched(put(of_head, lambda base, source: base), Z),
    ],
    "wrong values": [
        patched(put(lambda head: (..., head)), Z),
        patched(put(lambda head: (ALL, 0, head)), Z),
        patched(put(of_head, torch.add), Z),
        patched(put(of_head, torch.subtract), Z),
        patched(put(of_head, lambda base, source: source[:1].expand_as(source)), Z),
        patched(put(of_head, lambda base, source: source.mean(1, keepdim=True).expand_as(source)), Z),
        patched(lambda base, source, head: put(of_head)(source, base, head), Z),
        patched(put(of_head), "blocks.{}.attn.hook_v"),
        patched(put(of_head), Z, lambda logits, head: logits[:, 0]),
        lambda model, into, z, layer, head: patched(put(of_head), Z)(model, into, z, 2 - layer, head),
        patched(put(lambda head: head), Z),
    ],
    "does not depend on layer": lambda model, into, z, layer, head: model.run_with_hooks(
        into,
        fwd_hooks=[(lambda name: name.endswith("hook_z"), lambda base, hook: put(of_head)(base, z, head))],
    )[:, -1],
    "wrong shape": patched(put(of_head), Z, lambda logits, head: logits[-1]),
    "hook left behind": never_removed(Z, put(of_head)),
    "changed the weights": lambda model, into, z, layer, head: (
        model.blocks[layer].attn.o.weight.zero_(),
        model(into)[:, -1],
    )[1],
    "changed its input": patched(written_into_source(of_head), Z),
    "exception": [
        patched(lambda base, source, head: source[:, :, head], Z),
        patched(put(of_head), "blocks.{}.attn.hook_pattern"),
        patched(put(of_head), "blocks.{}.hook_z"),
    ],
}
RIGHT["5.7"] = [patched(put(of_head), Z), by_name, by_full_name]


# 5.8 ------------------------------------------------------------------------------------------------------------------


def moves(*rows):
    """A table of the changes of ``gate``: "00 10" is from gate(0, 0) to gate(1, 0)."""

    def value(gate, entry):
        before, after = (gate(*map(int, state)) for state in entry.split())
        return after - before

    return lambda gate: torch.tensor([[value(gate, entry) for entry in row] for row in rows])


DENOISE, NOISE = ("00 10", "00 01"), ("11 01", "11 10")
WRONG["5.8"] = {
    "noising and denoising exchanged": moves(NOISE, DENOISE),
    "the other part patched when noising": moves(DENOISE, NOISE[::-1]),
    "the value instead of the change": lambda gate: torch.tensor(
        [[gate(1, 0), gate(0, 1)], [gate(0, 1), gate(1, 0)]]
    ),
    "before minus after": lambda gate: -moves(DENOISE, NOISE)(gate),
    "noising as a loss": moves(DENOISE, ("01 11", "10 11")),
    "parts as rows": lambda gate: torch.stack([moves(DENOISE)(gate)[0], moves(NOISE)(gate)[0]], dim=1),
    "noising taken for denoising backwards": moves(DENOISE, ("10 00", "01 00")),
    "reversed": moves(DENOISE[::-1], NOISE[::-1]),
    "wrong values": [
        moves(DENOISE, DENOISE),
        moves(("11 10", "11 01"), NOISE),
        moves(DENOISE, ("10 11", "01 11")),
        moves(("01 11", "10 11"), NOISE),
    ],
    "the same for every part": moves(("00 11", "00 11"), ("11 00", "11 00")),
    "wrong shape": moves(DENOISE),
    "another shape": lambda gate: moves(DENOISE, NOISE)(gate).flatten(),
    "wrong type": [
        lambda gate: moves(DENOISE, NOISE)(gate).tolist(),
        lambda gate: (moves(DENOISE)(gate)[0], moves(NOISE)(gate)[0]),
    ],
    "exception": lambda gate: moves(DENOISE, NOISE)(gate(1, 1) - gate(0, 0)),
}
RIGHT["5.8"] = [
    moves(DENOISE, NOISE),
    lambda gate: moves(DENOISE, NOISE)(lambda a, b: torch.as_tensor(gate(torch.tensor(a), torch.tensor(b)))),
]


# 5.9 ------------------------------------------------------------------------------------------------------------------


def masked(scores):
    return scores + torch.full_like(scores, -torch.inf).triu(1)


def softmax(scores, dim=-1):
    scores = scores - scores.amax(dim, keepdim=True)
    return scores.exp() / scores.exp().sum(dim, keepdim=True)


def swap(q="q", k="k", v="v", pattern="qk", hide=masked, normal=softmax, power=-0.5):
    """z when the inputs named for a part, such as "qk" for the pattern, come from ``source``."""
    names_of = dict(q=q, k=k, v=v, pattern=pattern)

    def answer(base, source, part):
        queries, keys, values = ((source if name in names_of[part] else base)[name] for name in "qkv")
        return normal(hide(torch.einsum("id,jd->ij", queries, keys) * keys.shape[1] ** power)) @ values

    return answer


unpatched = swap(q="", k="", v="", pattern="")


def in_place(base, source, part):
    if part == "pattern":
        base["q"], base["k"] = source["q"], source["k"]
    else:
        base[part] = source[part]
    return unpatched(base, source, part)


def one_side_in_place(base, source, part):
    base["q" if part == "pattern" else part] = source["q" if part == "pattern" else part]
    return unpatched(base, source, part)


def pattern_forgotten_in_place(base, source, part):
    if part != "pattern":
        base[part] = source[part]
    return unpatched(base, source, part)


def halves_in_place(base, source, part):
    base["q"] /= 2
    return swap()(base, source, part)


def attention_of_chosen(base, source, part):
    patched_names = "qk" if part == "pattern" else part
    chosen = [(source if name in patched_names else base)[name][None] for name in "qkv"]
    return nn.functional.scaled_dot_product_attention(*chosen, is_causal=True)[0]


WRONG["5.9"] = {
    "the wrong run changed": lambda base, source, part: swap()(source, base, part),
    "a pattern of one side": swap(pattern="q"),
    "nothing patched": lambda base, source, part: unpatched(base, source, part),
    "mask not low enough": [
        swap(hide=lambda scores: scores.masked_fill(torch.ones_like(scores).triu(1) > 0, -200)),
        swap(hide=lambda scores: scores.tril() - 100 * torch.ones_like(scores).triu(1)),
    ],
    "divided by the root of the positions": lambda base, source, part: swap(power=0)(
        base | {"q": base["q"] * len(base["q"]) ** -0.5},
        source | {"q": source["q"] * len(source["q"]) ** -0.5},
        part,
    ),
    "a pattern of the keys alone": swap(pattern="k"),
    "future not masked": swap(hide=lambda scores: scores),
    "scale missing": swap(power=0),
    "softmax over queries": swap(normal=lambda scores: softmax(scores, 0)),
    "the pattern is left": swap(pattern=""),
    "values of the pattern's run": swap(pattern="qkv"),
    "wrong values": [
        swap(power=0.5),
        swap(v=""),
        swap(hide=lambda scores: scores + torch.full_like(scores, -torch.inf).tril(-1)),
        swap(hide=torch.tril, normal=lambda scores: scores),
    ],
    "queries and keys exchanged": swap(q="k", k="q"),
    "everything swapped": [
        lambda base, source, part: swap(pattern="qkv")(base, source, "pattern"),
        lambda base, source, part: swap(pattern="")(source, base, "pattern"),
    ],
    "queries and keys always go together": swap(q="qk", k="qk"),
    "divided by d_head": swap(power=-1),
    "exp overflows": swap(normal=lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True)),
    "changed its input": [in_place, one_side_in_place, pattern_forgotten_in_place, halves_in_place],
    "future scores set to 0": swap(hide=torch.tril),
    "masked after the softmax": swap(
        hide=lambda scores: scores, normal=lambda scores: softmax(scores).tril()
    ),
    "own position masked, too": swap(
        hide=lambda scores: scores + torch.full_like(scores, -torch.inf).triu(0)
    ),
    "wrong shape": lambda base, source, part: softmax(masked(base["q"] @ source["k"].T)),
    "axes swapped": lambda base, source, part: swap()(base, source, part).T,
    "wrong type": lambda base, source, part: {**base, part: source.get(part)},
    "returned None": lambda base, source, part: None if part == "pattern" else swap()(base, source, part),
    "exception": [
        lambda base, source, part: swap(q="")({**base, part: source[part]}, source, "q"),
        lambda base, source, part: softmax(masked(base["q"] @ source["k"])) @ base["v"],
    ],
}


def query_by_query(base, source, part):
    q, k, v = ((source if name in {"pattern": "qk"}.get(part, part) else base)[name] for name in "qkv")
    rows = []
    for i in range(len(q)):
        scores = torch.tensor([(q[i] @ k[j]).item() / len(q[i]) ** 0.5 for j in range(i + 1)])
        rows.append(scores.softmax(0) @ v[: i + 1])
    return torch.stack(rows)


RIGHT["5.9"] = [
    swap(),
    attention_of_chosen,
    query_by_query,
    swap(hide=lambda scores: scores.masked_fill(torch.ones_like(scores).tril() == 0, -1e9)),
]


# 5.10 ------------------------------------------------------------------------------------------------------------------


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


WRONG["5.10"] = {
    "the old output left in": query_of(lambda x, old, new: normed(x + new)),
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
    "only the output read": query_of(lambda x, old, new: normed(new)),
    "the wrong way round": query_of(lambda x, old, new: normed(x - new + old)),
    "nothing changed": query_of(lambda x, old, new: normed(x)),
    "bias left out": lambda x, old, new, W_Q, b_Q: normed(x + (new - old)) @ W_Q,
    "wrong values": [
        query_of(lambda x, old, new: normed(x - old) + new),
        query_of(lambda x, old, new: normed(x - old + new, dim=0)),
        lambda x, old, new, W_Q, b_Q: normed(x - old + new) @ W_Q - b_Q,
    ],
    "does not depend on source_output": query_of(lambda x, old, new: normed(x - old)),
    "does not depend on stream": query_of(lambda x, old, new: normed(new - old)),
    "not centred": query_of(lambda x, old, new: normed(x - old + new, centre=False)),
    "n - 1 in the standard deviation": query_of(lambda x, old, new: normed(x - old + new, correction=1)),
    "LayerNorm over rows": query_of(lambda x, old, new: nn.functional.layer_norm(x - old + new, x.shape)),
    "depends on too much": lambda x, old, new, W_Q, b_Q: normed((x - old + new) @ W_Q + b_Q),
    "wrong shape": lambda x, old, new, W_Q, b_Q: normed(x - old + new),
    "mean over row": lambda x, old, new, W_Q, b_Q: (normed(x - old + new) @ W_Q + b_Q).mean(0),
    "changed its input": subtracted_in_place,
    "exception": [
        lambda x, old, new, W_Q, b_Q: normed(x - old + new) @ (W_Q + b_Q[:, None]),
        lambda x, old, new, W_Q, b_Q: W_Q @ normed(x - old + new) + b_Q,
    ],
}
RIGHT["5.10"] = [
    query_of(lambda x, old, new: normed(x + new - old)),
    lambda x, old, new, W, b: torch.stack(
        [nn.functional.linear(normed(row), W.T, b) for row in x - (old - new)]
    ),
]
