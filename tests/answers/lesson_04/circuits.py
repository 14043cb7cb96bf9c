"""Answers of exercises 4.5 to 4.10: circuits from the weights, by intervention, and by hand."""

import functools

import torch
from torch import nn

# 4.5 ------------------------------------------------------------------------------------------------------------------

CIRCUIT = {
    "queries and keys swapped": lambda E, V, O, Q, K: (E @ K, Q.T @ O.T @ V.T @ E.T),
    "earlier head on the query side": lambda E, V, O, Q, K: (E @ V @ O @ Q, K.T @ E.T),
    "transposed": lambda E, V, O, Q, K: (E @ (V @ (O @ K)), Q.T @ E.T),
    "earlier head left out": lambda E, V, O, Q, K: (E @ Q, K.T @ E.T),
    "earlier head on both sides": lambda E, V, O, Q, K: (E @ V @ O @ Q, K.T @ O.T @ V.T @ E.T),
    "embedding added to the head output": lambda E, V, O, Q, K: (E @ Q, K.T @ (E + E @ V @ O).T),
    "second factor not transposed": lambda E, V, O, Q, K: (E @ Q, E @ V @ O @ K),
    "reshape in place of transpose": lambda E, V, O, Q, K: (E @ Q, (E @ V @ O @ K).view(Q.shape[1], -1)),
    "wrong shape": lambda E, V, O, Q, K: (Q, K.T),
    "constant factor": lambda E, V, O, Q, K: (E @ Q / Q.shape[1] ** 0.5, (E @ V @ O @ K).T),
    "not thin": lambda E, V, O, Q, K: (E @ Q @ K.T, (E @ V @ O).T),
    "wrong type": lambda E, V, O, Q, K: E @ Q @ (E @ V @ O @ K).T,
}

# 4.6 ------------------------------------------------------------------------------------------------------------------

TOGETHER = {
    "product of the sums": lambda V, O: torch.einsum("had,gdb->ab", V, O),
    "heads kept apart": lambda V, O: torch.einsum("had,hdb->hab", V, O),
    "mean instead of sum": lambda V, O: torch.einsum("had,hdb->ab", V, O) / len(V),
    "heads in a chain": lambda V, O: functools.reduce(torch.matmul, V @ O),
    "transposed": lambda V, O: torch.einsum("had,hdb->ba", V, O),
    "reshape in place of permute": lambda V, O: V.reshape(V.shape[1], -1) @ O.reshape(-1, O.shape[-1]),
    "wrong values": lambda V, O: V[0] @ O[0],
}

# 4.7 ------------------------------------------------------------------------------------------------------------------


def put(z, head, value):
    keep = torch.arange(z.shape[2]) != head
    return torch.where(keep[:, None], z, value)


def ablated(
    z, head, kind, other, zero=lambda z: z * 0, mean=lambda z: z.mean(0, keepdim=True), resample=None
):
    if kind == "zero":
        return put(z, head, zero(z))
    return put(z, head, mean(z) if kind == "mean" else (resample or (lambda z: other))(z))


def every_head(z, head, kind, other, *kinds):
    """Ablation, of every head for ``kinds``."""
    heads = range(z.shape[2]) if kind in kinds else [head]
    for head in heads:
        z = ablated(z, head, kind, other)
    return z


def zeros_first(z, head, kind, other):
    new = put(z, head, torch.zeros(1))
    return put(new, head, new.mean(0)) if kind == "mean" else ablated(z, head, kind, other)


def last_position(z, head, kind, other, *kinds):
    new = ablated(z, head, kind, other)
    return torch.cat([z[:, :-1], new[:, -1:]], 1) if kind in kinds else new


