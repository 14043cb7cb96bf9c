"""Answers that learners may well give to section 1 of lesson 7, on a modern block."""

import math

import torch
from torch import nn

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 7.1 ------------------------------------------------------------------------------------------------------------------


def folded(W, gain, of=lambda g: g):
    return torch.einsum("hdk,d->hdk", W, of(gain))


WRONG["7.1"] = {
    "divided by the gain": lambda W, gain: torch.stack([torch.diag(1 / gain) @ each for each in W]),
    "1 + gain": lambda W, gain: W + folded(W, gain),
    "gain squared": lambda W, gain: folded(folded(W, gain), gain),
    "size of the gain": lambda W, gain: folded(W, gain, lambda g: (g**2).sqrt()),
    "centred as for LayerNorm": lambda W, gain: folded(W, gain) - folded(W, gain).mean(1)[:, None],
    "gain normalized": [
        lambda W, gain: folded(W, gain, lambda g: g / g.norm()),
        lambda W, gain: folded(W, gain) / gain.mean(),
    ],
    "not folded": lambda W, gain: folded(W, torch.ones_like(gain)),
    "heads summed": lambda W, gain: torch.einsum("hdk,d->dk", W, gain),
    "exception": lambda W, gain: W * gain,
    "wrong values": lambda W, gain: folded(W, gain, torch.sigmoid),
}
RIGHT["7.1"] = [
    folded,
    lambda W, gain: torch.stack([torch.diag(gain) @ each for each in W]),
    lambda W, gain: (W.transpose(1, 2) * gain).transpose(1, 2),
]


# 7.2 ------------------------------------------------------------------------------------------------------------------


