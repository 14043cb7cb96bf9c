"""Answers that learners of lesson 6 may well give."""

import math
from functools import partial

import torch
from torch import nn

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 6.1 ------------------------------------------------------------------------------------------------------------------


def outer(x, W_in, b_in, W_out, act, activations=None, values=None):
    activations = act(torch.einsum("d,dn->n", x, W_in) + b_in) if activations is None else activations
    return torch.einsum("n,nd->nd", activations, W_out if values is None else values)


WRONG["6.1"] = {
    "activation left out": lambda x, K, b, V, act: outer(x, K, b, V, lambda pre: pre),
    "bias left out": lambda x, K, b, V, act: outer(x, K, 0 * b, V, act),
    "bias added after the activation": lambda x, K, b, V, act: outer(
        x, K, b, V, act, activations=b + act(K.T @ x)
    ),
    "already summed": lambda x, K, b, V, act: outer(x, K, b, V, act).sum(0),
    "activation of the product": lambda x, K, b, V, act: act(outer(x, K, b, V, lambda pre: pre)),
    "keys instead of values": lambda x, K, b, V, act: outer(x, K, b, V, act, values=K.T),
    "values of length 1": lambda x, K, b, V, act: outer(x, K, b, V, act, values=V / V.norm(dim=1)[:, None]),
    "transposed": lambda x, K, b, V, act: outer(x, K, b, V, act).T,
    "another activation": lambda x, K, b, V, act: outer(x, K, b, V, nn.functional.relu),
    "wrong values": lambda x, K, b, V, act: outer(x, K, b, V, lambda y: act(y) ** 2),
    "exception": lambda x, K, b, V, act: act(W_in @ x + b)[:, None] * V,  # noqa: F821
}
RIGHT["6.1"] = [
    outer,
    lambda x, K, b, V, act: torch.stack([act(x @ K[:, i] + b[i]).item() * V[i] for i in range(len(b))]),
    lambda x, K, b, V, act: torch.diag(act(K.T @ x + b)) @ V,
]


# 6.2 ------------------------------------------------------------------------------------------------------------------


def ranked(activations, count, key=lambda value: -value, first=1, shift=0, per_text=1):
    """Entries (text, position) sorted by a key, by a loop."""
    entries = [
        (key(v), text, pos) for text, row in enumerate(activations.tolist()) for pos, v in enumerate(row)
    ]
    contexts = []
    for _, text, pos in sorted(entry for entry in entries if entry[2] >= first):
        if [chosen for chosen, _ in contexts].count(text) < per_text:
            contexts.append((text, pos + shift))
    return torch.tensor(contexts[:count])


def of_later_texts(shift):
    def answer(a, n):
        texts, positions = ranked(a[1:], n, first=0).T
        return torch.stack([texts + shift, positions], 1)

    return answer


def ranked_with_first(a, n):
    texts = a.amax(1).argsort(descending=True)[:n]
    return torch.tensor([(text, 1 + max(range(8), key=lambda pos: a[text, pos + 1])) for text in texts])


WRONG["6.2"] = {
    "texts ranked with position 0": ranked_with_first,
    "0 written at position 0": lambda a, n: ranked(a * (torch.arange(a.shape[1]) > 0), n, first=0),
    "first text left out": [of_later_texts(0), of_later_texts(1)],
    "last position instead of the first": lambda a, n: ranked(a[:, :-1], n, first=0),
    "several contexts of one text": lambda a, n: ranked(a, n, per_text=99),
    "beginning-of-text counted": lambda a, n: ranked(a, n, first=0),
    "off by one": lambda a, n: ranked(a, n, shift=-1),
    "largest in size": lambda a, n: ranked(a, n, key=lambda value: -abs(value)),
    "lowest instead of highest": lambda a, n: ranked(a, n, key=lambda value: value),
    "lowest of them first": lambda a, n: torch.flip(ranked(a, n), (0,)),
    "position before text": lambda a, n: ranked(a, n)[:, [1, 0]],
    "in the order of the texts": lambda a, n: torch.tensor(sorted(ranked(a, n).tolist())),
    "axes swapped": lambda a, n: ranked(a, n).T,
    "wrong shape": lambda a, n: ranked(a, n + 1),
    "last position left out": lambda a, n: ranked(a[:, :-1], n),
    "wrong values": lambda a, n: ranked(a, n, first=2),
    "wrong type": lambda a, n: ranked(a, n).tolist(),
}
RIGHT["6.2"] = [
    ranked,
    lambda a, n: ranked(a, n).float(),
    lambda a, n: torch.column_stack([*ranked(a, n).int().T]),
]


