"""Answers that learners of lesson 4 may well give."""

import torch
from torch import nn

# 4.1 ------------------------------------------------------------------------------------------------------------------


def draw(batch, length, d_vocab, bos, generator):
    allowed = torch.tensor([token for token in range(d_vocab) if token != bos])
    return allowed[torch.randint(len(allowed), (batch, length), generator=generator)]


def repeated(batch, length, d_vocab, bos, generator, half=draw):
    once = half(batch, length, d_vocab, bos, generator)
    return torch.hstack([torch.full((batch, 1), bos), once, once])


def bos_free(tokens, d_vocab, bos):
    """Distinct tokens of a row with bos replaced by one that the row lacks."""
    for row in tokens:
        row[row == bos] = next(token for token in range(d_vocab) if token != bos and token not in row)
    return tokens


REPEATED = {
    "no beginning-of-text": [
        lambda b, n, v, bos, g: draw(b, n, v, bos, g).repeat(1, 2),
        lambda b, n, v, bos, g: torch.hstack([draw(b, n, v, bos, g).repeat(1, 2), torch.full((b, 1), bos)]),
    ],
    "bos repeated": lambda b, n, v, bos, g: repeated(b, n, v, bos, g)[:, : n + 1].repeat(1, 2),
    "bos among the tokens": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: torch.randint(0, v, (b, n), generator=g)
    ),
    "tokens never drawn": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: torch.randint(bos + 1, v, (b, n), generator=g)
    ),
    "second copy differs": lambda b, n, v, bos, g: torch.hstack(
        [torch.full((b, 1), bos), draw(b, 2 * n, v, bos, g)]
    ),
    "all rows alike": lambda b, n, v, bos, g: repeated(1, n, v, bos, g).repeat(b, 1),
    "each token twice": lambda b, n, v, bos, g: torch.hstack(
        [torch.full((b, 1), bos), draw(b, n, v, bos, g).repeat_interleave(2, 1)]
    ),
    "generator ignored": lambda b, n, v, bos, g: repeated(b, n, v, bos, None),
    "not random": lambda b, n, v, bos, g: repeated(b, n, v, bos, torch.Generator().manual_seed(0)),
    "one token too often": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: (half := torch.randint(0, v, (b, n), generator=g)) + (half == bos)
    ),
    "no token twice": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: bos_free(torch.ones(b, v).multinomial(n, generator=g), v, bos)
    ),
    "wrong dtype": lambda b, n, v, bos, g: repeated(b, n, v, bos, g) + 0.5,
    "wrong shape": lambda b, n, v, bos, g: repeated(b, n, v, bos, g).T,
}

# 4.2 ------------------------------------------------------------------------------------------------------------------


def nll(logits, tokens, shift=1, dim=-1, reduce=lambda x: x.mean(0)):
    log_probs = torch.log_softmax(logits, dim)
    n = logits.shape[1]
    positions = range(max(0, -shift), n - max(0, shift))
    columns = [-log_probs[torch.arange(len(tokens)), i, tokens[:, i + shift]] for i in positions]
    return reduce(torch.stack(columns, 1))


LOSS = {
    "loss of the present token": lambda logits, tokens: nll(logits, tokens, 0)[:-1],
    "loss of the present token, later ones": lambda logits, tokens: nll(logits, tokens, 0)[1:],
    "one token back": lambda logits, tokens: nll(logits, tokens, -1),
    "sign missing": lambda logits, tokens: -nll(logits, tokens),
    "raw logits": lambda logits, tokens: -logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1).mean(0),
    "probability instead of loss": lambda logits, tokens: nll(
        logits, tokens, reduce=lambda x: (-x).exp().mean(0)
    ),
    "bits instead of nats": lambda logits, tokens: nll(logits, tokens) / 0.6931472,
    "mean over positions": lambda logits, tokens: nll(logits, tokens, reduce=lambda x: x.mean(1)),
    "summed over the batch": lambda logits, tokens: nll(logits, tokens, reduce=lambda x: x.sum(0)),
    "wrong shape": lambda logits, tokens: nll(logits, tokens).mean(),
}

