"""Answers that learners of lesson 1 may well give."""

import math

import numpy as np
import torch

# 1.1 ------------------------------------------------------------------------------------------------------------------


def outputs_by_matmul(z, W_O):
    return z.transpose(1, 2) @ W_O


HEAD_OUTPUTS = {
    "summed over the heads": lambda z, W_O: outputs_by_matmul(z, W_O).sum(1),
    "axes swapped": lambda z, W_O: torch.einsum("lphd,lhdm->lphm", z, W_O),
    "reshape instead of transpose": lambda z, W_O: z.reshape(len(z), z.shape[2], z.shape[1], -1) @ W_O,
    "one layer's W_O for all": lambda z, W_O: z.transpose(1, 2) @ W_O[:1],
    "one head's W_O for all": lambda z, W_O: z.transpose(1, 2) @ W_O[:, :1],
    "constant factor": lambda z, W_O: outputs_by_matmul(z, W_O).div(W_O.shape[1]),
    "exception": lambda z, W_O: z @ W_O,
}

# 1.2 ------------------------------------------------------------------------------------------------------------------


def spectrum_by_cov(x, centre=0, divisor=1):
    x = x - x.mean(centre, keepdim=True) if centre is not None else x
    cov = x.T @ x / (len(x) - divisor)
    return torch.linalg.eigvalsh(cov).flip(0).clamp(min=0)


def spectrum_by_numpy(x):
    return torch.from_numpy(np.sort(np.linalg.eigvalsh(np.cov(x.numpy().T)))[::-1].copy())


def spectrum_without_zeros(x):
    return torch.linalg.svd((x - x.mean(0)) / math.sqrt(len(x) - 1), full_matrices=False).S ** 2


