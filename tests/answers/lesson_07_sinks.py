"""Answers of exercises 7.5 and 7.6: the norm in few coordinates, and what a head moves."""

import math

import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 7.5 ------------------------------------------------------------------------------------------------------------------


def fraction(x, k, power=2, key=abs, root=False, keep=slice(None), lowest=False, whole=None):
    """Fraction by sorting each row; ``whole`` replaces the sum in the denominator."""
    rows = []
    for row in x.tolist():
        ranked = sorted(row, key=key, reverse=not lowest)[:k][keep]
        total = sum(abs(v) ** power for v in row) if whole is None else whole(row)
        share = sum(abs(v) ** power for v in ranked) / total
        rows.append(math.sqrt(share) if root else share)
    return torch.tensor(rows)


def with_columns(x, columns):
    return (x[:, columns] ** 2).sum(1) / (x * x).sum(1)


WRONG["7.5"] = {
    "norms instead of squares": lambda x, k: fraction(x, k, root=True),
    "absolute values instead of squares": lambda x, k: fraction(x, k, power=1),
    "negative coordinates not counted": lambda x, k: fraction(x, k, key=lambda v: v),
    "the same coordinates at every position": lambda x, k: with_columns(
        x, (x**2).mean(0).argsort(descending=True)[:k]
    ),
    "the first position's coordinates": lambda x, k: with_columns(
        x, (x[0] ** 2).argsort(descending=True)[:k]
    ),
    "smallest coordinates": lambda x, k: fraction(x, k, lowest=True),
    "k-th coordinate alone": lambda x, k: fraction(x, k, keep=slice(-1, None)),
    "not divided": lambda x, k: fraction(x, k, whole=lambda row: 1),
    "divided by the norm": lambda x, k: fraction(x, k, whole=lambda row: math.dist(row, [0] * len(row))),
    "divided by all positions": lambda x, k: (
        torch.sort(x * x, dim=1, descending=True)[0][:, :k].sum(1) / (x * x).sum()
    ),
    "one number for all positions": lambda x, k: sum(fraction(x, k).tolist()) / len(x),
    "exception": lambda x, k: fraction(x, k)[:, k],
}
RIGHT["7.5"] = [
    fraction,
    lambda x, k: (x / x.norm(dim=1, keepdim=True)).pow(2).sort(1).values.flip(1)[:, :k].sum(1),
    lambda x, k: torch.stack([(r.abs().topk(k)[0].norm() / r.norm()) ** 2 for r in x]),
]

# 7.6 ------------------------------------------------------------------------------------------------------------------


def moved(A, v, W_O, shared=lambda h, H, S: h // (H // S), norm=math.hypot, outer=None, weight=None):
    """Norms of single moves, by loops."""
    H, S = len(W_O), v.shape[1]
    out = torch.zeros_like(A)
    for h in range(H):
        for k in range(A.shape[2]):
            vector = (v[k, shared(h, H, S)] @ W_O[h]).tolist()
            size = norm(*vector) if outer is None else outer(v[k, shared(h, H, S)], W_O[h])
            out[h, :, k] = size * (A[h, :, k] if weight is None else weight)
    return out


def per_query(A, v, W_O):
    """The move's norm with the value of the query's position."""
    sizes = moved(A, v, W_O, weight=1.0)[:, 0]  # [head pos]
    return A * sizes.unsqueeze(2)


WRONG["7.6"] = {
    "value heads in turns": lambda A, v, W_O: moved(A, v, W_O, shared=lambda h, H, S: h % S),
    "first value head for all": lambda A, v, W_O: moved(A, v, W_O, shared=lambda h, H, S: 0),
    "W_O left out": lambda A, v, W_O: moved(A, v, W_O, outer=lambda x, W: x.square().sum().sqrt()),
    "attention left out": lambda A, v, W_O: moved(A, v, W_O, weight=1.0),
    "norms multiplied": lambda A, v, W_O: moved(
        A, v, W_O, outer=lambda x, W: math.hypot(*x.tolist()) * math.hypot(*W.flatten().tolist())
    ),
    "squared norms": [
        lambda A, v, W_O: moved(A, v, W_O, norm=lambda *numbers: sum(n * n for n in numbers)),
        lambda A, v, W_O: moved(A, v, W_O) ** 2,
    ],
    "sum of absolute values": lambda A, v, W_O: moved(A, v, W_O, norm=lambda *n: sum(map(abs, n))),
    "sum instead of norm": lambda A, v, W_O: moved(A, v, W_O, norm=lambda *n: sum(n)),
    "query's value instead of the key's": per_query,
    "summed over keys": lambda A, v, W_O: torch.einsum("hqk->hq", moved(A, v, W_O)),
    "fractions of the row": lambda A, v, W_O: torch.nn.functional.normalize(moved(A, v, W_O), p=1, dim=2),
    "axes swapped": lambda A, v, W_O: moved(A, v, W_O).transpose(1, 2),
}
RIGHT["7.6"] = [
    moved,
    lambda A, v, W_O: torch.stack(
        [
            torch.linalg.vector_norm(A[h, :, :, None] * (v[:, h * v.shape[1] // len(W_O)] @ W_O[h]), dim=-1)
            for h in range(len(W_O))
        ]
    ),
    lambda A, v, W_O: (
        A.unflatten(0, (v.shape[1], -1))
        * torch.einsum("ksd,sgdm->sgkm", v, W_O.unflatten(0, (v.shape[1], -1))).norm(dim=-1)[:, :, None]
    ).flatten(0, 1),
]