ABLATED = {
    'every head replaced for "zero"': lambda *a: every_head(*a, "zero"),
    'every head replaced for "mean"': lambda *a: every_head(*a, "mean"),
    'every head replaced for "resample"': lambda *a: every_head(*a, "resample"),
    'last position only for "zero"': lambda *a: last_position(*a, "zero"),
    'last position only for "resample"': lambda *a: last_position(*a, "resample"),
    "last position only": lambda *a: last_position(*a, "zero", "mean", "resample"),
    "later heads replaced, too": lambda z, h, kind, o: torch.cat(
        [z[:, :, :h], every_head(z, h, kind, o, kind)[:, :, h:]], 2
    ),
    "mean of zeros": zeros_first,
    "kinds swapped": lambda z, h, kind, o: ablated(z, h, {"zero": "mean", "mean": "zero"}.get(kind, kind), o),
    "every head replaced": lambda z, h, kind, o: {"zero": z * 0, "mean": 0 * z + z.mean(0), "resample": o}[
        kind
    ],
    "mean over positions, too": lambda *a: ablated(*a, mean=lambda z: z.mean((0, 1), keepdim=True)),
    "mean over positions": lambda *a: ablated(*a, mean=lambda z: z.mean(1, keepdim=True)),
    "mean of the other sequences": lambda z, h, kind, o: ablated(z, h, kind, o, mean=lambda _: o.mean(0)),
    "mean over heads": lambda *a: ablated(*a, mean=lambda z: z.mean(2, keepdim=True)),
    "resampled by a roll": lambda *a: ablated(*a, resample=lambda z: torch.roll(z, 1, dims=0)),
    "nothing replaced": lambda z, h, kind, o: z,
    'nothing replaced for "zero"': lambda *a: ablated(*a, zero=lambda z: z),
    'nothing replaced for "mean"': lambda *a: ablated(*a, mean=lambda z: z),
    'nothing replaced for "resample"': lambda *a: ablated(*a, resample=lambda z: z),
    "changed its input": lambda z, h, kind, o: z.mul_(0),
    "returned None": lambda z, h, kind, o: None,
}

# 4.8 ------------------------------------------------------------------------------------------------------------------


def without(keys, output, W_K, receiver, fraction=1.0, W=None):
    part = torch.einsum("bpm,md->bpd", output, W_K[receiver] if W is None else W)
    at_receiver = nn.functional.one_hot(torch.tensor(receiver), keys.shape[2])[:, None]
    return keys - fraction * at_receiver * part[:, :, None]


PATH = {
    "every receiver cut": lambda k, x, W, r: sum(without(k, x, W, h) for h in range(4)) - 3 * k,
    "added instead of subtracted": lambda k, x, W, r: without(k, x, W, r, fraction=-1),
    "whole key removed": lambda k, x, W, r: put(k, r, torch.zeros(1)),
    "only the sender's part": lambda k, x, W, r: put(k, r, (x @ W[r])[:, :, None]),
    "another head's W_K": lambda k, x, W, r: without(k, x, W, r, W=W[0]),
    "nothing cut": lambda k, x, W, r: k + 0,
    "wrong shape": lambda k, x, W, r: without(k, x, W, r)[:, :, r],
    "exception": lambda k, x, W, r: k[:, :, r] - x @ W,
}

# 4.9 and 4.10 ---------------------------------------------------------------------------------------------------------


def wired(layout, query, key, value, out, *, shift=0, strength=None, size=None):
    """A head whose four matrices connect subspaces by loops over single weights."""
    Q, K, V = (torch.zeros(layout.d_model, layout.d_head) for _ in range(3))
    O = torch.zeros(layout.d_head, layout.d_model)
    n = size or (layout.n_ctx if query == "position" else layout.d_vocab)
    for i in range(n):
        Q[getattr(layout, query).start + i, i] = layout.strength if strength is None else strength
        if 0 <= i + shift < n:
            K[getattr(layout, key).start + i, i + shift] = 1
    width = {"position": layout.n_ctx}.get(value, layout.d_vocab)
    for t in range(min(width, layout.d_vocab) if out else 0):
        V[getattr(layout, value).start + t, t] = 1
        O[t, getattr(layout, out).start + t] = 1
    return Q, K, V, O


def previous(layout, **changes):
    wiring = dict(query="position", key="position", value="token", out="previous", shift=1) | changes
    return wired(layout, **wiring)


def induction(layout, **changes):
    wiring = dict(query="token", key="previous", value="token", out="output") | changes
    return wired(layout, **wiring)


def keys_one_ahead(layout):
    W_Q, W_K, W_V, W_O = previous(layout)
    W_K[layout.position, : layout.n_ctx] = torch.eye(layout.n_ctx)[:, [*range(1, layout.n_ctx), 0]]
    return W_Q, W_K, W_V, W_O


def changed(head, matrix, change):
    """A head with one of its four matrices changed."""

    def answer(layout):
        weights = list(head(layout))
        weights[matrix] = change(weights[matrix], layout)
        return weights

    return answer


