"""Answers for exercises 5.1 to 5.5: hypotheses, logit difference, attribution, copy score."""

import torch
from torch import nn

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 5.1 ------------------------------------------------------------------------------------------------------------------

JOBS = {
    "name mover": "END IO",
    "S-inhibition": "END S2",
    "duplicate token": "S2 S1",
    "previous token": "S1+1 S1",
    "induction": "S2 S1+1",
}


def plan(pair_of=tuple, **changes):
    """``pair_of`` the two places of every job; a change is named by the job's first word."""
    return lambda: {
        job: pair_of(changes.get(job.replace("-", " ").split()[0], places).split())
        for job, places in JOBS.items()
    }


WRONG["5.1"] = {
    "asks ahead": [
        plan(lambda places: tuple(places[::-1])),
        plan(duplicate="S1 S2"),
        plan(previous="S1 S1+1"),
        plan(induction="S1+1 S2"),
        plan(S="S2 END", name="IO END"),
    ],
    "asks itself": [plan(duplicate="S2 S2"), plan(name="END END"), plan(previous="S1 S1")],
    "misplaced: name mover": [plan(name="END S1"), plan(name="END S2", S="END IO"), plan(name="S2 IO")],
    "misplaced: S-inhibition": [plan(S="END S1"), plan(S="END IO"), plan(S="S2 S1"), plan(S="END S1+1")],
    "misplaced: duplicate token": [
        plan(duplicate="END S2"),
        plan(duplicate="S2 IO"),
        plan(duplicate="S2 S1+1", induction="S2 S1"),
    ],
    "misplaced: previous token": [
        plan(previous="S2 S1+1"),
        plan(previous="END S2"),
        plan(previous="S2 S1"),
        plan(previous="S1 IO"),
    ],
    "misplaced: induction": [plan(induction="S2 S1"), plan(induction="END S1+1"), plan(induction="S2 IO")],
    "wrong jobs": [
        lambda: [tuple(places.split()) for places in JOBS.values()],
        lambda: {job: tuple(places.split()) for job, places in JOBS.items() if job != "induction"},
        lambda: {job.replace(" ", "_"): tuple(places.split()) for job, places in JOBS.items()},
        lambda: {tuple(places.split()): job for job, places in JOBS.items()},
    ],
    "unknown place": [
        plan(name="END Mary"),
        plan(induction="S2 S1-1"),
        plan(" ".join),
        plan(lambda places: tuple(place.lower() for place in places)),
        lambda: plan()() | {"induction": ("S2", "S1", "S1+1")},
    ],
    "not filled in": [lambda: dict.fromkeys(JOBS, ("", "")), lambda: plan()() | {"induction": ("", "")}],
    "returned None": lambda: print(JOBS),
}
RIGHT["5.1"] = [plan(), plan(list)]


# 5.2 ------------------------------------------------------------------------------------------------------------------


def difference(logits, plus, minus, change=lambda row: row):
    return torch.stack(
        [change(row)[i] - change(row)[j] for row, i, j in zip(logits, plus.tolist(), minus.tolist())]
    )


