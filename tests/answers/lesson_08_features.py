"""Answers that learners may well give to section 6 of lesson 8, on features."""

import numpy as np
import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 8.9 ------------------------------------------------------------------------------------------------------------------


def by_row(
    x,
    W,
    b,
    D,
    c,
    k,
    keep=lambda row, k: row >= row.sort(descending=True).values[k - 1],
    act=torch.relu,
    pre=None,
):
    rows = []
    for position in x:
        row = torch.einsum("m,mf->f", position, W) + b if pre is None else pre(position)
        row = act(row)
        rows.append(torch.where(keep(row, k), row, torch.zeros(())))
    features = torch.stack(rows)
    return features, torch.einsum("pf,fm->pm", features, D) + c


def in_numpy(x, W, b, D, c, k):
    active = np.maximum(x.numpy() @ W.numpy() + b.numpy(), 0)
    for row in active:
        row[np.argsort(row)[:-k]] = 0
    return torch.from_numpy(active), torch.from_numpy(active @ D.numpy() + c.numpy())


def by_threshold(x, W, b, D, c, k):
    active = torch.clamp(x @ W + b, min=0)
    threshold = active.kthvalue(active.shape[1] - k + 1, dim=1, keepdim=True).values
    active = active * (active >= threshold)
    return active, torch.nn.functional.linear(active, D.mT, c)


def top_first(x, W, b, D, c, k):
    """TopK before ReLU gives the same: what is negative becomes 0 in either order."""
    values, indices = (x @ W + b).topk(k)
    features = torch.zeros(len(x), len(b))
    for number in range(len(x)):
        features[number, indices[number]] = values[number].clamp_min(0)
    return [features, features @ D + c]


def sizes(row, k):
    return row.abs() >= row.abs().sort(descending=True).values[k - 1]


def each_column(x, W, b, D, c, k):
    active = (x @ W + b).relu()
    count = min(k, len(x))
    active = torch.where(active >= active.topk(count, dim=0).values[-1], active, 0.0)
    return active, active @ D + c


def all_together(x, W, b, D, c, k):
    active = (x @ W + b).relu()
    active = torch.where(active >= active.flatten().sort(descending=True).values[k * len(x) - 1], active, 0.0)
    return active, active @ D + c


def smallest(row, k):
    return row <= row.sort().values[k - 1]


WRONG["8.9"] = {
    "no ReLU": lambda *a: by_row(*a, act=lambda row: row),
    "no TopK": lambda *a: by_row(*a, keep=lambda row, k: row > 0),
    "TopK over positions": each_column,
    "TopK over all positions together": all_together,
    "largest sizes, signs kept": lambda *a: by_row(*a, act=lambda row: row, keep=sizes),
    "largest sizes": lambda x, W, b, D, c, k: (
        (f := by_row(x, W, b, D, c, k, act=lambda row: row, keep=sizes)[0].clamp_min(0)),
        f @ D + c,
    ),
    "k smallest": lambda *a: by_row(*a, keep=smallest),
    "one too many": lambda x, W, b, D, c, k: by_row(x, W, b, D, c, k + 1),
    "one too few": lambda *a: by_row(*a, keep=lambda row, k: row > row.sort(descending=True).values[k - 1]),
    "only on and off": lambda x, W, b, D, c, k: (
        (f := in_numpy(x, W, b, D, c, k)[0].sign()),
        f @ D + c,
    ),
    "without b_enc": lambda x, W, b, D, c, k: by_row(x, W, b, D, c, k, pre=lambda row: row @ W),
    "b_enc after ReLU": lambda x, W, b, D, c, k: by_row(
        x, W, b, D, c, k, pre=lambda row: (row @ W).clamp(0) + b, act=lambda row: row
    ),
    "without b_dec": lambda x, W, b, D, c, k: in_numpy(x, W, b, D, 0 * c, k),
    "b_dec subtracted from the input": lambda x, W, b, D, c, k: in_numpy(x - c, W, b, D, c, k),
    "decoder transposed from the encoder": lambda x, W, b, D, c, k: in_numpy(
        x, W, b, W.mT.contiguous(), c, k
    ),
    "output of all activations": lambda x, W, b, D, c, k: (
        in_numpy(x, W, b, D, c, k)[0],
        torch.relu(x @ W + b) @ D + c,
    ),
    "parts exchanged": lambda *a: tuple(reversed(in_numpy(*a))),
    "wrong type": lambda *a: in_numpy(*a)[0],
    "axes swapped": lambda *a: (in_numpy(*a)[0].mT, in_numpy(*a)[1].mT),
    "wrong values": lambda x, W, b, D, c, k: by_row(
        x, W, b, D, c, k, act=lambda row: torch.nn.functional.silu(row).relu()
    ),
    "exception": lambda x, W, b, D, c, k: in_numpy(x.mT, W, b, D, c, k),
    "returned None": lambda x, W, b, D, c, k: print(x.shape),
}
RIGHT["8.9"] = [by_row, in_numpy, by_threshold, top_first]