# 4.3 ------------------------------------------------------------------------------------------------------------------


def looks_back(pattern, back, first):
    queries = range(first, pattern.shape[-1])
    return sum(pattern[:, i, i - back] for i in queries) / len(queries)


def stripes(pattern, period, back=None, first=None):
    back, first = back or period - 1, first or period + 1
    return torch.stack((looks_back(pattern, 1, 1), looks_back(pattern, back, first)))


STRIPES = {
    "off by one: the duplicate token": lambda p, n: stripes(p, n, back=n),
    "off by one: two after the copy": lambda p, n: stripes(p, n, back=n - 2),
    "first copy counted": lambda p, n: stripes(p, n, first=n - 1),
    "last query of the first copy counted": lambda p, n: stripes(p, n, first=n),
    "divided by all queries": lambda p, n: stripes(p, n) * torch.tensor([[1.0], [n / p.shape[-1]]]),
    "scores swapped": lambda p, n: stripes(p, n)[[1, 0]],
    "heads first": lambda p, n: stripes(p, n).T,
    "one mean over all heads": lambda p, n: stripes(p, n).mean(1),
    "exception": lambda p, n: stripes(p[0], n),
}

# 4.4 ------------------------------------------------------------------------------------------------------------------

DUPLICATE = {
    "this is the induction score": lambda p, n: looks_back(p, n - 1, n + 1),
    "beginning-of-text counted": lambda p, n: looks_back(p, n, n),
    "off by one: before the copy": lambda p, n: looks_back(p, n + 1, n + 1),
    "one entry too few": lambda p, n: looks_back(p, n, n + 2),
    "index of the diagonal taken for the query": lambda p, n: p[:, -1, -1 - n],
    "the token itself": lambda p, n: looks_back(p, 0, 0),
    "summed": lambda p, n: looks_back(p, n, n + 1) * n,
    "one mean over all heads": lambda p, n: looks_back(p, n, n + 1).mean(),
}

# 4.5 ------------------------------------------------------------------------------------------------------------------

CIRCUIT = {
    "queries and keys swapped": lambda E, V, O, Q, K: (E @ K, Q.T @ O.T @ V.T @ E.T),
    "earlier head on the query side": lambda E, V, O, Q, K: (E @ V @ O @ Q, K.T @ E.T),
    "transposed": lambda E, V, O, Q, K: (E @ (V @ (O @ K)), Q.T @ E.T),
    "earlier head left out": lambda E, V, O, Q, K: (E @ Q, K.T @ E.T),
    "earlier head on both sides": lambda E, V, O, Q, K: (E @ V @ O @ Q, K.T @ O.T @ V.T @ E.T),
    "embedding added to the store": lambda E, V, O, Q, K: (E @ Q, K.T @ (E + E @ V @ O).T),
    "second factor not transposed": lambda E, V, O, Q, K: (E @ Q, E @ V @ O @ K),
    "not thin": lambda E, V, O, Q, K: (E @ Q @ K.T, (E @ V @ O).T),
    "wrong type": lambda E, V, O, Q, K: E @ Q @ (E @ V @ O @ K).T,
}

# 4.6 ------------------------------------------------------------------------------------------------------------------