WRONG["5.2"] = {
    "sign": lambda logits, io, s: difference(logits, s, io),
    "probabilities instead of logits": lambda logits, io, s: difference(
        logits, io, s, lambda row: row.softmax(0)
    ),
    "every prompt with every name": [
        lambda logits, io, s: logits[:, io] - logits[:, s],
        lambda logits, io, s: logits.index_select(1, io) - logits.index_select(1, s),
    ],
    "averaged over prompts": lambda logits, io, s: difference(logits, io, s).mean(),
    "axis too many": [
        lambda logits, io, s: difference(logits, io, s).reshape(-1, 1),
        lambda logits, io, s: difference(logits, io, s)[None],
    ],
    "only IO": lambda logits, io, s: logits[range(len(io)), io],
    "first prompt's names": lambda logits, io, s: logits[:, io[0]] - logits[:, s[0]],
    "wrong values": [
        lambda logits, io, s: logits[range(len(s)), s],
        lambda logits, io, s: logits[range(len(io)), io] / logits[range(len(s)), s],
        lambda logits, io, s: logits.take(io) - logits.take(s),
        lambda logits, io, s: (difference(logits, io, s) > 0).float(),
        lambda logits, io, s: logits[range(len(io)), io - s],
        lambda logits, io, s: difference(logits, io, s) / logits.std(dim=-1),
    ],
    "absolute value": lambda logits, io, s: difference(logits, io, s).abs(),
    "only the last prompt": lambda logits, io, s: logits[-1, io[-1]] - logits[-1, s[-1]],
    "NaN": lambda logits, io, s: difference(logits, io, s).log(),
    "no gradient": [
        lambda logits, io, s: torch.tensor(difference(logits, io, s).tolist()),
        lambda logits, io, s: torch.from_numpy(
            logits.numpy()[range(len(io)), io] - logits.numpy()[range(len(s)), s]
        ),
        torch.no_grad()(difference),
    ],
    "wrong gradient": lambda logits, io, s: (
        difference(logits, io, s) + logits[range(len(s)), s] - logits.detach()[range(len(s)), s]
    ),
    "every axis of length 1 removed": lambda logits, io, s: (
        logits.gather(1, io[:, None]) - logits.gather(1, s[:, None])
    ).squeeze(),
    "exception": [
        lambda logits, io, s: logits[io] - logits[s],
        lambda logits, io, s: logits.gather(1, io) - logits.gather(1, s),
    ],
}
RIGHT["5.2"] = [
    difference,
    lambda logits, io, s: (
        logits * (nn.functional.one_hot(io, logits.shape[1]) - nn.functional.one_hot(s, logits.shape[1]))
    ).sum(1),
    lambda logits, io, s: torch.diagonal(logits[:, io] - logits[:, s]),
    lambda logits, io, s: difference(logits, io, s, lambda row: row.log_softmax(-1)),
]


# 5.3 ------------------------------------------------------------------------------------------------------------------


def less_mean(x):
    return x - x.sum(1, keepdim=True) / x.shape[1]


def deviation(x, epsilon=1e-5, count=None):
    return (less_mean(x).square().sum(1, keepdim=True) / (count or x.shape[1]) + epsilon).sqrt()


def centred_in_place(part, stream):
    part -= part.mean(1, keepdim=True)
    return part / deviation(stream)


