"""Answers that learners of lesson 1 may well give."""

import math

import numpy as np
import torch

# 1.1 ------------------------------------------------------------------------------------------------------------------


def outputs_by_matmul(z, W_O):
    return z.transpose(1, 2) @ W_O


HEAD_OUTPUTS = {
    "summed over the heads": lambda z, W_O: outputs_by_matmul(z, W_O).sum(1),
    "axes in another order": lambda z, W_O: torch.einsum("lphd,lhdm->lphm", z, W_O),
    "one layer's W_O for all": lambda z, W_O: z.transpose(1, 2) @ W_O[:1],
    "one head's W_O for all": lambda z, W_O: z.transpose(1, 2) @ W_O[:, :1],
    "averaged instead of kept": lambda z, W_O: outputs_by_matmul(z, W_O).div(W_O.shape[1]),
    "wrong shape": lambda z, W_O: z,
    "exception": lambda z, W_O: z @ W_O,
}

# 1.2 ------------------------------------------------------------------------------------------------------------------


def spectrum_by_cov(x, centre=0, divisor=1):
    x = x - x.mean(centre, keepdim=True) if centre is not None else x
    cov = x.T @ x / (len(x) - divisor)
    return torch.linalg.eigvalsh(cov).flip(0).clamp(min=0)


def spectrum_by_numpy(x):
    return torch.from_numpy(np.sort(np.linalg.eigvalsh(np.cov(x.numpy().T)))[::-1].copy())


SPECTRUM = {
    "not centred": lambda x: spectrum_by_cov(x, centre=None),
    "singular values, not variances": lambda x: torch.linalg.svd(x - x.mean(0)).S,
    "sums, not variances": lambda x: spectrum_by_cov(x) * (len(x) - 1),
    "divisor is rows": lambda x: spectrum_by_cov(x, divisor=0),
    "ascending": lambda x: spectrum_by_cov(x).flip(0),
    "centred over the wrong axis": lambda x: spectrum_by_cov(x, centre=1),
    "shares, not variances": lambda x: spectrum_by_cov(x) / x.var(0).sum(),
    "wrong shape": lambda x: torch.cov(x.T),
}

# 1.3 ------------------------------------------------------------------------------------------------------------------


def count_by_loop(spectrum, fraction):
    total, count = 0.0, 0
    for value in spectrum.tolist():
        if total >= fraction * spectrum.sum().item() - 1e-9:
            break
        total, count = total + value, count + 1
    return count


def ratio(spectrum):
    weights = spectrum / spectrum.sum()
    return 1 / (weights**2).sum().item()


def two_numbers(s, fraction=0.8):
    return count_by_loop(s, fraction), ratio(s)


DIMENSIONS = {
    "one too few": lambda s, fraction=0.8: (count_by_loop(s, fraction) - 1, ratio(s)),
    "squared twice": lambda s, fraction=0.8: (count_by_loop(s**2, fraction), ratio(s**2)),
    "ratio upside down": lambda s, fraction=0.8: (count_by_loop(s, fraction), 1 / ratio(s)),
    "smallest directions first": lambda s, fraction=0.8: (count_by_loop(s.flip(0), fraction), ratio(s)),
    "ratio without the square": lambda s, fraction=0.8: (
        count_by_loop(s, fraction),
        (s.sum() / (s * s).sum()).item(),
    ),
    "share of the directions": lambda s, fraction=0.8: (round(len(s) * fraction), ratio(s)),
    "wrong type": lambda s, fraction=0.8: count_by_loop(s, fraction),
    "wrong values": lambda s, fraction=0.8: (
        count_by_loop(s, 0.8),
        math.exp(-(s / s.sum() * (s / s.sum()).log()).nansum()),
    ),
}

# 1.4 ------------------------------------------------------------------------------------------------------------------


def fraction_by_cov(fitted, held_out, k, centre=None, largest=True):
    vectors = torch.linalg.eigh(torch.cov(fitted.T)).eigenvectors
    x = held_out - (fitted.mean(0) if centre is None else centre)
    return fraction_along(x, vectors[:, -k:] if largest else vectors[:, :k])


def uncentred_directions(fitted, held_out, k):
    vectors = torch.linalg.eigh(fitted.T @ fitted).eigenvectors
    return fraction_along(held_out - fitted.mean(0), vectors[:, -k:])


def fraction_along(x, directions):
    return ((x @ directions) ** 2).sum() / (x**2).sum()