SPECTRUM = {
    "not centred": lambda x: spectrum_by_cov(x, centre=None),
    "singular values, not variances": lambda x: torch.linalg.svd(x - x.mean(0)).S,
    "sums, not variances": lambda x: spectrum_by_cov(x) * (len(x) - 1),
    "divisor is rows": lambda x: spectrum_by_cov(x, divisor=0),
    "ascending": lambda x: spectrum_by_cov(x).flip(0),
    "centred over the wrong axis": lambda x: spectrum_by_cov(x, centre=1),
    "centred by one number": lambda x: torch.linalg.svdvals(x - x.mean()) ** 2 / (len(x) - 1),
    "variances of the columns": [lambda x: x.var(0), lambda x: x.var(0).sort(descending=True)[0]],
    "standardised": lambda x: spectrum_by_cov((x - x.mean(0)) / x.std(0)),
    "fractions, not variances": lambda x: spectrum_by_cov(x) / x.var(0).sum(),
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


def counted(count):
    """The two numbers, with another count."""
    return lambda s, fraction=0.8: (int(count(s, fraction)), ratio(s))


def numbers_of_numpy(s, fraction=0.8):
    s = s.numpy()
    return np.searchsorted(np.cumsum(s), fraction * s.sum()) + 1, s.sum() ** 2 / (s**2).sum()


def numbers_of_torch(s, fraction=0.8):
    return ((s / s.sum()).cumsum(0) >= fraction).nonzero()[0] + 1.0, s.sum() ** 2 / (s @ s)


DIMENSIONS = {
    "one too few": lambda s, fraction=0.8: (count_by_loop(s, fraction) - 1, ratio(s)),
    "squared twice": [
        lambda s, fraction=0.8: (count_by_loop(s**2, fraction), ratio(s**2)),
        lambda s, fraction=0.8: (count_by_loop(s**2, fraction), ratio(s)),
        lambda s, fraction=0.8: (count_by_loop(s, fraction), ratio(s**2)),
    ],
    "ratio upside down": lambda s, fraction=0.8: (count_by_loop(s, fraction), 1 / ratio(s)),
    "smallest directions first": lambda s, fraction=0.8: (count_by_loop(s.flip(0), fraction), ratio(s)),
    "ratio without the square": lambda s, fraction=0.8: (
        count_by_loop(s, fraction),
        (s.sum() / (s * s).sum()).item(),
    ),
    "fraction of the directions": [
        lambda s, fraction=0.8: (round(len(s) * fraction), ratio(s)),
        lambda s, fraction=0.8: (int(len(s) * fraction), ratio(s)),
    ],
    "cumulative sum not divided": lambda s, fraction=0.8: (
        1 + int((s.cumsum(0) < fraction).sum()),
        ratio(s),
    ),
    "fraction ignored": lambda s, fraction=0.8: (count_by_loop(s, 0.8), ratio(s)),
    "wrong type": [
        lambda s, fraction=0.8: count_by_loop(s, fraction),
        lambda s, fraction=0.8: (s[: count_by_loop(s, fraction)], ratio(s)),
    ],
    "one too many": [
        lambda s, fraction=0.8: (count_by_loop(s, fraction) + 1, ratio(s)),
        lambda s, fraction=0.8: (1 + int((s.cumsum(0) <= fraction * s.sum()).sum()), ratio(s)),
    ],
    "ratio divided by the number": lambda s, fraction=0.8: (
        count_by_loop(s, fraction),
        (s.mean() ** 2 / (s**2).mean()).item(),
    ),
    "another default": lambda s, fraction=0.9: (count_by_loop(s, fraction), ratio(s)),
    "wrong values": [
        lambda s, fraction=0.8: (
            count_by_loop(s, fraction),
            math.exp(-(s / s.sum() * (s / s.sum()).log()).nansum()),
        ),
        *map(
            counted,
            (
                lambda s, fraction: (s >= fraction * s[0]).sum(),
                lambda s, fraction: (s.cumsum(0) / s.max() < fraction).sum() + 1,
                lambda s, fraction: 1,
                lambda s, fraction: len(s),
                lambda s, fraction: count_by_loop(s, 1 - fraction),
                lambda s, fraction: count_by_loop(s, fraction / 100),
                lambda s, fraction: count_by_loop(s.cumsum(0), fraction),
                lambda s, fraction: count_by_loop(s[:100], fraction),
            ),
        ),
    ],
}

# 1.4 ------------------------------------------------------------------------------------------------------------------


def fraction_by_cov(fitted, held_out, k, centre=None, largest=True):
    vectors = torch.linalg.eigh(torch.cov(fitted.T)).eigenvectors
    x = held_out - (fitted.mean(0) if centre is None else centre)
    return fraction_along(x, vectors[:, -k:] if largest else vectors[:, :k])


def uncentred_directions(fitted, held_out, k):
    vectors = torch.linalg.eigh(fitted.T @ fitted).eigenvectors
    return fraction_along(held_out - fitted.mean(0), vectors[:, -k:])


def fraction_by_row(fitted, held_out, k):
    directions = torch.linalg.svd(fitted - fitted.mean(0)).Vh[:k]
    rows = (held_out - fitted.mean(0)).tolist()
    along = sum(sum(a * b for a, b in zip(row, d)) ** 2 for row in rows for d in directions.tolist())
    return along / sum(a * a for row in rows for a in row)


def fraction_along(x, directions):
    return ((x @ directions) ** 2).sum() / (x**2).sum()


HELD_OUT = {
    "fitted on the held-out vectors": lambda a, b, k: fraction_by_cov(b, b, k),
    "fraction of the fitted vectors": lambda a, b, k: fraction_by_cov(a, a, k),
    "directions not centred": uncentred_directions,
    "held-out vectors centred by their own mean": lambda a, b, k: fraction_by_cov(a, b, k, centre=b.mean(0)),
    "held-out vectors not centred": lambda a, b, k: fraction_by_cov(a, b, k, centre=torch.zeros(1)),
    "what is left over": lambda a, b, k: 1 - fraction_by_cov(a, b, k),
    "last directions": lambda a, b, k: fraction_by_cov(a, b, k, largest=False),
    "root of the fraction": lambda a, b, k: fraction_by_cov(a, b, k) ** 0.5,
    "nothing centred": lambda a, b, k: fraction_along(b, torch.linalg.svd(a).Vh[:k].T),
    "means, not sums": lambda a, b, k: fraction_by_cov(a, b, k) / k * a.shape[1],
    "fitted and held_out swapped": lambda a, b, k: fraction_by_cov(b, a, k),
}

# 1.5 ------------------------------------------------------------------------------------------------------------------


def coordinates_by_eigh(x, k, sign=lambda c: c[c.abs().argmax(0), range(c.shape[1])].sign()):
    x = x - x.mean(0)
    c = x @ torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :k]
    return c * sign(c)


def coordinates_by_u(x, k):
    U, S, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    c = (U * S)[:, :k]
    return torch.where(c.max(0).values > -c.min(0).values, c, -c)