# 6.3 ------------------------------------------------------------------------------------------------------------------


def cosine(
    K, V, gain, on_key=True, on_value=False, key_centred=True, value_centred=True, unit=True, first=False
):
    keys, values = K.T.clone(), V.clone()
    if first:
        keys = keys - keys.mean(1)[:, None]
    keys, values = keys * gain if on_key else keys, values * gain if on_value else values
    if key_centred and not first:
        keys = keys - keys.mean(1)[:, None]
    if value_centred:
        values = values - values.mean(1)[:, None]
    dots = (keys * values).sum(1)
    return dots / (keys.norm(dim=1) * values.norm(dim=1)) if unit else dots


WRONG["6.3"] = {
    "gain left out": lambda *arguments: cosine(*arguments, on_key=False),
    "not centred": lambda *arguments: cosine(*arguments, key_centred=False, value_centred=False),
    "key not centred": lambda *arguments: cosine(*arguments, key_centred=False),
    "value not centred": lambda *arguments: cosine(*arguments, value_centred=False),
    "centred before the gain": lambda *arguments: cosine(*arguments, first=True),
    "gain on the value, too": lambda *arguments: cosine(*arguments, on_value=True),
    "gain on the value": lambda *arguments: cosine(*arguments, on_key=False, on_value=True),
    "divided by the gain": lambda K, V, gain: cosine(K, V, 1 / gain),
    "dot product": lambda *arguments: cosine(*arguments, unit=False),
    "sign lost": lambda *arguments: cosine(*arguments) ** 2 / cosine(*arguments).abs(),
    "raw weights": lambda K, V, gain: nn.functional.cosine_similarity(K.T, V),
    "does not depend on gain": lambda K, V, gain: nn.functional.cosine_similarity(K.T, V) ** 2,
    "exception": lambda K, V, gain: nn.functional.cosine_similarity(gain * K, V),
}
RIGHT["6.3"] = [
    cosine,
    lambda K, V, gain: torch.tensor(
        [torch.corrcoef(torch.stack([gain * K[:, i], V[i]]))[0, 1] for i in range(len(V))]
    ),
]


# 6.4 ------------------------------------------------------------------------------------------------------------------


def error(W, b, x, importance, power=2, weights=None, relu=torch.relu, inner=lambda h: h, inside=1.0):
    """The weighted errors, [row feature]."""
    hidden = inner(torch.einsum("mi,ri->rm", W, x))
    read_out = relu(torch.einsum("mj,rm->rj", W, hidden) + inside * b)
    return (importance if weights is None else weights) * (x - read_out).abs() ** power