HELD_OUT = {
    "fitted on the held-out vectors": lambda a, b, k: fraction_by_cov(b, b, k),
    "share of the fitted vectors": lambda a, b, k: fraction_by_cov(a, a, k),
    "directions not centred": uncentred_directions,
    "held-out vectors centred by their own mean": lambda a, b, k: fraction_by_cov(a, b, k, centre=b.mean(0)),
    "held-out vectors not centred": lambda a, b, k: fraction_by_cov(a, b, k, centre=torch.zeros(1)),
    "what is left over": lambda a, b, k: 1 - fraction_by_cov(a, b, k),
    "last directions": lambda a, b, k: fraction_by_cov(a, b, k, largest=False),
    "root of the share": lambda a, b, k: fraction_by_cov(a, b, k) ** 0.5,
    "wrong shape": lambda a, b, k: fraction_by_cov(a, b, k)[None],
    "wrong values": lambda a, b, k: fraction_by_cov(b, a, k),
}

# 1.5 ------------------------------------------------------------------------------------------------------------------


def orthonormal(A):
    return torch.linalg.svd(A, full_matrices=False).U


def cosines_by_svd(A, B):
    return torch.linalg.svd(orthonormal(A).T @ orthonormal(B)).S


COSINES = {
    "bases not orthonormal": lambda A, B: torch.linalg.svd(A.T @ B).S,
    "columns normalised only": lambda A, B: (
        torch.linalg.svd(
            torch.nn.functional.normalize(A, dim=0).T @ torch.nn.functional.normalize(B, dim=0)
        ).S
    ),
    "angles, not cosines": lambda A, B: torch.acos(cosines_by_svd(A, B)),
    "squared": lambda A, B: torch.linalg.svdvals(orthonormal(A).T @ orthonormal(B)).square(),
    "ascending": lambda A, B: cosines_by_svd(A, B).sort().values,
    "wrong shape": lambda A, B: orthonormal(A).T @ orthonormal(B),
    "exception": lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A.T).Q.T @ torch.linalg.qr(B.T).Q),
}

# 1.6 ------------------------------------------------------------------------------------------------------------------

WRITERS, READERS = ("W_E", "W_pos", "W_O"), ("W_Q", "W_K", "W_V", "W_U")


def rotated(weights, R, writers=WRITERS, readers=READERS, transposed=True):
    new = {}
    for name, weight in weights.items():
        new[name] = weight @ R if name in writers else weight
        if name in readers:
            new[name] = torch.einsum("mn,...mk->...nk" if transposed else "nm,...mk->...nk", R, weight)
    return new


def without(*left_out):
    return lambda weights, R: rotated(
        weights, R, [w for w in WRITERS if w not in left_out], [r for r in READERS if r not in left_out]
    )


ROTATE = {
    "readers not transposed": lambda w, R: rotated(w, R, transposed=False),
    "unembedding left out": without("W_U"),
    "positions left out": without("W_pos"),
    "W_O left out": without("W_O"),
    "W_V left out": without("W_V"),
    "W_Q and W_K left out": without("W_Q", "W_K"),
    "nothing rotated": lambda w, R: w,
    "rotated the other way": lambda w, R: rotated(w, R.T),
    "not all rotated": without("W_K"),
    "logits changed": lambda w, R: rotated(w, R) | {"W_O": w["W_O"] @ R.T},
    "wrong type": lambda w, R: list(rotated(w, R).values()),
    "wrong values": lambda w, R: rotated(w, 2 * R),
}

# 1.7 ------------------------------------------------------------------------------------------------------------------


def virtual_by_broadcast(W_O, W_in):
    return W_O[:, None] @ W_in[None]


VIRTUAL = {
    "reader before writer": lambda W_O, W_in: W_O[None] @ W_in[:, None],
    "product the other way round": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in).mT,
    "summed over the writers": lambda W_O, W_in: W_O.sum(0) @ W_in,
    "only equal numbers paired": lambda W_O, W_in: torch.bmm(W_O, W_in),
    "scaled": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in) * W_in.shape[1] ** -0.5,
    "wrong shape": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in).norm(dim=(-1, -2)),
}

# 1.8 ------------------------------------------------------------------------------------------------------------------


def attribution_by_sum(parts, W_U, token):
    return (parts * W_U.T[token]).sum(-1)