def also_to(subspace, head):
    def change(W_O, layout):
        return W_O + head(layout, out=subspace)[3]

    return changed(head, 3, change)


BEFORE = {
    "written to a second subspace, too": [also_to("token", previous), also_to("scratch", previous)],
    "strength in the output": [
        changed(previous, 2, lambda W_V, layout: W_V * layout.strength),
        changed(previous, 3, lambda W_O, layout: W_O * layout.strength),
    ],
    "attends to itself": [
        lambda layout: previous(layout, shift=0),
        lambda layout: previous(layout, shift=0, out=None),
    ],
    "shifted the other way": [keys_one_ahead, lambda layout: previous(layout, shift=-1)],
    "wrong values": [  # the last position or the last token is left out
        lambda layout: previous(layout, size=layout.n_ctx - 1),
        lambda layout: (
            *previous(layout)[:2],
            previous(layout)[2].index_fill(0, torch.tensor(layout.d_vocab - 1), 0),
            previous(layout)[3],
        ),
    ],
    "scores all zero": lambda layout: (
        previous(layout)[0],
        *(0 * w for w in previous(layout)[1:3]),
        previous(layout)[3],
    ),
    "too soft": [
        lambda layout: previous(layout, strength=1.0),
        lambda layout: previous(layout, strength=layout.d_head**0.5, out=None),
    ],
    "matches tokens": lambda layout: previous(layout, query="token", key="token", shift=0),
    "written to layout.output": lambda layout: previous(layout, out="output"),
    "written to layout.scratch": lambda layout: previous(layout, out="scratch"),
    "written to layout.token": lambda layout: previous(layout, out="token"),
    "nothing written": [
        lambda layout: previous(layout, value="position"),
        lambda layout: previous(layout, value="previous"),
        lambda layout: previous(layout, out=None),
    ],
    "all zeros": lambda layout: tuple(weight * 0 for weight in previous(layout)),
    "wrong shape": lambda layout: (*previous(layout)[:3], previous(layout)[3].T),
    "wrong type": lambda layout: previous(layout)[0],
}

AFTER = {
    "written to a second subspace, too": also_to("token", induction),
    "strength in the output": changed(induction, 2, lambda W_V, layout: W_V * layout.strength),
    "duplicate-token head": lambda layout: induction(layout, key="token"),
    "query and key swapped": lambda layout: induction(layout, query="previous", key="token"),
    "too soft": lambda layout: induction(layout, strength=1.0),
    "previous tokens matched": lambda layout: induction(layout, query="previous"),
    "carries the previous token": lambda layout: induction(layout, value="previous"),
    "written to layout.token": lambda layout: induction(layout, out="token"),
    "written to layout.previous": lambda layout: induction(layout, out="previous"),
    "nothing written": lambda layout: induction(layout, out=None),
    "wrong shape": lambda layout: induction(layout)[::-1],
    "attends to the previous position": lambda layout: previous(layout, out="output"),
    "written to layout.scratch": lambda layout: induction(layout, out="scratch"),
    "wrong values": lambda layout: induction(layout, size=layout.d_vocab - 1),
}

WRONG = {"4.5": CIRCUIT, "4.6": TOGETHER, "4.7": ABLATED, "4.8": PATH, "4.9": BEFORE, "4.10": AFTER}

RIGHT = {
    "4.5": [
        lambda E, V, O, Q, K: (E @ Q, K.T @ O.T @ V.T @ E.T),
        lambda E, V, O, Q, K: [E @ Q @ (O @ K).T, (E @ V).T],
    ],
    "4.6": [
        lambda V, O: torch.einsum("had,hdb->ab", V, O),
        lambda V, O: V.permute(1, 0, 2).flatten(1) @ O.flatten(0, 1),
    ],
    "4.7": ablated,
    "4.8": without,
    "4.9": [
        previous,
        changed(previous, 0, lambda W_Q, layout: W_Q / layout.d_head**0.5),  # sharp enough
        changed(previous, 2, lambda W_V, layout: W_V + induction(layout, value="scratch")[2]),  # empty
        lambda layout: [weight.double() for weight in previous(layout)],
    ],
    "4.10": [
        induction,
        lambda layout: [weight.roll(3, axis) for weight, axis in zip(induction(layout), (1, 1, 1, 0))],
    ],
}