# 8.10 -----------------------------------------------------------------------------------------------------------------


def three(f, D, c, out, g):
    written = torch.einsum("pif,fm->pifm", f, D)
    error = out - written.sum(2) - c
    return (
        torch.einsum("pifm,pim->pif", written, g),
        torch.einsum("m,pim->pi", c, g),
        torch.einsum("pim,pim->pi", error, g),
    )


def with_parts(feature=None, bias=None, error=None):
    def answer(*a):
        return [part if new is None else new(*a) for new, part in zip((feature, bias, error), three(*a))]

    return answer


def by_autograd(f, D, c, out, g):
    """Gradient times input of a metric that is linear in the MLP's output."""
    f, scale = f.clone().requires_grad_(), torch.ones(f.shape[:2]).requires_grad_()
    with torch.enable_grad():
        metric = ((f @ D + scale[..., None] * c) * g).sum()
    by_feature, by_scale = torch.autograd.grad(metric, (f, scale))
    total = (out * g).sum(-1)
    by_feature = by_feature * f.detach()
    return by_feature, by_scale, total - by_scale - by_feature.sum(-1)


def numpy_loops(f, D, c, out, g):
    f, D, c, out, g = (tensor.numpy() for tensor in (f, D, c, out, g))
    by_feature = np.stack([f[..., i] * (g @ D[i]) for i in range(len(D))], axis=-1)
    error = out - np.tensordot(f, D, 1) - c
    return tuple(map(torch.from_numpy, (by_feature, g @ c, np.multiply(error, g).sum(-1))))


def dot(a, b):
    return (a * b).sum(-1)


WRONG["8.10"] = {
    "without the activation": with_parts(lambda f, D, c, out, g: torch.einsum("fm,pim->pif", D, g)),
    "only on and off": with_parts(lambda f, D, c, out, g: f.sign() * torch.einsum("fm,pim->pif", D, g)),
    "unit decoder rows": with_parts(
        lambda f, D, c, out, g: f * (g @ torch.nn.functional.normalize(D, dim=1).mT)
    ),
    "bias left in the error": with_parts(error=lambda f, D, c, out, g: dot(out, g) - dot(f @ D, g)),
    "reconstruction minus output": with_parts(error=lambda f, D, c, out, g: dot(f @ D + c - out, g)),
    "reconstruction in place of the error": with_parts(error=lambda f, D, c, out, g: dot(f @ D + c, g)),
    "whole output in place of the error": with_parts(error=lambda f, D, c, out, g: dot(out, g)),
    "size of the error": with_parts(error=lambda f, D, c, out, g: (out - f @ D - c).square().sum(-1).sqrt()),
    "bias counted as 0": with_parts(bias=lambda f, D, c, out, g: torch.zeros(f.shape[:2])),
    "mean gradient": lambda f, D, c, out, g: three(f, D, c, out, g.mean(0).repeat(len(g), 1, 1)),
    "last position's gradient": lambda f, D, c, out, g: three(f, D, c, out, g[:, [-1] * g.shape[1]]),
    "unit gradient": lambda f, D, c, out, g: three(f, D, c, out, torch.nn.functional.normalize(g, dim=-1)),
    "sizes of the effects": lambda *a: [part.square().sqrt() for part in three(*a)],
    "opposite sign": lambda f, D, c, out, g: three(f, D, c, out, -g),
    "summed over positions": lambda *a: [part.sum(1) for part in three(*a)],
    "bias and error exchanged": lambda *a: [three(*a)[i] for i in (0, 2, 1)],
    "wrong type": lambda *a: three(*a)[0],
    "wrong values": with_parts(error=lambda f, D, c, out, g: dot(out - f @ D + c, g)),
    "sum missing": with_parts(lambda f, D, c, out, g: torch.einsum("pif,fm,pim->pifm", f, D, g)),
    "exception": lambda f, D, c, out, g: (f * (g @ D), g @ c, dot(out - f @ D - c, g)),
}
RIGHT["8.10"] = [three, by_autograd, numpy_loops]