WRONG["6.4"] = {
    "ReLU left out": lambda *arguments: error(*arguments, relu=lambda pre: pre).sum(1).mean(),
    "ReLU of the directions": lambda *arguments: (
        error(*arguments, relu=lambda pre: pre, inner=torch.relu).sum(1).mean()
    ),
    "bias left out": lambda *arguments: error(*arguments, inside=0).sum(1).mean(),
    "bias after the ReLU": lambda W, b, x, i: (
        error(W, b, x, i, inside=0, relu=lambda p: p.relu() + b).sum(1).mean()
    ),
    "another activation function": [
        lambda *arguments: error(*arguments, relu=nn.functional.gelu).sum(1).mean(),
        lambda *arguments: error(*arguments, relu=lambda pre: pre.exp().log1p()).sum(1).mean(),
    ],
    "mean over features, sum over rows": lambda *arguments: error(*arguments).mean(1).sum(),
    "divided by the importances": lambda W, b, x, i: (error(W, b, x, i) / i.sum()).sum(1).mean(),
    "root of the importance": lambda W, b, x, i: error(W, b, x, i.sqrt()).sum(1).mean(),
    "importance left out": lambda *arguments: error(*arguments, weights=1).sum(1).mean(),
    "importance squared": lambda W, b, x, i: error(W, b, x, i**2).sum(1).mean(),
    "importance in the input": lambda W, b, x, i: error(W, b, i * x, i, weights=1).sum(1).mean(),
    "mean over features": lambda *arguments: error(*arguments).mean(),
    "summed over rows": lambda *arguments: error(*arguments).sum(),
    "absolute error": lambda *arguments: error(*arguments, power=1).sum(1).mean(),
    "one loss per row": lambda *arguments: error(*arguments).sum(1),
    "no gradient": [
        lambda *arguments: error(*arguments).sum(1).mean().item(),
        lambda *arguments: error(*(tensor.detach() for tensor in arguments)).sum(1).mean(),
        torch.no_grad()(lambda *arguments: error(*arguments).sum(1).mean()),
    ],
    "wrong gradient": lambda W, b, x, i: error(W, b.detach(), x, i).sum(1).mean(),
    "exception": lambda W, b, x, i: (i * (x - torch.relu(x @ W @ W.T + b)) ** 2).sum(1).mean(),
}
RIGHT["6.4"] = [
    lambda *arguments: error(*arguments).sum(1).mean(),
    lambda W, b, x, i: sum(error(W, b, row[None], i).sum() for row in x) / len(x),
    lambda W, b, x, i: (
        nn.functional.mse_loss((x @ (W.T @ W) + b).clamp(min=0), x, reduction="none") @ i
    ).mean(),
]


# 6.5 ------------------------------------------------------------------------------------------------------------------


def fractions(W, of=lambda own, overlaps, i: own**2 / max((overlaps**2).sum().item(), 1e-12)):
    columns = W.T
    return torch.tensor(
        [float(of((column @ column).item(), columns @ column, i)) for i, column in enumerate(columns)]
    )


def tiny(value):
    return max(float(value), 1e-12)


WRONG["6.5"] = {
    "overlaps not squared one by one": lambda W: fractions(
        W, lambda own, o, i: own**2 / tiny(o.abs().sum()) ** 2
    ),
    "the feature itself left out of the sum": lambda W: fractions(
        W, lambda own, o, i: own**2 / tiny((o**2).sum() - o[i] ** 2)
    ),
    "upside down": lambda W: fractions(W, lambda own, o, i: (o**2).sum() / tiny(own**2)),
    "norm to the second power": lambda W: fractions(W, lambda own, o, i: own / tiny((o**2).sum())),
    "overlaps without squares": lambda W: fractions(W, lambda own, o, i: own / tiny(o.sum())),
    "sizes of overlaps instead of squares": lambda W: fractions(
        W, lambda own, o, i: own / tiny(o.abs().sum())
    ),
    "not divided": lambda W: fractions(W, lambda own, o, i: own),
    "NaN for a feature that is not stored": lambda W: (
        torch.einsum("mi,mi->i", W, W) ** 2 / (torch.einsum("mi,mj->ij", W, W) ** 2).sum(0)
    ),
    "one number for all": lambda W: (W.norm(dim=0) ** 4).sum() / (W.T @ W).norm() ** 2,
    "directions instead of features": lambda W: fractions(W.T),
    "wrong shape": lambda W: (W.norm() ** 2 / len(W)).repeat(len(W)),
}
RIGHT["6.5"] = [
    fractions,
    lambda W: ((W**2).sum(0) ** 2 / ((W.T @ W) ** 2).sum(0)).nan_to_num(),
    lambda W: W.norm(dim=0) ** 2 / ((nn.functional.normalize(W, dim=0).T @ W) ** 2).sum(1).clamp_min(1e-12),
]