TOGETHER = {
    "product of the sums": lambda V, O: torch.einsum("had,gdb->ab", V, O),
    "heads kept apart": lambda V, O: torch.einsum("had,hdb->hab", V, O),
    "mean instead of sum": lambda V, O: torch.einsum("had,hdb->ab", V, O) / len(V),
    "heads in a chain": lambda V, O: V[0] @ O[0] @ V[1] @ O[1] @ V[2] @ O[2] if len(V) > 2 else V[0] @ O[0],
    "transposed": lambda V, O: torch.einsum("had,hdb->ba", V, O),
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


ABLATED = {
    "every head replaced": lambda z, h, kind, o: {"zero": z * 0, "mean": 0 * z + z.mean(0), "resample": o}[
        kind
    ],
    "mean over positions, too": lambda *a: ablated(*a, mean=lambda z: z.mean((0, 1), keepdim=True)),
    "mean over positions": lambda *a: ablated(*a, mean=lambda z: z.mean(1, keepdim=True)),
    "mean of the other sequences": lambda z, h, kind, o: ablated(z, h, kind, o, mean=lambda _: o.mean(0)),
    "mean over heads": lambda *a: ablated(*a, mean=lambda z: z.mean(2, keepdim=True)),
    "resampled by a roll": lambda *a: ablated(*a, resample=lambda z: torch.roll(z, 1, dims=0)),
    "nothing replaced": lambda z, h, kind, o: z,
    "changed its input": lambda z, h, kind, o: z.mul_(0),
    "returned None": lambda z, h, kind, o: None,
}

# 4.8 ------------------------------------------------------------------------------------------------------------------


def without(keys, output, W_K, receiver, fraction=1.0, W=None):
    part = torch.einsum("bpm,md->bpd", output, W_K[receiver] if W is None else W)
    at_receiver = nn.functional.one_hot(torch.tensor(receiver), keys.shape[2])[:, None]
    return keys - fraction * at_receiver * part[:, :, None]


PATH = {
    "every reader cut off": lambda k, x, W, r: sum(without(k, x, W, h) for h in range(4)) - 3 * k,
    "added instead of taken away": lambda k, x, W, r: without(k, x, W, r, fraction=-1),
    "all of the key taken away": lambda k, x, W, r: put(k, r, torch.zeros(1)),
    "only the store kept": lambda k, x, W, r: put(k, r, (x @ W[r])[:, :, None]),
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


BEFORE = {
    "looks at itself": lambda layout: previous(layout, shift=0),
    "looks ahead": keys_one_ahead,
    "too soft": lambda layout: previous(layout, strength=1.0),
    "matches tokens": lambda layout: previous(layout, query="token", key="token", shift=0),
    "stored in the output": lambda layout: previous(layout, out="output"),
    "stored in scratch": lambda layout: previous(layout, out="scratch"),
    "stored over the token": lambda layout: previous(layout, out="token"),
    "nothing stored": [
        lambda layout: previous(layout, value="position"),
        lambda layout: previous(layout, out=None),
    ],
    "all zeros": lambda layout: tuple(weight * 0 for weight in previous(layout)),
    "wrong shape": lambda layout: (*previous(layout)[:3], previous(layout)[3].T),
    "wrong type": lambda layout: previous(layout)[0],
}

AFTER = {
    "looks for its own token": lambda layout: induction(layout, key="token"),
    "question and key swapped": lambda layout: induction(layout, query="previous", key="token"),
    "too soft": lambda layout: induction(layout, strength=1.0),
    "asks for the token before": lambda layout: induction(layout, query="previous"),
    "carries the token before": lambda layout: induction(layout, value="previous"),
    "stored over the token": lambda layout: induction(layout, out="token"),
    "stored in previous": lambda layout: induction(layout, out="previous"),
    "nothing stored": lambda layout: induction(layout, out=None),
    "wrong shape": lambda layout: induction(layout)[::-1],
    "wrong values": lambda layout: previous(layout, out="output"),
}

# 4.11 -----------------------------------------------------------------------------------------------------------------


def trained(model, optimizer, tokens, shift=1, clear="before", step=True, scale=1.0, again=False):
    logits = model(tokens)
    n = tokens.shape[1]
    sources = range(max(0, -shift), n - max(0, shift))
    loss = -torch.stack(
        [logits.log_softmax(-1)[torch.arange(len(tokens)), i, tokens[:, i + shift]] for i in sources]
    ).mean()
    if clear == "before":
        optimizer.zero_grad()
    (scale * loss).backward()
    if clear == "after":
        optimizer.zero_grad()
    if step:
        optimizer.step()
    if again:
        with torch.no_grad():
            return trained(model, optimizer, tokens, step=False, clear=None)
    return scale * loss.item()


def loss_now(model, tokens):
    return nn.functional.cross_entropy(model(tokens)[:, :-1].transpose(1, 2), tokens[:, 1:])


def loss_after(model, optimizer, tokens):
    trained(model, optimizer, tokens)
    return loss_now(model, tokens).item()


STEP = {
    "gradients never cleared": lambda *arguments: trained(*arguments, clear=None),
    "predicts the present token": lambda *arguments: trained(*arguments, shift=0),
    "predicts the token before": lambda *arguments: trained(*arguments, shift=-1),
    "no step": [
        lambda *arguments: trained(*arguments, step=False),
        lambda *arguments: trained(*arguments, clear="after"),
        lambda model, optimizer, tokens: (optimizer.step(), loss_now(model, tokens).item())[1],
    ],
    "loss after the step": loss_after,
    "summed loss": lambda *arguments: trained(*arguments, scale=8.0),
    "returned None": lambda *arguments: trained(*arguments) and None,
    "exception": lambda model, optimizer, tokens: nn.functional.cross_entropy(model(tokens), tokens),
}

# 4.12 -----------------------------------------------------------------------------------------------------------------


def first(steps, passed):
    return next(step for step, ok in zip(steps, passed) if ok)


def halfway(values):
    return 0.5 * (values[0] + values[-1])


def past(values):
    rising = bool(values[-1] > values[0])
    return [bool(value >= halfway(values)) if rising else bool(value <= halfway(values)) for value in values]


WHEN = {
    "index instead of step": lambda s, v: torch.tensor(float(past(v).index(True))),
    "only for what falls": lambda s, v: first(s, v <= halfway(v)),
    "only for what rises": lambda s, v: first(s, v >= halfway(v)),
    "half of the final value": lambda s, v: first(s, [(x - 0.5 * v[-1]) * (v[-1] - v[0]) >= 0 for x in v]),
    "mean as threshold": lambda s, v: first(s, [(x - sum(v) / len(v)) * (v[-1] - v[0]) >= 0 for x in v]),
    "half of the range": lambda s, v: first(
        s, [(x - (v.max() + v.min()) / 2) * (v[-1] - v[0]) >= 0 for x in v]
    ),
    "steepest piece": lambda s, v: s[1 + (v[1:] - v[:-1]).abs().argmax()],
    "last crossing": lambda s, v: s[len(v) - past(v)[::-1].index(False)],
    "one record early": lambda s, v: s[past(v).index(True) - 1],
    "wrong values": lambda s, v: s[2],
}

# 4.13 -----------------------------------------------------------------------------------------------------------------


def window(loss, bounds, more=0):
    return sum(loss[i] for i in range(bounds[0], bounds[1] + more)) / (bounds[1] + more - bounds[0])


CONTEXT = {
    "early minus late": lambda x, early, late: window(x, early) - window(x, late),
    "single positions": lambda x, early, late: x[late[0]] - x[early[0]],
    "sums instead of means": lambda x, early, late: 10 * window(x, late) - 5 * window(x, early),
    "last position counted": lambda x, early, late: window(x, late, 1) - window(x, early, 1),
    "window taken as start and length": lambda x, early, late: x[19:48].mean() - x[2:9].mean(),
    "ratio": lambda x, early, late: window(x, late) / window(x, early),
    "late loss only": lambda x, early, late: window(x, late),
    "wrong values": lambda x, early, late: x[-10:].mean() - x[:5].mean(),
}

WRONG = {
    "4.1": REPEATED, "4.2": LOSS, "4.3": STRIPES, "4.4": DUPLICATE, "4.5": CIRCUIT, "4.6": TOGETHER,
    "4.7": ABLATED, "4.8": PATH, "4.9": BEFORE, "4.10": AFTER, "4.11": STEP, "4.12": WHEN, "4.13": CONTEXT,
}  # fmt: skip

RIGHT = {
    "4.1": repeated, "4.2": nll, "4.3": stripes, "4.4": lambda p, n: looks_back(p, n, n + 1),
    "4.5": lambda E, V, O, Q, K: (E @ Q, K.T @ O.T @ V.T @ E.T), "4.6": lambda V, O: torch.einsum("had,hdb->ab", V, O),
    "4.7": ablated, "4.8": without, "4.9": previous, "4.10": induction, "4.11": trained,
    "4.12": lambda s, v: first(s, past(v)), "4.13": lambda x, early, late: window(x, late) - window(x, early),
}  # fmt: skip