WRONG["5.3"] = {
    "the part's own scale": lambda part, stream: less_mean(part) / deviation(part),
    "the whole stream": lambda part, stream: less_mean(stream) / deviation(stream),
    "not centred": lambda part, stream: part / deviation(stream),
    "the stream's mean subtracted": lambda part, stream: (
        (part - stream.mean(1, keepdim=True)) / deviation(stream)
    ),
    "not divided": lambda part, stream: less_mean(part),
    "the change of LayerNorm": lambda part, stream: (
        less_mean(stream) / deviation(stream) - less_mean(stream - part) / deviation(stream - part)
    ),
    "the scale of the rest": lambda part, stream: less_mean(part) / deviation(stream - part),
    "n - 1 in the variance": lambda part, stream: (
        less_mean(part) / deviation(stream, count=stream.shape[1] - 1)
    ),
    "ε missing": lambda part, stream: less_mean(part) / stream.std(1, correction=0, keepdim=True),
    "ε added to the standard deviation": lambda part, stream: (
        less_mean(part) / (stream.std(1, correction=0, keepdim=True) + 1e-5)
    ),
    "the stream not centred in its scale": lambda part, stream: (
        less_mean(part) / (stream.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()
    ),
    "divided by the variance": lambda part, stream: less_mean(part) / deviation(stream) ** 2,
    "one scale for all rows": lambda part, stream: less_mean(part) / (stream.var(correction=0) + 1e-5).sqrt(),
    "wrong values": [
        lambda part, stream: nn.functional.layer_norm(part + stream, part.shape[1:]),
        lambda part, stream: less_mean(part) / stream.norm(dim=1, keepdim=True),
        lambda part, stream: less_mean(part) / deviation(stream.T).mean(),
    ],
    "changed its input": centred_in_place,
    "exception": lambda part, stream: less_mean(part) / torch.stack([deviation(stream)[:, 0]] * 9, dim=1),
}
RIGHT["5.3"] = [
    lambda part, stream: less_mean(part) / deviation(stream),
    lambda part, stream: torch.stack(
        [(p - p.mean()) * (s.var(correction=0) + 1e-5) ** -0.5 for p, s in zip(part, stream)]
    ),
    lambda part, stream: less_mean(part) * torch.rsqrt(stream.var(1, correction=0, keepdim=True) + 1e-5),
]


# 5.4 ------------------------------------------------------------------------------------------------------------------


def attribution(x, scale, d, divide=torch.divide, reduce=lambda products: products.mean(2)):
    return reduce(divide((x * d).sum(3), scale))


WRONG["5.4"] = {
    "means of everything before the product": lambda x, scale, d: (
        torch.einsum("lhm,m->lh", x.mean(2), d.mean(0)) / scale.mean()
    ),
    "means before the product": [
        lambda x, scale, d: (x / scale[:, None]).mean(2) @ d.mean(0),
        lambda x, scale, d: (x / scale[:, None] @ d.T).mean((2, 3)),
    ],
    "without the scale": lambda x, scale, d: attribution(x, 1, d),
    "multiplied by the scale": lambda x, scale, d: attribution(x, scale, d, torch.multiply),
    "summed over prompts": lambda x, scale, d: attribution(
        x, scale, d, reduce=lambda products: products.sum(2)
    ),
    "one scale for all": lambda x, scale, d: attribution(x, scale.mean(), d),
    "one number a prompt": lambda x, scale, d: attribution(x, scale, d, reduce=lambda products: products),
    "heads summed": [
        lambda x, scale, d: attribution(x, scale, d).sum(1),
        lambda x, scale, d: attribution(x.sum(1, keepdim=True), scale, d)[:, 0],
    ],
    "does not depend on scale": [
        lambda x, scale, d: attribution(nn.functional.layer_norm(x, x.shape[-1:]), 1, d),
        lambda x, scale, d: torch.cosine_similarity(x, d.expand_as(x), -1).mean(2),
    ],
    "wrong values": [
        lambda x, scale, d: attribution(x, scale**2, d),
        lambda x, scale, d: attribution(x, scale.sqrt(), d),
        lambda x, scale, d: attribution(x, scale, d, reduce=lambda products: products.abs().mean(2)),
        lambda x, scale, d: attribution(x, scale, d[:1]),
        lambda x, scale, d: attribution(x, scale[0], d),
    ],
    "direction of length 1": lambda x, scale, d: attribution(x, scale, d / d.norm(dim=1, keepdim=True)),
    "sum over layer": lambda x, scale, d: attribution(x, scale, d).sum(0),
    "axes swapped": lambda x, scale, d: attribution(x, scale, d).T,
    "sum missing": lambda x, scale, d: (x * d / scale[:, None]).mean(2),
    "exception": [
        lambda x, scale, d: attribution(x / scale, 1, d),
        lambda x, scale, d: (x / scale[:, None] @ d).mean(2),
    ],
}
RIGHT["5.4"] = [
    attribution,
    lambda x, scale, d: torch.tensordot(x, d / scale[:, None], dims=([2, 3], [0, 1])) / len(scale),
    lambda x, scale, d: torch.einsum("lhpm,pm,p->lh", x, d, 1 / scale) / len(scale),
]


# 5.5 ------------------------------------------------------------------------------------------------------------------


def ov_logits(stream, W_V, W_O, W_U):
    return torch.stack([((row @ W_V) @ W_O) @ W_U for row in stream])


def hits(logits, tokens, k):
    """1 for each row in which fewer than k tokens stand above the row's own."""
    return [float((row > row[token]).sum() < k) for row, token in zip(logits, tokens)]


def copied(stream, tokens, W_V, W_O, W_U, k):
    return torch.tensor(hits(ov_logits(stream, W_V, W_O, W_U), tokens, k)).mean()


def each_name_once(x, tokens, V, O, U, k):
    copies = dict.fromkeys(tokens.tolist(), 0.0)
    for token, hit in zip(tokens.tolist(), hits(ov_logits(x, V, O, U), tokens, k)):
        copies[token] = max(copies[token], float(hit))
    return torch.tensor([*copies.values()]).mean()


WRONG["5.5"] = {
    "the stream added": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(x @ U + ov_logits(x, V, O, U), tokens, k)
    ).mean(),
    "largest in size": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(ov_logits(x, V, O, U) ** 2, tokens, k)
    ).mean(),
    "the highest of the names": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(
            ov_logits(x, V, O, U).masked_fill(~torch.isin(torch.arange(U.shape[1]), tokens), -torch.inf),
            tokens,
            k,
        )
    ).mean(),
    "wrong values": [
        lambda x, tokens, V, O, U, k: (
            torch.isin(tokens, ov_logits(x, V, O, U).topk(k).indices).float().mean()
        ),
        lambda x, tokens, V, O, U, k: ov_logits(x, V, O, U).softmax(-1)[range(len(x)), tokens].mean(),
    ],
    "each name counted once": each_name_once,
    "LayerNorm applied": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(ov_logits((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), V, O, U), tokens, k)
    ).mean(),
    "the stream unembedded as it is": lambda x, tokens, V, O, U, k: torch.tensor(
        hits(x @ U, tokens, k)
    ).mean(),
    "only the highest": [
        lambda x, tokens, V, O, U, k: torch.tensor(hits(ov_logits(x, V, O, U), tokens, 1)).mean(),
        lambda x, tokens, V, O, U, k: (ov_logits(x, V, O, U).max(-1).indices == tokens).float().mean(),
    ],
    "the lowest": lambda x, tokens, V, O, U, k: torch.tensor(hits(-ov_logits(x, V, O, U), tokens, k)).mean(),
    "an empty row counted": lambda x, tokens, V, O, U, k: torch.tensor(
        [0.0, *hits(ov_logits(x, V, O, U), tokens, k)]
    ).mean(),
    "a count instead of a fraction": [
        lambda x, tokens, V, O, U, k: sum(hits(ov_logits(x, V, O, U), tokens, k)),
        lambda x, tokens, V, O, U, k: (ov_logits(x, V, O, U).topk(k).indices == tokens[:, None]).sum(),
    ],
    "another row's token": [
        lambda x, tokens, V, O, U, k: torch.tensor(
            [
                float(any(token in tokens for token in row.topk(k).indices.tolist()))
                for row in ov_logits(x, V, O, U)
            ]
        ).mean(),
        lambda x, tokens, V, O, U, k: (
            (ov_logits(x, V, O, U).topk(k).indices == tokens).any(-1).float().mean()
        ),
    ],
    "divided by k, too": lambda x, tokens, V, O, U, k: (
        (ov_logits(x, V, O, U).topk(k).indices == tokens[:, None]).float().mean()
    ),
    "always 5": lambda x, tokens, V, O, U, k: torch.tensor(hits(ov_logits(x, V, O, U), tokens, 5)).mean(),
    "k off by one": [
        lambda x, tokens, V, O, U, k: torch.tensor(hits(ov_logits(x, V, O, U), tokens, k + 1)).mean(),
        lambda x, tokens, V, O, U, k: torch.tensor(hits(ov_logits(x, V, O, U), tokens, k - 1)).mean(),
    ],
    "does not depend on stream": lambda x, tokens, V, O, U, k: torch.tensor(0.375),
    "constant factor": lambda x, tokens, V, O, U, k: 100 * copied(x, tokens, V, O, U, k),
    "1 minus": lambda x, tokens, V, O, U, k: 1 - copied(x, tokens, V, O, U, k),
    "mean missing": lambda x, tokens, V, O, U, k: torch.tensor(hits(ov_logits(x, V, O, U), tokens, k)),
    "exception": [
        lambda x, tokens, V, O, U, k: (
            (ov_logits(x, V, O, U).topk(k).indices == tokens[:, None]).any(-1).mean()
        ),
        lambda x, tokens, V, O, U, k: torch.tensor(hits(x @ O @ V @ U, tokens, k)).mean(),
    ],
}
RIGHT["5.5"] = [
    copied,
    lambda *arguments: copied(*arguments).item(),
    lambda x, tokens, V, O, U, k: (
        (ov_logits(x, V, O, U).argsort(-1, descending=True).argsort(-1).gather(1, tokens[:, None]) < k)
        .double()
        .mean()
    ),
    lambda x, tokens, V, O, U, k: (
        ((x @ (V @ O) @ U).argsort(-1, descending=True)[:, :k] - tokens[:, None] == 0).sum() / len(x)
    ),
]