# 6.6 ------------------------------------------------------------------------------------------------------------------


def hook(change, place="blocks.{}.hook_resid_pre"):
    return lambda direction, layer, strength: (
        place.format(layer),
        lambda resid, hook: change(resid, strength, direction),
    )


def at(positions, resid, push):
    mask = torch.zeros(resid.shape[1], 1)
    mask[positions] = 1
    return resid + mask * push


def in_place(resid, strength, direction):
    resid[:, 1:] += strength * direction
    return resid


AFTER_FIRST = slice(1, None)


def steering_with_mask(direction, layer, strength):
    def add(x, hook):
        return x + (torch.arange(x.shape[1]) > 0)[:, None] * strength * direction

    return f"blocks.{layer}.hook_resid_pre", add


def with_parameters(inner):
    return lambda direction, layer, strength: (f"blocks.{layer}.hook_resid_pre", inner(direction, strength))


def that_changes_strength(direction, strength):
    def add(resid, hook):
        nonlocal strength
        steered, strength = at(AFTER_FIRST, resid, strength * direction), 2 * strength
        return steered

    return add


def from_the_first_run(direction, strength):
    kept = []

    def add(resid, hook):
        kept.append(at(AFTER_FIRST, resid, strength * direction))
        return kept[0]

    return add


def push_of_the_first_run(direction, strength):
    kept = []

    def add(resid, hook):
        kept.append(at(AFTER_FIRST, 0 * resid, strength * direction))
        return resid + kept[0]

    return add


WRONG["6.6"] = {
    "the stream of another run": with_parameters(from_the_first_run),
    "last position left alone": hook(lambda resid, s, d: at(slice(-1), resid, s * d)),
    "first feature left alone": hook(lambda resid, s, d: resid + s * d * torch.eye(6)[1:].sum(0)),
    "scaled by the length of the stream": hook(
        lambda resid, s, d: at(AFTER_FIRST, resid, s * d * resid.norm(dim=-1, keepdim=True))
    ),
    "first position steered, too": hook(lambda resid, s, d: torch.add(resid, d, alpha=s)),
    "only the last position": hook(lambda resid, s, d: at(-1, resid, s * d)),
    "strength left out": hook(lambda resid, s, d: at(AFTER_FIRST, resid, d)),
    "stream replaced": hook(lambda resid, s, d: at(AFTER_FIRST, at(AFTER_FIRST, resid, -resid), s * d)),
    "subtracted": hook(lambda resid, s, d: at(AFTER_FIRST, resid, -s * d)),
    "direction shortened to length 1": hook(
        lambda resid, s, d: at(AFTER_FIRST, resid, s * nn.functional.normalize(d, dim=0))
    ),
    "stream changed in place": hook(in_place),
    "another result in the second run": [
        with_parameters(that_changes_strength),
        with_parameters(lambda d, s: lambda resid, hook: at(AFTER_FIRST, resid, d.mul_(s))),
    ],
    "another argument": [
        with_parameters(lambda d, s: lambda resid, hook_point: at(AFTER_FIRST, resid, s * d)),
        with_parameters(lambda d, s: lambda resid: at(AFTER_FIRST, resid, s * d)),
    ],
    "hook returns None": hook(lambda resid, s, d: None),
    "another place": [
        hook(lambda resid, s, d: at(AFTER_FIRST, resid, s * d), "blocks.{}.hook_resid_mid"),
        hook(lambda resid, s, d: at(AFTER_FIRST, resid, s * d), "hook_resid_pre"),
        lambda direction, layer, strength: hook(lambda resid, s, d: at(AFTER_FIRST, resid, s * d))(
            direction, layer % 10, strength
        ),
    ],
    "not a hook": [
        lambda direction, layer, strength: lambda resid, hook: resid + strength * direction,
        lambda direction, layer, strength: strength * direction,
        lambda direction, layer, strength: ("hook_resid_pre", nn.Identity()),
    ],
    "wrong values": [
        hook(lambda resid, s, d: at(0, resid, s * d)),
        hook(lambda resid, s, d: at(AFTER_FIRST if resid.shape[1] > 1 else 0, resid, s * d)),
    ],
    "exception": [
        hook(lambda resid, s, d: at(AFTER_FIRST, resid, s * d @ d @ d)),
        with_parameters(push_of_the_first_run),
        hook(lambda resid, s, d: resid + (torch.arange(64) > 0)[: resid.shape[1], None] * s * d),
    ],
}
RIGHT["6.6"] = [
    hook(lambda resid, s, d: at(AFTER_FIRST, resid, s * d)),
    with_parameters(lambda d, s: lambda resid, **_: torch.cat([resid[:, :1], resid[:, 1:] + s * d], dim=1)),
    with_parameters(lambda d, s: partial(lambda resid, hook, push: at(AFTER_FIRST, resid, push), push=s * d)),
    lambda *arguments: list(steering_with_mask(*arguments)),
]