def coordinates_by_numpy(x, k):
    x = x.numpy() - x.numpy().mean(0)
    c = x @ np.linalg.svd(x)[2][:k].T
    return torch.from_numpy(c * np.sign(c[np.abs(c).argmax(0), np.arange(k)]))


def coordinates_uncentred(x, k):
    c = x @ torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :k]
    return c * c[c.abs().argmax(0), range(k)].sign()


COORDINATES = {
    "signs": [
        lambda x, k: (x - x.mean(0)) @ torch.linalg.svd(x - x.mean(0)).Vh[:k].T,
        lambda x, k: coordinates_by_eigh(x, k, sign=lambda c: 1),
        lambda x, k: coordinates_by_eigh(x, k, sign=lambda c: c[0].sign()),
        lambda x, k: -coordinates_by_u(x, k),
        lambda x, k: (
            torch.pca_lowrank(x, q=min(x.shape), niter=20)[0][:, :k] * torch.linalg.svdvals(x - x.mean(0))[:k]
        ),
    ],
    "not centred": coordinates_uncentred,
    "projected without centring": lambda x, k: x @ torch.linalg.svd(x - x.mean(0)).Vh[:k].T,
    "columns of unit length": lambda x, k: coordinates_by_u(x, k) / coordinates_by_u(x, k).norm(dim=0),
    "unit variance": lambda x, k: coordinates_by_u(x, k) / coordinates_by_u(x, k).std(0),
    "ascending": lambda x, k: coordinates_by_u(x, k).flip(-1),
    "last components": lambda x, k: coordinates_by_u(x, min(x.shape))[:, -k:],
    "columns of Vh": lambda x, k: (x - x.mean(0)) @ torch.linalg.svd(x - x.mean(0)).Vh[:, :k],
    "absolute values": lambda x, k: coordinates_by_eigh(x, k, sign=lambda c: c.sign()),
    "centred over the wrong axis": lambda x, k: coordinates_uncentred(x - x.mean(1, keepdim=True), k),
    "wrong shape": lambda x, k: coordinates_by_u(x, min(x.shape)),
    "axes swapped": lambda x, k: coordinates_by_u(x, k).T,
    "exception": lambda x, k: x @ torch.linalg.svd(x).U[:k].T,
}

# 1.6 ------------------------------------------------------------------------------------------------------------------


def separation_by_ranks(c, labels):
    """Mean ranks, those of ties included."""
    ranks = (c[:, None] > c).sum(1) + (c[:, None] == c).sum(1) / 2  # [row component]
    n = labels.sum()
    area = (ranks[labels].sum(0) - n * n / 2) / n / (len(c) - n)
    return 0.5 + (area - 0.5).abs()


def separation_by_loop(c, labels):
    areas = []
    for column in c.T:
        a, b = column[labels].tolist(), column[~labels].tolist()
        won = sum(1 if x > y else 0.5 if x == y else 0 for x in a for y in b) / len(a) / len(b)
        areas.append(max(won, 1 - won))
    return torch.tensor(areas)


def area_by_sign(c, labels):
    return (1 + (c[labels].unsqueeze(1) - c[~labels].unsqueeze(0)).sign()).mean((0, 1)) / 2


def area_by(compare):
    """The area, by a comparison of a and b; where it is below one half, 1 - area."""

    def answer(c, labels):
        area = compare(c[labels].unsqueeze(1), c[~labels]).double().mean((0, 1))
        return torch.where(area < 0.5, 1 - area, area)

    return answer


SEPARATION = {
    "area below one half": [area_by_sign, lambda c, labels: 1 - (1 - area_by_sign(c, labels))],
    "ties not counted": [area_by(torch.gt), lambda c, labels: area_by(torch.lt)(c, ~labels)],
    "ties counted in full": area_by(torch.ge),
    "compared with one number": [
        lambda c, labels: area_by(torch.gt)(torch.cat([c[labels], c[~labels].mean(0)[None]]), mask(labels)),
        lambda c, labels: area_by(torch.gt)(
            torch.cat([c[labels], c[~labels].median(0).values[None]]), mask(labels)
        ),
    ],
    "difference of the means": lambda c, labels: (c[labels].mean(0) - c[~labels].mean(0)).abs(),
    "rescaled to 0 and 1": lambda c, labels: (2 * area_by_sign(c, labels) - 1).abs(),
    "distance from one half": lambda c, labels: (area_by_sign(c, labels) - 0.5).abs(),
    "wrong shape": [
        lambda c, labels: area_by_sign(c, labels).max(),
        lambda c, labels: (1 + (c[labels][:, None] - c[~labels]).sign()).mean(0) / 2,
    ],
    "exception": lambda c, labels: (c[labels] > c[~labels]).float().mean(0),
}