def frequencies(x, base, exponent=lambda j, d: -2 * j / d):
    d = x.shape[1]
    return torch.tensor([base ** exponent(j, d) for j in range(d // 2)])


def spun(x, angles, pairs="half"):
    """Rotation of complex numbers by ``angles`` [row pair]."""
    u, v = (x[:, ::2], x[:, 1::2]) if pairs == "interleaved" else x.chunk(2, dim=1)
    z = torch.complex(u, v) * torch.exp(1j * angles)
    return torch.view_as_real(z).flatten(1) if pairs == "interleaved" else torch.cat([z.real, z.imag], 1)


def by_loop(x, positions, base):
    result, half = x.clone(), x.shape[1] // 2
    for row, position in enumerate(positions.tolist()):
        for j in range(half):
            cos, sin = (f(position * base ** (-j / half)) for f in (math.cos, math.sin))
            u, v = x[row, j].item(), x[row, j + half].item()
            result[row, j], result[row, j + half] = u * cos - v * sin, u * sin + v * cos
    return result


def as_in_llama(x, positions, base, sign=-1):
    angles = torch.outer(positions.float(), 1 / base ** (torch.arange(0, x.shape[1], 2) / x.shape[1]))
    angles = torch.cat([angles, angles], -1)
    u, v = x.chunk(2, -1)
    return x * angles.cos() + torch.cat([sign * v, u], -1) * angles.sin()


def with_exponent(exponent):
    return lambda x, p, base: spun(x, p[:, None] * frequencies(x, base, exponent))


WRONG["7.2"] = {
    "interleaved pairs": lambda x, p, b: spun(x, torch.outer(p.float(), frequencies(x, b)), "interleaved"),
    "interleaved pairs, then put apart": lambda x, p, b: spun(
        x.unflatten(1, (-1, 2)).mT.flatten(1), p[:, None] * frequencies(x, b)
    ),
    "rotated backwards": lambda x, p, b: spun(x, -p[:, None] * frequencies(x, b)),
    "mirrored": lambda x, p, b: as_in_llama(x, p, b, sign=1),
    "sines left out": lambda x, p, b: (by_loop(x, p, b) + by_loop(x, -p, b)) / 2,
    "exponent half as large": with_exponent(lambda j, d: -j / d),
    "exponent twice as large": with_exponent(lambda j, d: -4 * j / d),
    "exponent counted from 1": with_exponent(lambda j, d: -2 * (j + 1) / d),
    "frequencies grow": with_exponent(lambda j, d: 2 * j / d),
    "slowest pair first": with_exponent(lambda j, d: -2 * (d // 2 - 1 - j) / d),
    "positions off by one": [
        lambda x, p, b: by_loop(x, p + 1, b),
        lambda x, p, b: by_loop(x, p - 1, b),
    ],
    "rows numbered from 0": lambda x, p, b: as_in_llama(x, torch.arange(x.shape[0]), b),
    "one frequency for all pairs": with_exponent(lambda j, d: 0.0),
    "base fixed": lambda x, p, b: by_loop(x, p, 10000.0),
    "times 2π": lambda x, p, b: spun(x, math.tau * p[:, None] * frequencies(x, b)),
    "exception": lambda x, p, b: as_in_llama(x, p.view(-1, 1, 1), b),
    "returned None": lambda x, p, b: None,
}
RIGHT["7.2"] = [
    by_loop,
    as_in_llama,
    lambda x, p, b: spun(x, p[:, None] * frequencies(x, b)),
    lambda x, p, b: spun(x.double(), p[:, None] * frequencies(x, b).double()).float(),
]


# 7.3 ------------------------------------------------------------------------------------------------------------------


def score(x, y, W_Q, W_K, distances, base, at=lambda d: (d, 0), scale=lambda m, h: h**-0.5):
    """Scores of query and key at the positions ``at(distance)``, one by one."""
    entries = []
    for distance in distances.tolist():
        rows = ((x @ W_Q, at(distance)[0]), (y @ W_K, at(distance)[1]))
        q, k = (by_loop(row[None], torch.tensor([position]), base) for row, position in rows)
        entries.append((q * k).sum() * scale(*W_Q.shape))
    return torch.stack(entries)


WRONG["7.3"] = {
    "distance the wrong way round": lambda *arguments: score(*arguments, at=lambda d: (0, d)),
    "no rotation": [
        lambda *arguments: score(*arguments, at=lambda d: (0, 0)),
        lambda *arguments: score(*arguments, at=lambda d: (d, d)),
    ],
    "stream rotated": lambda x, y, Q, K, d, b: torch.stack(
        [by_loop(x[None], each[None], b)[0] @ Q @ K.mT @ y / Q.shape[1] ** 0.5 for each in d]
    ),
    "scale missing": lambda *arguments: score(*arguments, scale=lambda m, h: 1),
    "scale is d_head": lambda *arguments: score(*arguments, scale=lambda m, h: 1 / h),
    "scale is √d_model": lambda *arguments: score(*arguments, scale=lambda m, h: m**-0.5),
    "distances numbered from 0": lambda x, y, Q, K, d, b: score(x, y, Q, K, torch.arange(len(d)), b),
    "distances off by one": lambda *arguments: score(*arguments, at=lambda d: (d, -1)),
    "query and key swapped": lambda x, y, Q, K, d, b: score(y, x, Q, K, d, b),
    "softmax applied": lambda *arguments: score(*arguments).exp() / score(*arguments).exp().sum(),
    "exception": lambda x, y, Q, K, d, b: as_in_llama(x @ Q, d, b) @ (y @ K),
}
RIGHT["7.3"] = [
    score,
    lambda *arguments: score(*arguments, at=lambda d: (d + 11, 11)),
    lambda *arguments: score(*arguments, at=lambda d: (0, -d)),
    lambda x, y, Q, K, d, b: (
        torch.stack([as_in_llama((x @ Q)[None], each[None], b)[0] @ K.T @ y for each in d]) / len(Q[0]) ** 0.5
    ),
]


# 7.4 ------------------------------------------------------------------------------------------------------------------


def rows(x, G, K, V, act, of=lambda gate, key, act: act(gate) * key):
    return torch.stack([of(x @ G[:, i], x @ K[:, i], act) * V[i] for i in range(len(V))])


def rows_of(of):
    return lambda *arguments: rows(*arguments, of=of)


WRONG["7.4"] = {
    "act on the key": lambda x, G, K, V, act: rows(x, K, G, V, act),
    "act on both": rows_of(lambda gate, key, act: act(gate) * act(key)),
    "act on the product": rows_of(lambda gate, key, act: act(gate * key)),
    "act left out": rows_of(lambda gate, key, act: gate * key),
    "gate left out": rows_of(lambda gate, key, act: act(key)),
    "key left out": rows_of(lambda gate, key, act: act(gate)),
    "added instead of multiplied": rows_of(lambda gate, key, act: act(gate) + key),
    "another activation": rows_of(lambda gate, key, act: gate * torch.sigmoid(gate) * key),
    "negative activations cut off": rows_of(lambda gate, key, act: max(act(gate) * key, torch.tensor(0.0))),
    "already summed": lambda *arguments: rows(*arguments).sum(0),
    "transposed": lambda *arguments: rows(*arguments).mT,
    "wrong values": rows_of(lambda gate, key, act: act(gate) * key**2),
}
RIGHT["7.4"] = [
    rows,
    lambda x, G, K, V, act: torch.diag(act(G.T @ x) * (K.T @ x)) @ V,
    lambda x, G, K, V, act: torch.einsum("n,n,nd->nd", act(x @ G), x @ K, V),
    lambda x, G, K, V, act: (V.T * nn.functional.linear(x, K.T) * act(nn.functional.linear(x, G.T))).T,
]