# 6.7 ------------------------------------------------------------------------------------------------------------------


def mean_stream(model, texts, layer, pick=lambda stream: stream[-1], place="hook_resid_pre"):
    total = 0
    for text in texts:
        _, cache = model.run_with_cache(model.to_tokens(text))
        total = total + pick(cache[f"blocks.{layer}.{place}"][0])
    return total / len(texts)


def difference(**how):
    return lambda model, yes, no, layer: (
        mean_stream(model, yes, layer, **how) - mean_stream(model, no, layer, **how)
    )


WRONG["6.7"] = {
    "mean over positions": difference(pick=lambda stream: stream.mean(0)),
    "first position": difference(pick=lambda stream: stream[0]),
    "the token before the last": difference(pick=lambda stream: stream[-2]),
    "the stream after the layer": lambda model, yes, no, layer: (
        mean_stream(model, yes, layer, place="hook_resid_post")
        - mean_stream(model, no, layer, place="hook_resid_post")
    ),
    "the wrong way round": lambda model, yes, no, layer: difference()(model, no, yes, layer),
    "sums instead of means": lambda model, yes, no, layer: (
        len(yes) * mean_stream(model, yes, layer) - len(no) * mean_stream(model, no, layer)
    ),
    "only the first text of each kind": lambda model, yes, no, layer: difference()(
        model, yes[:1], no[:1], layer
    ),
    "negative texts left out": lambda model, yes, no, layer: mean_stream(model, yes, layer),
    "length 1": lambda *arguments: difference()(*arguments) / difference()(*arguments).norm(),
    "does not depend on layer": lambda model, yes, no, layer: difference()(model, yes, no, 0),
    "exception": lambda model, yes, no, layer: difference(place="hook_resid")(model, yes, no, layer),
    "returned None": lambda *arguments: None,
}


def recorded(model, texts, layer):
    """Mean of the streams that a hook records, texts given as they are."""
    streams = []
    for text in texts:
        hooks = [(f"blocks.{layer}.hook_resid_pre", lambda resid, hook: streams.append(resid[:, -1].clone()))]
        model.run_with_hooks(text, fwd_hooks=hooks)
    return torch.cat(streams).mean(0)


RIGHT["6.7"] = [
    difference(),
    lambda model, yes, no, layer: recorded(model, yes, layer) - recorded(model, no, layer),
]


# 6.8 ------------------------------------------------------------------------------------------------------------------