def mask(labels):
    """Labels of the marked rows and of one more."""
    return torch.tensor([True] * labels.sum() + [False])


# 1.7 ------------------------------------------------------------------------------------------------------------------


def random_by_loop(vectors, labels, directions):
    return torch.tensor([max(separation_by_loop(vectors @ sample.T, labels)) for sample in directions])


def random_at_once(vectors, labels, directions):
    areas = separation_by_ranks(vectors @ directions.flatten(0, 1).T, labels)
    return areas.view(directions.shape[:2]).amax(1)


def random_by(measure):
    """One number per sample, by a function of coordinates and labels."""
    return lambda vectors, labels, directions: torch.tensor(
        [float(measure(torch.einsum("rm,dm->rd", vectors, sample), labels)) for sample in directions]
    )


RANDOM_SEPARATION = {
    "mean of the directions": random_by(lambda c, labels: area_by(torch.gt)(c, labels).mean()),
    "worst direction": random_by(lambda c, labels: min(separation_by_loop(c, labels))),
    "first direction": random_by(lambda c, labels: separation_by_loop(c, labels)[0]),
    "best of all samples": lambda v, labels, d: random_by_loop(v, labels, d).max().repeat(len(d)),
    "directions summed": lambda v, labels, d: separation_by_ranks(v @ d.mean(1).T, labels),
    "largest coordinate": random_by(lambda c, labels: area_by(torch.gt)(c.max(1, keepdim=True)[0], labels)),
    "length of the projection": random_by(
        lambda c, labels: separation_by_ranks((c**2).sum(1, keepdim=True), labels)
    ),
    "area below one half": random_by(lambda c, labels: area_by_sign(c, labels).max()),
    "wrong shape": [
        lambda v, labels, d: separation_by_ranks(v @ d.flatten(0, 1).T, labels),
        lambda v, labels, d: max(random_by_loop(v, labels, d)),
    ],
    "exception": lambda v, labels, d: separation_by_ranks(v @ d[0], labels),
}

# 1.8 ------------------------------------------------------------------------------------------------------------------


def orthonormal(A):
    return torch.linalg.svd(A, full_matrices=False).U


def orthonormal_by_qr(A):
    return torch.linalg.qr(A).Q


def cosines_by_projectors(A, B):
    P, Q = A @ torch.linalg.pinv(A), B @ torch.linalg.pinv(B)
    return torch.linalg.svdvals(P @ Q)[: min(A.shape[1], B.shape[1])]


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
    "columns compared in pairs": lambda A, B: (orthonormal_by_qr(A).T @ orthonormal_by_qr(B)).diagonal(),
    "centred": lambda A, B: cosines_by_svd(A - A.mean(0), B - B.mean(0)),
    "squared": lambda A, B: torch.linalg.svdvals(orthonormal(A).T @ orthonormal(B)).square(),
    "ascending": lambda A, B: cosines_by_svd(A, B).sort().values,
    "wrong shape": lambda A, B: orthonormal(A).T @ orthonormal(B),
    "exception": lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A.T).Q.T @ torch.linalg.qr(B.T).Q),
}

# 1.9 ------------------------------------------------------------------------------------------------------------------

WRITERS, READERS = ("W_E", "W_pos", "W_O"), ("W_Q", "W_K", "W_V", "W_U")


def rotated(weights, R, writers=WRITERS, readers=READERS, transposed=True):
    new = {}
    for name, weight in weights.items():
        new[name] = weight @ R if name in writers else weight
        if name in readers:
            new[name] = torch.einsum("mn,...mk->...nk" if transposed else "nm,...mk->...nk", R, weight)
    return new


def in_place(weights, R):
    for name in WRITERS:
        weights[name] = weights[name] @ R
    for name in READERS:
        weights[name] = R.T @ weights[name]
    return weights


def rotated_by_inverse(weights, R):
    return {name: weights[name] @ R for name in WRITERS} | {
        name: torch.linalg.inv(R.double()) @ weights[name].double() for name in READERS
    }


def without(*left_out):
    return lambda weights, R: rotated(
        weights, R, [w for w in WRITERS if w not in left_out], [r for r in READERS if r not in left_out]
    )