ATTRIBUTION = {
    "all tokens": lambda parts, W_U, token: torch.einsum("cm,mv->cv", parts, W_U),
    "centred logits": lambda parts, W_U, token: ((parts @ W_U) - (parts @ W_U).mean(-1, keepdim=True))[
        :, token
    ],
    "log-probability": lambda parts, W_U, token: torch.log_softmax(parts @ W_U, -1)[:, token],
    "unit direction": lambda parts, W_U, token: attribution_by_sum(parts, W_U / W_U.norm(dim=0), token),
    "cosine": lambda parts, W_U, token: (
        attribution_by_sum(parts, W_U, token) / parts.norm(dim=-1) / W_U[:, token].norm()
    ),
    "shares of the logit": lambda parts, W_U, token: (
        attribution_by_sum(parts, W_U, token) / (parts.sum(0) @ W_U)[token]
    ),
    "another token": lambda parts, W_U, token: (parts @ W_U)[:, token + 1],
    "wrong shape": lambda parts, W_U, token: (parts.sum(0) @ W_U)[token],
    "exception": lambda parts, W_U, token: parts @ W_U[token],
}

# 1.9 ------------------------------------------------------------------------------------------------------------------


def ranks_by_sort(x, W_U, token):
    order = (x @ W_U).argsort(-1, descending=True)
    return (order == token).float().argmax(-1).float()


RANKS = {
    "counted from 1": lambda x, W_U, token: ranks_by_sort(x, W_U, token) + 1,
    "counted from the bottom": lambda x, W_U, token: W_U.shape[1] - 1 - ranks_by_sort(x, W_U, token),
    "argsort once": lambda x, W_U, token: torch.argsort(-(x @ W_U), dim=1)[:, token].float(),
    "logits, not ranks": lambda x, W_U, token: x @ W_U[:, token],
    "probabilities, not ranks": lambda x, W_U, token: torch.softmax(x @ W_U, 1)[:, token],
    "the top tokens": lambda x, W_U, token: (x @ W_U).max(1).indices.float(),
    "wrong shape": lambda x, W_U, token: ranks_by_sort(x, W_U, token)[:1],
}

# 1.10 -----------------------------------------------------------------------------------------------------------------


def against(outputs, content, cosine=None, change=None):
    before = content[None].expand_as(outputs)
    after = outputs + before
    if cosine is None:
        cosine = (outputs * before).sum(-1) / outputs.norm(dim=-1) / before.norm(dim=-1)
    if change is None:
        change = after.norm(dim=-1) - before.norm(dim=-1)
    return torch.stack((cosine.mean(1), change.mean(1)), 1)


AGAINST = {
    "dot product": lambda s, c: against(s, c, cosine=(s * c).sum(-1)),
    "cosine with the sum": lambda s, c: against(s, c, cosine=torch.cosine_similarity(s, s + c, -1)),
    "averaged before the cosine": lambda s, c: against(
        s, c, cosine=torch.cosine_similarity(s.mean(1), c.mean(0)[None], -1)[:, None]
    ),
    "length of the store": lambda s, c: against(s, c, change=s.norm(dim=-1)),
    "change of the squared norm": lambda s, c: against(s, c, change=((s + c) ** 2).sum(-1) - (c**2).sum(-1)),
    "sign lost": lambda s, c: against(s, c, cosine=torch.cosine_similarity(s, c[None], -1).abs()),
    "summed over the positions": lambda s, c: against(s, c) * len(c),
    "wrong shape": lambda s, c: against(s, c).T,
}

WRONG = {
    "1.1": HEAD_OUTPUTS,
    "1.2": SPECTRUM,
    "1.3": DIMENSIONS,
    "1.4": HELD_OUT,
    "1.5": COSINES,
    "1.6": ROTATE,
    "1.7": VIRTUAL,
    "1.8": ATTRIBUTION,
    "1.9": RANKS,
    "1.10": AGAINST,
}
RIGHT = {
    "1.1": outputs_by_matmul,
    "1.2": [spectrum_by_cov, spectrum_by_numpy],
    "1.3": [two_numbers, lambda s, fraction=0.8: torch.tensor(two_numbers(s, fraction)).tolist()],
    "1.4": [fraction_by_cov, lambda a, b, k: fraction_by_cov(a, b, k).item()],
    "1.5": cosines_by_svd,
    "1.6": rotated,
    "1.7": virtual_by_broadcast,
    "1.8": attribution_by_sum,
    "1.9": [ranks_by_sort, lambda x, W_U, token: ((x @ W_U) > (x @ W_U)[:, token : token + 1]).sum(-1)],
    "1.10": against,
}