def kl(plain, steered, dim=-1, of=lambda p, q: p.exp() * (p - q), reduce=lambda each: each.sum(-1).mean()):
    """``reduce`` of ``of`` the log-probabilities."""
    return reduce(of(plain.log_softmax(dim), steered.log_softmax(dim)))


WRONG["6.8"] = {
    "NaN or infinite": [
        lambda *arguments: torch.distributions.kl_divergence(
            *(torch.distributions.Categorical(logits=logits) for logits in arguments)
        ).mean(),
        lambda *arguments: kl(*arguments, of=lambda p, q: torch.xlogy(p.exp(), p.exp() / q.exp())),
        lambda a, b: (a.softmax(-1) * (a - a.exp().sum(-1, True).log() - b.log_softmax(-1))).sum(-1).mean(),
        lambda a, b: (a.softmax(-1) * (a.softmax(-1).log() - b.softmax(-1).log())).sum(-1).mean(),
        lambda a, b: (a.softmax(-1) * (a.softmax(-1) / b.softmax(-1)).log()).sum(-1).mean(),
    ],
    "small probabilities cut off": [
        lambda *arguments: kl(
            *arguments, of=lambda p, q: p.exp() * ((p.exp() + 1e-10).log() - (q.exp() + 1e-10).log())
        ),
        lambda *arguments: kl(*arguments, of=lambda p, q: p.exp() * (p - q.exp().clamp_min(1e-30).log())),
        lambda *arguments: kl(*arguments, of=lambda p, q: p.exp() * (p - q.clamp_min(-100))),
        lambda *arguments: kl(*arguments, of=lambda p, q: (p.exp() * (p - q.exp().log())).nan_to_num(0, 0)),
    ],
    "weighted by q": lambda *arguments: kl(*arguments, of=lambda p, q: q.exp() * (p - q)),
    "both directions": lambda *arguments: (kl(*arguments) + kl(*arguments[::-1])) / 2,
    "softmax applied twice": lambda a, b: kl(a.softmax(-1), b.softmax(-1)),
    "last position only": lambda a, b: kl(a[:, -1:], b[:, -1:]),
    "the other direction": lambda plain, steered: kl(steered, plain),
    "the wrong way round inside": lambda *arguments: -kl(*arguments),
    "summed over positions": lambda *arguments: kl(*arguments, reduce=torch.sum),
    "mean over the vocabulary": [
        lambda *arguments: kl(*arguments, reduce=torch.mean),
        lambda a, b: nn.functional.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="none").mean(),
    ],
    "bits instead of nats": lambda *arguments: kl(*arguments) / math.log(2),
    "not weighted": lambda *arguments: kl(*arguments, of=lambda p, q: p - q),
    "cross-entropy": lambda *arguments: kl(*arguments, of=lambda p, q: -p.exp() * q),
    "softmax over positions": lambda *arguments: kl(*arguments, dim=1),
    "raw logits": lambda plain, steered: (
        (plain.softmax(-1) * plain - plain.softmax(-1) * steered).sum(-1).mean()
    ),
    "one number per position": lambda *arguments: kl(*arguments, reduce=lambda each: each.sum(-1)),
    "wrong values": [
        lambda *arguments: kl(*arguments, of=lambda p, q: (p.exp() - q.exp()).abs()),
        lambda *arguments: kl(*arguments, of=lambda p, q: (p.exp() * (p - q)).topk(10).values),
    ],
}
RIGHT["6.8"] = [
    lambda a, b: (a.softmax(-1) * (a.log_softmax(-1) - b.log_softmax(-1))).sum(-1).mean().item(),
    lambda a, b: nn.functional.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="none").sum(-1).mean(),
    lambda a, b: nn.functional.kl_div(
        b.log_softmax(-1).flatten(0, 1),
        a.log_softmax(-1).flatten(0, 1),
        reduction="batchmean",
        log_target=True,
    ),
    lambda a, b: torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=a.double()), torch.distributions.Categorical(logits=b.double())
    ).mean(),
]