def only_in_the_first(axis):
    """The rotation of one layer (axis 0) or of one head of each layer (axis 1)."""

    def answer(weights, R):
        new = rotated(weights, R)
        for name in ("W_Q", "W_K", "W_V", "W_O"):
            first = new[name].narrow(axis, 0, 1)
            rest = weights[name].narrow(axis, 1, weights[name].shape[axis] - 1)
            new[name] = torch.cat([first, rest], axis)
        return new

    return answer


ROTATE = {
    "W_Q W_K W_V W_U rotated the other way": lambda w, R: rotated(w, R, transposed=False),
    "W_E W_pos W_Q W_K W_V W_O W_U rotated the other way": lambda w, R: rotated(w, R.T),
    "W_O rotated the other way": lambda w, R: rotated(w, R) | {"W_O": w["W_O"] @ R.T},
    "W_U rotated the other way": lambda w, R: rotated(w, R) | {"W_U": R @ w["W_U"]},
    "W_E W_pos W_O rotated the other way": lambda w, R: {
        name: W @ R.T if name in WRITERS else R.T @ W for name, W in w.items()
    },
    "not all rotated": [
        without("W_K"),
        without("W_U", "W_pos"),
        lambda w, R: w,
        only_in_the_first(0),
        only_in_the_first(1),
    ],
    "other weights": [
        lambda w, R: {"W_E": rotated(w, R)["W_E"]},
        lambda w, R: rotated(w, R) | {"R": R},
    ],
    "changed its input": in_place,
    "wrong shape": [
        lambda w, R: rotated(w, R) | {"W_U": w["W_U"].T @ R},
        lambda w, R: rotated(w, R) | {"W_O": torch.stack([w["W_O"][0] @ R, w["W_O"][1] @ R])},  # two layers
    ],
    "wrong type": [
        lambda w, R: list(rotated(w, R).values()),
        lambda w, R: {name: weight.tolist() for name, weight in rotated(w, R).items()},
    ],
}

# 1.10 -----------------------------------------------------------------------------------------------------------------


def virtual_by_broadcast(W_O, W_in):
    return W_O[:, None] @ W_in[None]


VIRTUAL = {
    "receiver before sender": lambda W_O, W_in: W_O[None] @ W_in[:, None],
    "product the other way round": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in).mT,
    "summed over the senders": lambda W_O, W_in: W_O.sum(0) @ W_in,
    "only equal numbers paired": lambda W_O, W_in: torch.bmm(W_O, W_in),
    "scaled": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in) * W_in.shape[1] ** -0.5,
    "wrong shape": lambda W_O, W_in: virtual_by_broadcast(W_O, W_in).norm(dim=(-1, -2)),
}

# 1.11 -----------------------------------------------------------------------------------------------------------------


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
    "fractions of the logit": lambda parts, W_U, token: (
        attribution_by_sum(parts, W_U, token) / (parts.sum(0) @ W_U)[token]
    ),
    "another token": lambda parts, W_U, token: (parts @ W_U)[:, token + 1],
    "sum over component": lambda parts, W_U, token: (parts.sum(0) @ W_U)[token],
    "exception": lambda parts, W_U, token: parts @ W_U[token],
}

# 1.12 -----------------------------------------------------------------------------------------------------------------


def ranks_by_sort(x, W_U, token):
    order = (x @ W_U).argsort(-1, descending=True)
    return (order == token).float().argmax(-1).float()


def ranks_by(measure):
    """Ranks by a function of the logits."""

    def answer(x, W_U, token):
        rows = measure(x @ W_U).tolist()
        return torch.tensor([sum(value > row[token] for value in row) for row in rows])

    return answer


RANKS = {
    "counted from 1": lambda x, W_U, token: ranks_by_sort(x, W_U, token) + 1,
    "counted from the bottom": lambda x, W_U, token: W_U.shape[1] - 1 - ranks_by_sort(x, W_U, token),
    "argsort once": [
        lambda x, W_U, token: torch.argsort(-(x @ W_U), dim=1)[:, token].float(),
        lambda x, W_U, token: torch.argsort(x @ W_U, dim=1)[:, token],
    ],
    "logits, not ranks": lambda x, W_U, token: x @ W_U[:, token],
    "probabilities, not ranks": lambda x, W_U, token: torch.softmax(x @ W_U, 1)[:, token],
    "ties of probabilities": ranks_by(lambda logits: logits.softmax(-1)),
    "residuals summed up": lambda x, W_U, token: ranks_by_sort(x.cumsum(0), W_U, token),
    "absolute logits": ranks_by(torch.abs),
    "streams centred": lambda x, W_U, token: ranks_by_sort(x - x.mean(1, keepdim=True), W_U, token),
    "rounded logits": ranks_by(torch.Tensor.bfloat16),
    "wrong values": [
        ranks_by(torch.Tensor.half),
        ranks_by(lambda logits: logits.round(decimals=2)),
        lambda x, W_U, token: ranks_by_sort(x, W_U, token).clamp(max=1000),
    ],
    "one number everywhere": [
        ranks_by(torch.exp),
        ranks_by(torch.sigmoid),
        lambda x, W_U, token: ranks_by_sort(x, W_U, token).clamp(max=100),
    ],
    "the top tokens": lambda x, W_U, token: (x @ W_U).max(1).indices.float(),
    "wrong shape": lambda x, W_U, token: ranks_by_sort(x, W_U, token)[:1],
}

# 1.13 -----------------------------------------------------------------------------------------------------------------


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
    "cosine along the positions": lambda s, c: against(s, c, cosine=torch.cosine_similarity(s, c[None])),
    "norm before minus norm after": lambda s, c: against(s, c, change=c.norm(dim=-1) - (s + c).norm(dim=-1)),
    "ratio of the norms": lambda s, c: against(s, c, change=(s + c).norm(dim=-1) / c.norm(dim=-1)),
    "reversed": lambda s, c: against(s, c).flip(1),
    "wrong type": lambda s, c: tuple(against(s, c).T),
    "the output's own length": lambda s, c: against(s, c, change=s.norm(dim=-1)),
    "change of the squared norm": lambda s, c: against(s, c, change=((s + c) ** 2).sum(-1) - (c**2).sum(-1)),
    "sign lost": lambda s, c: against(s, c, cosine=torch.cosine_similarity(s, c[None], -1).abs()),
    "summed over the positions": lambda s, c: against(s, c) * len(c),
    "axes swapped": lambda s, c: against(s, c).T,
}

WRONG = {
    "1.1": HEAD_OUTPUTS,
    "1.2": SPECTRUM,
    "1.3": DIMENSIONS,
    "1.4": HELD_OUT,
    "1.5": COORDINATES,
    "1.6": SEPARATION,
    "1.7": RANDOM_SEPARATION,
    "1.8": COSINES,
    "1.9": ROTATE,
    "1.10": VIRTUAL,
    "1.11": ATTRIBUTION,
    "1.12": RANKS,
    "1.13": AGAINST,
}
RIGHT = {
    "1.1": [outputs_by_matmul, lambda z, W_O: (z.permute(0, 2, 1, 3)[..., None] * W_O[:, :, None]).sum(-2)],
    "1.2": [spectrum_by_cov, spectrum_by_numpy, spectrum_without_zeros],
    "1.3": [
        two_numbers,
        numbers_of_numpy,
        numbers_of_torch,
        lambda s, fraction=0.8: torch.tensor(two_numbers(s, fraction)).tolist(),
    ],
    "1.4": [fraction_by_cov, fraction_by_row, lambda a, b, k: fraction_by_cov(a, b, k).item()],
    "1.5": [coordinates_by_eigh, coordinates_by_u, coordinates_by_numpy],
    "1.6": [
        separation_by_ranks,
        separation_by_loop,
        lambda c, labels: torch.maximum(area_by_sign(c, labels), area_by_sign(c, ~labels)),
        area_by(lambda a, b: ((a > b).int() + (a >= b).int()) / 2),
    ],
    "1.7": [random_by_loop, random_at_once],
    "1.8": [cosines_by_svd, cosines_by_projectors],
    "1.9": [rotated, rotated_by_inverse],
    "1.10": virtual_by_broadcast,
    "1.11": attribution_by_sum,
    "1.12": [
        ranks_by_sort,
        ranks_by(lambda logits: logits),
        ranks_by(lambda logits: logits.log_softmax(-1)),
        lambda x, W_U, token: ranks_by_sort(torch.nn.functional.normalize(x, dim=-1), W_U, token),
        lambda x, W_U, token: ((x @ W_U) > (x @ W_U[:, token])[:, None]).sum(-1),  # summed in another order
        lambda x, W_U, token: ((x @ W_U) >= (x @ W_U)[:, [token]]).sum(-1) - 1,
    ],
    "1.13": against,
}
